// The index of the largest of SPANS spans' largest; of equal ones the first.

@compute @workgroup_size(1)
fn main() {
    var most = bitcast<f32>(found[0]);
    var at = found[1];
    for (var i = 1u; i < SPANS; i += 1u) {
        let x = bitcast<f32>(found[2u * i]);
        if x > most {
            most = x;
            at = found[2u * i + 1u];
        }
    }
    chosen[0] = at;
}
