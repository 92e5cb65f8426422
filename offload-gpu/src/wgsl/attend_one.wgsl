// Attention of one query head of one token to one chunk of 128 positions, from the projections: query and key are turned here, after their
// norms, and the key and the value go to the cache. The order is that of `attend`.
//
// With one chunk the result is the head's; with more, `attend_merge` joins what they leave in `partials`: for every
// head and chunk the largest score, the sum of exponentials and the weighted sum of values.
//
// What is read of global memory does not depend on what is computed, so it is asked for early and by many at a time.

var<workgroup> raw: array<f32, 2u * KEY_WIDTH>;
var<workgroup> norm_weights: array<f32, NORM_WEIGHTS>;
var<workgroup> turns: array<f32, 2u * PAIRS>;
var<workgroup> query_part: array<f32, KEY_WIDTH>;
var<workgroup> key_part: array<f32, KEY_WIDTH>;
var<workgroup> scores: array<f32, 128>;
var<workgroup> tops: array<f32, 16>;
var<workgroup> partial: array<f32, 16>;
var<workgroup> squares: array<Wide, 32>;
var<workgroup> inverses: array<f32, 2>;
var<workgroup> weights: array<f32, 128>;
var<workgroup> staged: array<u32, PIECE * VALUE_WORDS>;

const VALUE_WORDS: u32 = VALUE_STRIDE / PACK;

fn as_remembered(x: f32) -> f32 {
    if PACK == 1u {
        return x;
    }
    return unpack2x16float(half_bits(x)).x;
}

fn key_word(head: u32, d: u32, slot: u32) -> u32 {
    return ((head * (POSITIONS / 128u) + slot / 128u) * KEY_WIDTH + d) * (128u / PACK) + (slot % 128u) / PACK;
}

fn value_word(head: u32, slot: u32) -> u32 {
    return (head * POSITIONS + slot) * VALUE_WORDS;
}

// A key's element in a word.
fn key_of(word: u32, slot: u32) -> f32 {
    if PACK == 1u {
        return bitcast<f32>(word);
    }
    return unpack2x16float(word >> (16u * (slot % 2u))).x;
}

// Lane `lane`'s element of a value in a word.
fn value_of(word: u32, lane: u32) -> f32 {
    return key_of(word, lane);
}

// The inverses of the root mean squares of query and key. All lanes call it.
fn find_inverses(lane: u32) {
    if lane < 32u {
        let begin = (lane / 16u) * KEY_WIDTH;
        var sum = wide_zero();
        for (var i = lane % 16u; i < KEY_WIDTH; i += 16u) {
            sum = wide_add_square(sum, raw[begin + i]);
        }
        squares[lane] = sum;
    }
    workgroupBarrier();
    if lane < 2u {
        let at = 16u * lane;
        //REPEAT 8
        let a$i = wide_add(squares[at + $iu], squares[at + $iu + 8u]);
        //UNTIL
        let b0 = wide_add(a0, a4);
        let b1 = wide_add(a1, a5);
        let b2 = wide_add(a2, a6);
        let b3 = wide_add(a3, a7);
        let sum = wide_add(wide_add(b0, b2), wide_add(b1, b3));
        inverses[lane] = wide_inverse_root(sum, KEY_WIDTH, select(QUERY_EPSILON, KEY_EPSILON, lane == 1u));
    }
    workgroupBarrier();
}

// Element `d` of the query (0) or the key (1) after its norm.
fn normed(which: u32, d: u32) -> f32 {
    if NORMS {
        return exact(exact(raw[which * KEY_WIDTH + d] * inverses[which]) * norm_weights[which * KEY_WIDTH + d]);
    }
    return raw[which * KEY_WIDTH + d];
}

