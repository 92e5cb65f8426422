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
        for (var chunk = 0u; chunk < chunks; chunk += 4u) {
            //REPEAT 4
            let room$i = (head * CHUNKS + min(chunk + $iu, chunks - 1u)) * (VALUE_WIDTH + 2u);
            let peak$i = partials[room$i];
            let total$i = partials[room$i + 1u];
            let sum$i = partials[room$i + 2u + min(d, VALUE_WIDTH - 1u)];
            //UNTIL
            //REPEAT 4
            if chunk + $iu < chunks {
                let next = max(most, peak$i);
                let old = exponential(exact(most - next));
                let added = exponential(exact(peak$i - next));
                sum = exact(sum * old) + exact(sum$i * added);
                total = exact(total * old) + exact(total$i * added);
                most = next;
            }
            //UNTIL
        }
        finish(lane, head, d, divide(sum, total));
    }
}
