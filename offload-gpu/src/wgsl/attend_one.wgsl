// Attention of one query head of one token to one chunk of 128 positions, from the projections: query and key are turned here, after their
// norms, and the key and the value go to the cache. The order is that of `attend`.
//
// With one chunk the result is the head's; with more, `attend_merge` joins what they leave in `partials`: for every
// head and chunk the largest score, the sum of exponentials and the weighted sum of values.

var<workgroup> query_part: array<f32, KEY_WIDTH>;
var<workgroup> key_part: array<f32, KEY_WIDTH>;
var<workgroup> raw: array<f32, KEY_WIDTH>;
var<workgroup> scores: array<f32, 128>;
var<workgroup> largest: array<f32, 128>;
var<workgroup> partial: array<f32, 16>;
var<workgroup> squares: array<Wide, 16>;
var<workgroup> inverse: f32;

fn as_remembered(x: f32) -> f32 {
    if PACK == 1u {
        return x;
    }
    return unpack2x16float(half_bits(x)).x;
}

fn key_of(head: u32, d: u32, slot: u32) -> f32 {
    let at = key_word(head, d, slot);
    if PACK == 1u {
        return bitcast<f32>(keys[at]);
    }
    return unpack2x16float(keys[at] >> (16u * (slot % 2u))).x;
}

fn key_word(head: u32, d: u32, slot: u32) -> u32 {
    return ((head * (POSITIONS / 128u) + slot / 128u) * KEY_WIDTH + d) * (128u / PACK) + (slot % 128u) / PACK;
}

fn value_word(head: u32, d: u32, slot: u32) -> u32 {
    return (head * POSITIONS + slot) * (VALUE_STRIDE / PACK) + d / PACK;
}

fn value_of(head: u32, d: u32, slot: u32) -> f32 {
    let at = value_word(head, d, slot);
    if PACK == 1u {
        return bitcast<f32>(values[at]);
    }
    return unpack2x16float(values[at] >> (16u * (d % 2u))).x;
}

// The head in `raw` divided by its root mean square, times its weight. All lanes call it.
fn normalise(lane: u32, epsilon: f32, of_key: bool) {
    if !NORMS {
        return;
    }
    if lane < 16u {
        var sum = wide_zero();
        for (var i = lane; i < KEY_WIDTH; i += 16u) {
            sum = wide_add_square(sum, raw[i]);
        }
        squares[lane] = sum;
    }
    workgroupBarrier();
    for (var half = 8u; half > 0u; half /= 2u) {
        if lane < half {
            squares[lane] = wide_add(squares[lane], squares[lane + half]);
        }
        workgroupBarrier();
    }
    if lane == 0u {
        inverse = wide_inverse_root(squares[0], KEY_WIDTH, epsilon);
    }
    workgroupBarrier();
    for (var d = lane; d < KEY_WIDTH; d += 128u) {
        raw[d] = exact(raw[d] * inverse) * norm_weight(d, of_key);
    }
    workgroupBarrier();
}

// Element `k` of the head in `raw`, turned.
fn turned(k: u32) -> f32 {
    if k >= 2u * PAIRS {
        return raw[k];
    }
    let pair = select(k % PAIRS, k / 2u, NEIGHBOURS);
    let second = select(k >= PAIRS, k % 2u == 1u, NEIGHBOURS);
    let a = raw[select(pair, 2u * pair, NEIGHBOURS)];
    let b = raw[select(pair + PAIRS, 2u * pair + 1u, NEIGHBOURS)];
    let turn = step.turns * 2u * PAIRS;
    let cosine = angles[turn + pair];
    let sine = angles[turn + PAIRS + pair];
    if second {
        return exact(a * sine) + exact(b * cosine);
    }
    return exact(a * cosine) - exact(b * sine);
}

