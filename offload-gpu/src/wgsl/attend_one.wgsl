// Attention of one query head of one token to one chunk of 128 positions, from the projections: query and key are turned here, after their
// norms, and the key and the value go to the cache. The order is that of `attend`.
//
// With one chunk the result is the head's; with more, `attend_merge` joins what they leave in `partials`: for every
// head and chunk the largest score, the sum of exponentials and the weighted sum of values.
//
// What is read of global memory does not depend on what is computed, so all of a chunk's keys and values are asked for at the beginning.
// They go through workgroup memory in pieces, of KEY_PIECE elements of keys and of VALUE_PIECE positions of values.

var<workgroup> raw: array<f32, 2u * KEY_WIDTH>;
var<workgroup> norm_weights: array<f32, NORM_WEIGHTS>;
var<workgroup> turns: array<f32, 2u * PAIRS>;
var<workgroup> query_part: array<f32, KEY_WIDTH>;
// As it is remembered.
var<workgroup> key_bits: array<u32, KEY_WIDTH>;
var<workgroup> scores: array<f32, 128>;
var<workgroup> tops: array<f32, 16>;
var<workgroup> partial: array<f32, 16>;
var<workgroup> squares: array<Wide, 32>;
var<workgroup> inverses: array<f32, 2>;
var<workgroup> own_value: array<u32, VALUE_WORDS>;
var<workgroup> staged: array<u32, STAGED>;

const VALUE_WORDS: u32 = VALUE_STRIDE / PACK;
const KEY_ROW: u32 = 128u / PACK;

fn key_word(head: u32, d: u32, slot: u32) -> u32 {
    return ((head * (POSITIONS / 128u) + slot / 128u) * KEY_WIDTH + d) * KEY_ROW + (slot % 128u) / PACK;
}

fn value_word(head: u32, slot: u32) -> u32 {
    return (head * POSITIONS + slot) * VALUE_WORDS;
}

// The element of a word that belongs to an even or an odd index.
fn element_of(word: u32, index: u32) -> f32 {
    if PACK == 1u {
        return bitcast<f32>(word);
    }
    return unpack2x16float(word >> (16u * (index % 2u))).x;
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
        return times(times(raw[which * KEY_WIDTH + d], inverses[which]), norm_weights[which * KEY_WIDTH + d]);
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
        return times(a, sine) + times(b, cosine);
    }
    return times(a, cosine) - times(b, sine);
}

fn check(x: f32) {
    if !(abs(x) < CACHE_LIMIT) {
        atomicOr(&faults[0], 2u);
    }
}

// Puts the step's own key in its place among `count` elements of keys, the first of which is `first`.
fn place_key(lane: u32, first: u32, count: u32, own: u32) {
    for (var d = lane; d < count; d += THREADS) {
        let at = d * KEY_ROW + own / PACK;
        if PACK == 1u {
            staged[at] = key_bits[first + d];
        } else {
            let shift = 16u * (own % 2u);
            staged[at] = (staged[at] & (0xffff0000u >> shift)) | (key_bits[first + d] << shift);
        }
    }
}

// Goes on with a position's score by `count` elements of keys, the first of which is `first`.
fn scored(start: f32, first: u32, count: u32, lane: u32) -> f32 {
    var score = start;
    for (var d = 0u; d < count; d += KEYS) {
        //REPEAT KEYS
        let k$i = staged[(d + $iu) * KEY_ROW + lane / PACK];
        let q$i = query_part[first + d + $iu];
        //UNTIL
        //REPEAT KEYS
        score = added(score, times(q$i, element_of(k$i, lane)));
        //UNTIL
    }
    return score;
}

