// `out = a + b`; with VECTOR, `b` is one row for all.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= WIDTH {
        return;
    }
    let at = select(row_of(id.y), id.y, COMPACT) * WIDTH + id.x;
    out[at] = a[at] + b[select(at, id.x, VECTOR)];
}