fn check(x: f32) {
    if !(abs(x) < CACHE_LIMIT) {
        atomicOr(&faults[0], 2u);
    }
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let head = group.x;
    let share = HEADS / CACHE_HEADS;
    let cache_head = head / share;
    let position = step.position;
    let end = position + 1u;
    let first = select(0u, end - min(end, WINDOW), WINDOW > 0u);
    let chunk = first / 128u + group.y;
    let chunks = position / 128u - first / 128u + 1u;
    let start = chunk * 128u;
    let slot = start % POSITIONS;
    let own = position % POSITIONS;
    let is_last = group.y + 1u == chunks;

    for (var d = lane; d < KEY_WIDTH; d += 128u) {
        raw[d] = query[head * KEY_WIDTH + d];
    }
    workgroupBarrier();
    normalise(lane, QUERY_EPSILON, false);
    for (var d = lane; d < KEY_WIDTH; d += 128u) {
        query_part[d] = turned(d) * QUERY_SCALE;
    }
    workgroupBarrier();
    if is_last {
        for (var d = lane; d < KEY_WIDTH; d += 128u) {
            raw[d] = key[cache_head * KEY_WIDTH + d];
        }
    }
    workgroupBarrier();
    normalise(lane, KEY_EPSILON, true);
    if is_last {
        for (var d = lane; d < KEY_WIDTH; d += 128u) {
            let x = turned(d);
            key_part[d] = as_remembered(x);
            if head % share == 0u {
                check(x);
                let at = key_word(cache_head, d, own);
                if PACK == 1u {
                    keys[at] = bitcast<u32>(x);
                } else {
                    // The other half is an older position's and stays as it is.
                    let shift = 16u * (own % 2u);
                    keys[at] = (keys[at] & (0xffff0000u >> shift)) | (half_bits(x) << shift);
                }
            }
        }
        if head % share == 0u {
            for (var word = lane; word < VALUE_STRIDE / PACK; word += 128u) {
                let at = value_word(cache_head, word * PACK, own);
                let x = value[cache_head * VALUE_WIDTH + word * PACK];
                check(x);
                if PACK == 1u {
                    values[at] = bitcast<u32>(x);
                } else {
                    var y = 0.0;
                    if 2u * word + 1u < VALUE_WIDTH {
                        y = value[cache_head * VALUE_WIDTH + 2u * word + 1u];
                    }
                    check(y);
                    values[at] = half_bits(x) | (half_bits(y) << 16u);
                }
            }
        }
    }
    workgroupBarrier();

    let begin = max(first, start) - start;
    let to = min(end, start + 128u) - start;
    var score = -3.4028235e38;
    let visible = lane >= begin && lane < to;
    if visible {
        var sum = 0.0;
        if start + lane == position {
            for (var d = 0u; d < KEY_WIDTH; d += 1u) {
                sum = sum + exact(query_part[d] * key_part[d]);
            }
        } else {
            for (var d = 0u; d < KEY_WIDTH; d += 1u) {
                sum = sum + exact(query_part[d] * key_of(cache_head, d, slot + lane));
            }
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
    let room = (head * CHUNKS + group.y) * (VALUE_WIDTH + 2u);
    for (var base = 0u; base < VALUE_WIDTH; base += 128u) {
        let d = base + lane;
        var sum = 0.0;
        if d < VALUE_WIDTH {
            let older = select(to, to - 1u, is_last);
            for (var p = begin; p < older; p += 1u) {
                sum = sum + exact(scores[p] * value_of(cache_head, d, slot + p));
            }
            if is_last {
                sum = sum + exact(scores[to - 1u] * as_remembered(value[cache_head * VALUE_WIDTH + d]));
            }
        }
        if chunks == 1u {
            finish(lane, head, d, divide(sum, partial[0]));
        } else if d < VALUE_WIDTH {
            partials[room + 2u + d] = sum;
        }
    }
    if chunks > 1u && lane == 0u {
        partials[room] = peak;
        partials[room + 1u] = partial[0];
    }
}
