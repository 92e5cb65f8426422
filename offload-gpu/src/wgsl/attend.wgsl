// Attention of one query head of TOKENS tokens, chunk by chunk of 128 positions, in the order of the processor's kernels.
//
// A lane forms a position's score for each of the tokens, one running sum over the elements; the largest is taken away, the exponentials
// are added in 16 running sums; a lane then forms elements of the weighted sum of values of its tokens, positions in order. Chunks
// are merged in order by the rule of the online softmax. What a token does not see adds nothing to it, to the bit.

const LOWEST: f32 = -3.4028235e38;
const VALUE_WORDS: u32 = VALUE_STRIDE / VALUE_PACK;

var<workgroup> queries: array<vec4<f32>, 2u * KEY_WIDTH>;
var<workgroup> scores: array<f32, 1024>;
var<workgroup> peaks: array<f32, 128>;
var<workgroup> partial: array<f32, 128>;
// Of every token: the largest score so far, the sum so far; what the chunk makes of the old sums, and what of its own.
var<workgroup> most: array<f32, 8>;
var<workgroup> total: array<f32, 8>;
var<workgroup> keep: array<f32, 8>;
var<workgroup> take: array<f32, 8>;
var<workgroup> peak: array<f32, 8>;

fn exact2(x: vec2<f32>) -> vec2<f32> {
    return bitcast<vec2<f32>>(bitcast<vec2<u32>>(x) ^ vec2<u32>(step.zero));
}

fn capped(sum: f32) -> f32 {
    let score = exact(sum * SCORE_SCALE);
    if CAPPED {
        return exact(SCORE_CAP * hyperbolic_tangent(divide(score, SCORE_CAP)));
    }
    return score;
}

// Whether token `t` of the workgroup sees position `p`.
fn sees(t: u32, p: u32) -> bool {
    let end = step.position + t + 1u;
    return p < end && (WINDOW == 0u || p + WINDOW >= end);
}

