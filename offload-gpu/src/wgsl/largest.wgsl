// The largest of a span of logits of the last row, and its index; of equal ones the first. Spans are of SPAN logits.

var<workgroup> best: array<f32, 256>;
var<workgroup> index: array<u32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = (step.wanted - 1u + select(step.first, 0u, COMPACT)) * VOCABULARY;
    var most = -3.4028235e38;
    var at = 0xffffffffu;
    let end = min(min(VOCABULARY, step.choices), (group.x + 1u) * SPAN);
    for (var i = group.x * SPAN + lane; i < end; i += 256u) {
        let x = logits[start + i];
        if !(abs(x) <= 3.4028235e38) {
            atomicOr(&faults[0], 4u);
        }
        if x > most || (x == most && i < at) {
            most = x;
            at = i;
        }
    }
    best[lane] = most;
    index[lane] = at;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half /= 2u) {
        if lane < half {
            let other = best[lane + half];
            if other > best[lane] || (other == best[lane] && index[lane + half] < index[lane]) {
                best[lane] = other;
                index[lane] = index[lane + half];
            }
        }
        workgroupBarrier();
    }
    if lane == 0u {
        found[2u * group.x] = bitcast<u32>(best[0]);
        found[2u * group.x + 1u] = index[0];
    }
}
