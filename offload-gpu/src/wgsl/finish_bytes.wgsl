// THREADS elements of a head's result, as bytes; whole groups of 32. All lanes call it.

var<workgroup> finished: array<f32, THREADS>;

fn finish(lane: u32, head: u32, d: u32, x: f32) {
    finished[lane] = x;
    workgroupBarrier();
    // The first quarter of the lanes brings four elements each.
    let word = (d - lane) / 4u + lane;
    let inside = lane < THREADS / 4u && 4u * word < VALUE_WIDTH;
    var four = vec4<f32>(0.0);
    if inside {
        four = vec4<f32>(finished[4u * lane], finished[4u * lane + 1u], finished[4u * lane + 2u], finished[4u * lane + 3u]);
    }
    store_bytes(lane, four, 0u, HEADS * VALUE_WIDTH / 32u, head * (VALUE_WIDTH / 4u) + word, inside);
}
