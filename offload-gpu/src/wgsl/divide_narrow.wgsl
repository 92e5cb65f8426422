// Division as the device has it: within 2.5 ULP.

fn divide(a: f32, b: f32) -> f32 {
    return a / b;
}