// The same, turned.
fn turned(which: u32, k: u32) -> f32 {
    if k >= 2u * PAIRS {
        return normed(which, k);
    }
    let pair = select(k % PAIRS, k / 2u, NEIGHBOURS);
    let second = select(k >= PAIRS, k % 2u == 1u, NEIGHBOURS);
    let a = normed(which, select(pair, 2u * pair, NEIGHBOURS));
    let b = normed(which, select(pair + PAIRS, 2u * pair + 1u, NEIGHBOURS));
    let cosine = turns[pair];
    let sine = turns[PAIRS + pair];
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
        raw[KEY_WIDTH + d] = key[cache_head * KEY_WIDTH + d];
        bring_weights(d);
    }
    //REPEAT ROUNDS
    var mine$i = 0.0;
    if lane + $iu * 128u < VALUE_WIDTH {
        mine$i = as_remembered(value[cache_head * VALUE_WIDTH + lane + $iu * 128u]);
    }
    //UNTIL
    for (var i = lane; i < 2u * PAIRS; i += 128u) {
        turns[i] = angles[step.turns * 2u * PAIRS + i];
    }
    let first_key = key_word(cache_head, 0u, slot + lane);
    //REPEAT KEYS
    let early$i = keys[first_key + $iu * (128u / PACK)];
    //UNTIL
    workgroupBarrier();
    if NORMS {
        find_inverses(lane);
    }
    for (var d = lane; d < KEY_WIDTH; d += 128u) {
        query_part[d] = turned(0u, d) * QUERY_SCALE;
        if is_last {
            let x = turned(1u, d);
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
    }
    if is_last && head % share == 0u {
        for (var word = lane; word < VALUE_WORDS; word += 128u) {
            let x = value[cache_head * VALUE_WIDTH + word * PACK];
            check(x);
            if PACK == 1u {
                values[value_word(cache_head, own) + word] = bitcast<u32>(x);
            } else {
                var y = 0.0;
                if 2u * word + 1u < VALUE_WIDTH {
                    y = value[cache_head * VALUE_WIDTH + 2u * word + 1u];
                }
                check(y);
                values[value_word(cache_head, own) + word] = half_bits(x) | (half_bits(y) << 16u);
            }
        }
    }
    workgroupBarrier();

    let begin = max(first, start) - start;
    let to = min(end, start + 128u) - start;
    let is_own = start + lane == position;
    var score = 0.0;
    //REPEAT KEYS
    score = score + exact(query_part[$i] * select(key_of(early$i, lane), key_part[$i], is_own));
    //UNTIL
    for (var d = KEYS; d < KEY_WIDTH; d += KEYS) {
        //REPEAT KEYS
        let k$i = keys[first_key + (d + $iu) * (128u / PACK)];
        //UNTIL
        //REPEAT KEYS
        score = score + exact(query_part[d + $iu] * select(key_of(k$i, lane), key_part[d + $iu], is_own));
        //UNTIL
    }
    score = exact(score * SCORE_SCALE);
    if CAPPED {
        score = exact(SCORE_CAP * hyperbolic_tangent(divide(score, SCORE_CAP)));
    }
    let visible = lane >= begin && lane < to;
    score = select(-3.4028235e38, score, visible);
    scores[lane] = score;
    workgroupBarrier();
    if lane < 16u {
        var most = scores[8u * lane];
        //REPEAT 8
        most = max(most, scores[8u * lane + $iu]);
        //UNTIL
        tops[lane] = most;
    }
    workgroupBarrier();
    var peak = tops[0];
    //REPEAT 16
    peak = max(peak, tops[$i]);
    //UNTIL
    let weight = select(0.0, exponential(exact(score - peak)), visible);
    scores[lane] = weight;
    weights[lane] = select(weight, 0.0, is_own);
    workgroupBarrier();
    if lane < 16u {
        var sum = 0.0;
        //REPEAT 8
        sum = sum + scores[16u * $iu + lane];
        //UNTIL
        partial[lane] = sum;
    }
    let room = (head * CHUNKS + group.y) * (VALUE_WIDTH + 2u);
    //REPEAT ROUNDS
    var sum$i = 0.0;
    //UNTIL
    // Behind the last position lie zeros, or older values: their weights are zero.
    for (var piece = 0u; piece < to; piece += PIECE) {
        let at = value_word(cache_head, slot + piece);
        for (var i = 0u; i < PIECE * VALUE_WORDS; i += 128u * BATCH) {
            //REPEAT BATCH
            let word$i = min(lane + i + $iu * 128u, PIECE * VALUE_WORDS - 1u);
            let v$i = values[at + word$i];
            //UNTIL
            //REPEAT BATCH
            staged[word$i] = v$i;
            //UNTIL
        }
        workgroupBarrier();
        //REPEAT ROUNDS
        if lane + $iu * 128u < VALUE_WIDTH {
            let from$i = (lane + $iu * 128u) / PACK;
            for (var p = 0u; p < PIECE; p += 8u) {
                sum$i = sum$i + exact(weights[piece + p] * value_of(staged[from$i + p * VALUE_WORDS], lane));
                sum$i = sum$i + exact(weights[piece + p + 1u] * value_of(staged[from$i + (p + 1u) * VALUE_WORDS], lane));
                sum$i = sum$i + exact(weights[piece + p + 2u] * value_of(staged[from$i + (p + 2u) * VALUE_WORDS], lane));
                sum$i = sum$i + exact(weights[piece + p + 3u] * value_of(staged[from$i + (p + 3u) * VALUE_WORDS], lane));
                sum$i = sum$i + exact(weights[piece + p + 4u] * value_of(staged[from$i + (p + 4u) * VALUE_WORDS], lane));
                sum$i = sum$i + exact(weights[piece + p + 5u] * value_of(staged[from$i + (p + 5u) * VALUE_WORDS], lane));
                sum$i = sum$i + exact(weights[piece + p + 6u] * value_of(staged[from$i + (p + 6u) * VALUE_WORDS], lane));
                sum$i = sum$i + exact(weights[piece + p + 7u] * value_of(staged[from$i + (p + 7u) * VALUE_WORDS], lane));
            }
        }
        //UNTIL
        workgroupBarrier();
    }
    let total = folded();
    //REPEAT ROUNDS
    let d$i = lane + $iu * 128u;
    if is_last {
        // What this step remembers is not read back.
        sum$i = sum$i + exact(scores[to - 1u] * mine$i);
    }
    if chunks == 1u {
        finish(lane, head, d$i, divide(sum$i, total));
    } else if d$i < VALUE_WIDTH {
        partials[room + 2u + d$i] = sum$i;
    }
    //UNTIL
    if chunks > 1u && lane == 0u {
        partials[room] = peak;
        partials[room + 1u] = total;
    }
}

// The 16 sums of `partial`, folded 8 + 8, 4 + 4, 2 + 2, 1 + 1.
fn folded() -> f32 {
    //REPEAT 8
    let a$i = partial[$i] + partial[$i + 8];
    //UNTIL
    let b0 = a0 + a4;
    let b1 = a1 + a5;
    let b2 = a2 + a6;
    let b3 = a3 + a7;
    return (b0 + b2) + (b1 + b3);
}
