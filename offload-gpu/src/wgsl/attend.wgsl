// Attention of one query head of one token, chunk by chunk of 128 positions, in the order of the processor's kernels.
//
// A lane forms the score of a position, one running sum over the elements; the largest is taken away, the exponentials are added in
// 16 running sums; a lane then forms an element of the weighted sum of values, positions in order. Chunks are merged
// in order by the rule of the online softmax.

const LOWEST: f32 = -3.4028235e38;

var<workgroup> query_part: array<f32, KEY_WIDTH>;
var<workgroup> scores: array<f32, 128>;
var<workgroup> largest: array<f32, 128>;
var<workgroup> partial: array<f32, 16>;

fn key_of(head: u32, d: u32, slot: u32) -> f32 {
    let at = ((head * (POSITIONS / 128u) + slot / 128u) * KEY_WIDTH + d) * (128u / PACK) + (slot % 128u) / PACK;
    if PACK == 1u {
        return bitcast<f32>(keys[at]);
    }
    return unpack2x16float(keys[at] >> (16u * (slot % 2u))).x;
}

fn value_of(head: u32, d: u32, slot: u32) -> f32 {
    let at = (head * POSITIONS + slot) * (VALUE_STRIDE / PACK) + d / PACK;
    if PACK == 1u {
        return bitcast<f32>(values[at]);
    }
    return unpack2x16float(values[at] >> (16u * (d % 2u))).x;
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let head = group.x;
    let token = group.y;
    let cache_head = head / (HEADS / CACHE_HEADS);
    let position = step.position + token;
    let end = position + 1u;
    let first = select(0u, end - min(end, WINDOW), WINDOW > 0u);
    for (var d = lane; d < KEY_WIDTH; d += 128u) {
        query_part[d] = query[(token * HEADS + head) * KEY_WIDTH + d] * QUERY_SCALE;
    }
    workgroupBarrier();
    var most = LOWEST;
    var total = 0.0;
    var sums: array<f32, VALUE_PARTS>;
    for (var chunk = first / 128u; chunk * 128u < end; chunk += 1u) {
        let start = chunk * 128u;
        let slot = start % POSITIONS;
        let begin = max(first, start) - start;
        let to = min(end, start + 128u) - start;
        var score = LOWEST;
        let visible = lane >= begin && lane < to;
        if visible {
            var sum = 0.0;
            for (var d = 0u; d < KEY_WIDTH; d += 1u) {
                sum = sum + exact(query_part[d] * key_of(cache_head, d, slot + lane));
            }
            score = exact(sum * SCORE_SCALE);
            if CAPPED {
                score = exact(SCORE_CAP * hyperbolic_tangent(divide(score, SCORE_CAP)));
            }
        }
        largest[lane] = score;
        workgroupBarrier();
        for (var half = 64u; half > 0u; half /= 2u) {
            if lane < half {
                largest[lane] = max(largest[lane], largest[lane + half]);
            }
            workgroupBarrier();
        }
        let peak = largest[0];
        scores[lane] = select(0.0, exponential(exact(score - peak)), visible);
        workgroupBarrier();
        if lane < 16u {
            var sum = 0.0;
            for (var block = 0u; block < 8u; block += 1u) {
                sum = sum + scores[16u * block + lane];
            }
            partial[lane] = sum;
        }
        workgroupBarrier();
        for (var half = 8u; half > 0u; half /= 2u) {
            if lane < half {
                partial[lane] = partial[lane] + partial[lane + half];
            }
            workgroupBarrier();
        }
        let next = max(most, peak);
        let old = exponential(exact(most - next));
        let added = exponential(exact(peak - next));
        for (var i = 0u; i < VALUE_PARTS; i += 1u) {
            let d = lane + 128u * i;
            if d < VALUE_WIDTH {
                var sum = 0.0;
                for (var p = begin; p < to; p += 1u) {
                    sum = sum + exact(scores[p] * value_of(cache_head, d, slot + p));
                }
                sums[i] = exact(sums[i] * old) + exact(sum * added);
            }
        }
        total = exact(total * old) + exact(partial[0] * added);
        most = next;
        workgroupBarrier();
    }
    for (var i = 0u; i < VALUE_PARTS; i += 1u) {
        let d = lane + 128u * i;
        if d < VALUE_WIDTH {
            out[(token * HEADS + head) * VALUE_WIDTH + d] = divide(sums[i], total);
        }
    }
}
