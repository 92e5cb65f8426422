// The activations of a gate, from `exponential` and `divide`.

fn sigmoid(x: f32) -> f32 {
    let e = exponential(-abs(x));
    let top = select(1.0, e, x < 0.0);
    return divide(top, 1.0 + e);
}

fn silu(x: f32) -> f32 {
    return x * sigmoid(x);
}

fn gelu_tanh(x: f32) -> f32 {
    let cube = exact(exact(x * x) * x);
    return x * sigmoid(1.5957692 * exact(x + exact(0.044715 * cube)));
}