fn query_of(token: u32, head: u32, d: u32) -> f32 {
    return query[(token * HEADS + head) * KEY_WIDTH + d] * QUERY_SCALE;
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let head = group.x;
    let first_token = 8u * group.y;
    // Tokens that are not there are like the last.
    let here = min(8u, step.tokens - first_token);
    let cache_head = head / (HEADS / CACHE_HEADS);
    let end = step.position + first_token + here;
    let oldest = step.position + first_token + 1u;
    let first = select(0u, oldest - min(oldest, WINDOW), WINDOW > 0u);
    for (var i = lane; i < 2u * KEY_WIDTH; i += 128u) {
        let d = i % KEY_WIDTH;
        let at = 4u * (i / KEY_WIDTH);
        queries[2u * d + i / KEY_WIDTH] = vec4<f32>(
            query_of(first_token + min(at, here - 1u), head, d),
            query_of(first_token + min(at + 1u, here - 1u), head, d),
            query_of(first_token + min(at + 2u, here - 1u), head, d),
            query_of(first_token + min(at + 3u, here - 1u), head, d),
        );
    }
    if lane < 8u {
        most[lane] = LOWEST;
        total[lane] = 0.0;
    }
    let team = (lane / TEAM) * EACH;
    let own = lane % TEAM;
    var sums: array<vec2<f32>, WORDS * EACH>;
    for (var i = 0u; i < WORDS * EACH; i += 1u) {
        sums[i] = vec2<f32>(0.0);
    }
    workgroupBarrier();
    for (var chunk = first / 128u; chunk * 128u < end; chunk += 1u) {
        let start = chunk * 128u;
        let slot = start % POSITIONS;
        let key = (((cache_head * (POSITIONS / 128u) + slot / 128u) * KEY_WIDTH) * 128u + lane) / PACK;
        var low = vec4<f32>(0.0);
        var high = vec4<f32>(0.0);
        for (var d = 0u; d < KEY_WIDTH; d += KEYS) {
            //REPEAT KEYS
            let k$i = keys[key + (d + $iu) * (128u / PACK)];
            //UNTIL
            // The next KEYS elements are of one group.
            let scale = key_scale(cache_head, slot + lane, d);
            //REPEAT KEYS
            let e$i = key_of(k$i, lane, scale);
            low = low + exact4(queries[2u * (d + $iu)] * e$i);
            high = high + exact4(queries[2u * (d + $iu) + 1u] * e$i);
            //UNTIL
        }
        //REPEAT 4
        let score$i = select(LOWEST, capped(low[$i]), sees(first_token + $iu, start + lane));
        scores[128u * $iu + lane] = score$i;
        let other$i = select(LOWEST, capped(high[$i]), sees(first_token + $iu + 4u, start + lane));
        scores[128u * $iu + 512u + lane] = other$i;
        //UNTIL
        workgroupBarrier();
        var largest = scores[8u * lane];
        //REPEAT 8
        largest = max(largest, scores[8u * lane + $iu]);
        //UNTIL
        peaks[lane] = largest;
        workgroupBarrier();
        if lane < 8u {
            largest = peaks[16u * lane];
            //REPEAT 16
            largest = max(largest, peaks[16u * lane + $iu]);
            //UNTIL
            let next = max(most[lane], largest);
            keep[lane] = exponential(exact(most[lane] - next));
            take[lane] = exponential(exact(largest - next));
            peak[lane] = largest;
            most[lane] = next;
        }
        workgroupBarrier();
        //REPEAT 4
        scores[128u * $iu + lane] = select(0.0, exponential(exact(score$i - peak[$i])), sees(first_token + $iu, start + lane));
        scores[128u * $iu + 512u + lane] = select(0.0, exponential(exact(other$i - peak[$iu + 4u])), sees(first_token + $iu + 4u, start + lane));
        //UNTIL
        workgroupBarrier();
        var block = 0.0;
        //REPEAT 8
        block = block + scores[(lane / 16u) * 128u + 16u * $iu + lane % 16u];
        //UNTIL
        partial[lane] = block;
        for (var w = 0u; w < WORDS; w += 1u) {
            let word = own + w * TEAM;
            if team < 8u && VALUE_PACK * word < VALUE_WIDTH {
                let at = (cache_head * POSITIONS + slot) * VALUE_WORDS + word;
                //REPEAT EACH
                var fresh$i = vec2<f32>(0.0);
                //UNTIL
                // Behind the last position lie zeros, or older values: their scores are zero.
                for (var p = 0u; p < min(end - start, 128u); p += 8u) {
                    //REPEAT 8
                    let v$i = values_at(at + (p + $iu) * VALUE_WORDS);
                    //UNTIL
                    //REPEAT EACH
                    let from$i = (team + $iu) * 128u + p;
                    fresh$i = fresh$i + exact2(scores[from$i] * v0);
                    fresh$i = fresh$i + exact2(scores[from$i + 1u] * v1);
                    fresh$i = fresh$i + exact2(scores[from$i + 2u] * v2);
                    fresh$i = fresh$i + exact2(scores[from$i + 3u] * v3);
                    fresh$i = fresh$i + exact2(scores[from$i + 4u] * v4);
                    fresh$i = fresh$i + exact2(scores[from$i + 5u] * v5);
                    fresh$i = fresh$i + exact2(scores[from$i + 6u] * v6);
                    fresh$i = fresh$i + exact2(scores[from$i + 7u] * v7);
                    //UNTIL
                }
                //REPEAT EACH
                let at$i = w * EACH + $iu;
                sums[at$i] = exact2(sums[at$i] * keep[team + $iu]) + exact2(fresh$i * take[team + $iu]);
                //UNTIL
            }
        }
        workgroupBarrier();
        if lane < 8u {
            total[lane] = exact(total[lane] * keep[lane]) + exact(folded(16u * lane) * take[lane]);
        }
        workgroupBarrier();
    }
    for (var w = 0u; w < WORDS; w += 1u) {
        let word = own + w * TEAM;
        if team < 8u && VALUE_PACK * word < VALUE_WIDTH {
            //REPEAT EACH
            if team + $iu < here {
                let sum = sums[w * EACH + $iu];
                let at = ((first_token + team + $iu) * HEADS + head) * VALUE_WIDTH + VALUE_PACK * word;
                out[at] = divide(sum.x, total[team + $iu]);
                if VALUE_PACK == 2u && VALUE_PACK * word + 1u < VALUE_WIDTH {
                    out[at + 1u] = divide(sum.y, total[team + $iu]);
                }
            }
            //UNTIL
        }
    }
}

// 16 sums of `partial`, folded 8 + 8, 4 + 4, 2 + 2, 1 + 1.
fn folded(at: u32) -> f32 {
    //REPEAT 8
    let a$i = partial[at + $iu] + partial[at + $iu + 8u];
    //UNTIL
    let b0 = a0 + a4;
    let b1 = a1 + a5;
    let b2 = a2 + a6;
    let b3 = a3 + a7;
    return (b0 + b2) + (b1 + b3);
}
