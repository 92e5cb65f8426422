// `out[j] = weight[FIRST + j] · input` for many tokens, activations as bytes.

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    product_tile(lane, group.x, group.y);
}
