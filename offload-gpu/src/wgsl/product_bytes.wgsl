// `out[j] = weight[FIRST + j] · input`, activations as bytes, the sums of the processor's `fast` tier.

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    product_rows(lane, group.x, group.y);
}
