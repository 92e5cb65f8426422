// Joins the chunks of a head, in order, by the rule of the online softmax.

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let head = group.x;
    let end = step.position + 1u;
    let first = select(0u, end - min(end, WINDOW), WINDOW > 0u);
    let chunks = step.position / 128u - first / 128u + 1u;
    for (var base = 0u; base < VALUE_WIDTH; base += 128u) {
        let d = base + lane;
        var most = -3.4028235e38;
        var total = 0.0;
        var sum = 0.0;
        for (var chunk = 0u; chunk < chunks; chunk += 1u) {
            let room = (head * CHUNKS + chunk) * (VALUE_WIDTH + 2u);
            let peak = partials[room];
            let next = max(most, peak);
            let old = exponential(exact(most - next));
            let added = exponential(exact(peak - next));
            sum = exact(sum * old) + exact(partials[room + 2u + min(d, VALUE_WIDTH - 1u)] * added);
            total = exact(total * old) + exact(partials[room + 1u] * added);
            most = next;
        }
        finish(lane, head, d, divide(sum, total));
    }
}
