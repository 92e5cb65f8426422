// Activations as bytes: one lane brings 4 values.

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = row_of(group.y);
    let word = group.x * THREADS + lane;
    let inside = word < WIDTH / 4u;
    var four = vec4<f32>(0.0);
    if inside {
        let at = row * WIDTH + 4u * word;
        four = vec4<f32>(input[at], input[at + 1u], input[at + 2u], input[at + 3u]);
    }
    store_bytes(lane, four, row, WIDTH / 32u, word, inside);
}