// Goes on with element `d` of the weighted sum by values up to position `to`, the first of which is of position `first`.
fn weighed(start: f32, first: u32, to: u32, d: u32) -> f32 {
    var sum = start;
    for (var p = 0u; p < VALUE_PIECE && first + p < to; p += 8u) {
        //REPEAT 8
        let v$i = staged[(p + $iu) * VALUE_WORDS + d / PACK];
        let w$i = scores[first + p + $iu];
        //UNTIL
        //REPEAT 8
        sum = added(sum, times(w$i, element_of(v$i, d)));
        //UNTIL
    }
    return sum;
}

@compute @workgroup_size(THREADS)
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
    let own = position % 128u;
    let is_last = group.y + 1u == chunks;

    for (var d = lane; d < KEY_WIDTH; d += THREADS) {
        raw[d] = query[head * KEY_WIDTH + d];
        raw[KEY_WIDTH + d] = key[cache_head * KEY_WIDTH + d];
        bring_weights(d);
    }
    for (var i = lane; i < 2u * PAIRS; i += THREADS) {
        turns[i] = angles[step.turns * 2u * PAIRS + i];
    }
    let first_key = key_word(cache_head, 0u, slot);
    let first_value = value_word(cache_head, slot);
    //LOADS
    if lane < VALUE_WORDS {
        var mine = 0u;
        let x = value[cache_head * VALUE_WIDTH + lane * PACK];
        if is_last {
            check(x);
        }
        if PACK == 1u {
            mine = bitcast<u32>(x);
        } else {
            var y = 0.0;
            if 2u * lane + 1u < VALUE_WIDTH {
                y = value[cache_head * VALUE_WIDTH + 2u * lane + 1u];
            }
            if is_last {
                check(y);
            }
            mine = half_bits(x) | (half_bits(y) << 16u);
        }
        own_value[lane] = mine;
    }
    workgroupBarrier();
    if NORMS {
        find_inverses(lane);
    }
    for (var d = lane; d < KEY_WIDTH; d += THREADS) {
        query_part[d] = turned(0u, d) * QUERY_SCALE;
        let x = turned(1u, d);
        if is_last {
            check(x);
        }
        if PACK == 1u {
            key_bits[d] = bitcast<u32>(x);
        } else {
            key_bits[d] = half_bits(x);
        }
    }
    workgroupBarrier();

    let begin = max(first, start) - start;
    let to = min(end, start + 128u) - start;
    var score = 0.0;
    //KEYS
    let visible = lane >= begin && lane < to;
    if lane < 128u {
        score = times(score, SCORE_SCALE);
        if CAPPED {
            score = times(SCORE_CAP, hyperbolic_tangent(divide(score, SCORE_CAP)));
        }
        score = select(-3.4028235e38, score, visible);
        scores[lane] = score;
    }
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
    if lane < 128u {
        scores[lane] = select(0.0, exponential(exact(score - peak)), visible);
    }
    workgroupBarrier();
    if lane < 16u {
        var sum = 0.0;
        //REPEAT 8
        sum = sum + scores[16u * $iu + lane];
        //UNTIL
        partial[lane] = sum;
    }
    // Behind the last position lie zeros, or older values: their weights are zero.
    var sum = 0.0;
    //VALUES
    let room = (head * CHUNKS + group.y) * (VALUE_WIDTH + 2u);
    let total = folded();
    if chunks == 1u {
        finish(lane, head, lane, divide(sum, total));
    } else if lane < VALUE_WIDTH {
        partials[room + 2u + lane] = sum;
    }
    // What the step adds to the cache, by one of the heads that share it.
    if is_last && head % share == 0u {
        for (var d = lane; d < KEY_WIDTH; d += THREADS) {
            let at = key_word(cache_head, d, slot + own);
            if PACK == 1u {
                keys[at] = key_bits[d];
            } else {
                // The other half is an older position's and stays as it is.
                let shift = 16u * (own % 2u);
                keys[at] = (keys[at] & (0xffff0000u >> shift)) | (key_bits[d] << shift);
            }
        }
        if lane < VALUE_WORDS {
            values[value_word(cache_head, slot + own) + lane] = own_value[lane];
        }
    }
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
