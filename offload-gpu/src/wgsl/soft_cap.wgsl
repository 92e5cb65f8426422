// `out = cap · tanh(input / cap)`.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= WIDTH {
        return;
    }
    let at = select(row_of(id.y), id.y, COMPACT) * WIDTH + id.x;
    out[at] = CAP * hyperbolic_tangent(divide(input[at], CAP));
}
