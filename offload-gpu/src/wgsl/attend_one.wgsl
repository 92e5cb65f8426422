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
var<workgroup> queries: array<vec4<f32>, KEY_WIDTH / 4u>;
var<workgroup> scores: array<f32, 128>;
var<workgroup> weights: array<vec4<f32>, 32>;
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
        let begin = (lane / 16u) * KEY_WIDTH + lane % 16u;
        var sum = wide_zero();
        //REPEAT SIXTEENTHS
        let x$i = raw[begin + 16u * $iu];
        //UNTIL
        //REPEAT SIXTEENTHS
        sum = wide_add_square(sum, x$i);
        //UNTIL
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

// Puts the step's own key in its place among `count` elements of keys, the first of which is `first`; `to`: the place in the cache, for one of
// the heads that share it.
fn place_key(lane: u32, first: u32, count: u32, own: u32, keeps: bool, to: u32) {
    for (var d = lane; d < count; d += THREADS) {
        let at = d * KEY_ROW + own / PACK;
        var word = key_bits[first + d];
        if PACK == 2u {
            // The other half is another position's and stays as it is.
            let shift = 16u * (own % 2u);
            word = (staged[at] & (0xffff0000u >> shift)) | (word << shift);
        }
        staged[at] = word;
        if keeps {
            keys[to + (first + d) * KEY_ROW + own / PACK] = word;
        }
    }
}

// Goes on with a position's score by `count` elements of keys, the first of which is `first`.
fn scored(start: f32, first: u32, count: u32, lane: u32) -> f32 {
    var score = start;
    for (var d = 0u; d < count; d += 4u * KEY_FOURS) {
        //REPEAT KEY_FOURS
        let q$i = queries[(first + d) / 4u + $iu];
        let k$0 = staged[(d + $0u) * KEY_ROW + lane / PACK];
        let k$1 = staged[(d + $1u) * KEY_ROW + lane / PACK];
        let k$2 = staged[(d + $2u) * KEY_ROW + lane / PACK];
        let k$3 = staged[(d + $3u) * KEY_ROW + lane / PACK];
        //UNTIL
        //REPEAT KEY_FOURS
        score = added(score, times(q$i.x, element_of(k$0, lane)));
        score = added(score, times(q$i.y, element_of(k$1, lane)));
        score = added(score, times(q$i.z, element_of(k$2, lane)));
        score = added(score, times(q$i.w, element_of(k$3, lane)));
        //UNTIL
    }
    return score;
}

// Goes on with element `d` of the weighted sum by values up to position `to`, the first of which is of position `first`.
fn weighed(start: f32, first: u32, to: u32, d: u32) -> f32 {
    var sum = start;
    for (var p = 0u; p < VALUE_PIECE && first + p < to; p += 4u * VALUE_FOURS) {
        //REPEAT VALUE_FOURS
        let w$i = weights[(first + p) / 4u + $iu];
        let v$0 = staged[(p + $0u) * VALUE_WORDS + d / PACK];
        let v$1 = staged[(p + $1u) * VALUE_WORDS + d / PACK];
        let v$2 = staged[(p + $2u) * VALUE_WORDS + d / PACK];
        let v$3 = staged[(p + $3u) * VALUE_WORDS + d / PACK];
        //UNTIL
        //REPEAT VALUE_FOURS
        sum = added(sum, times(w$i.x, element_of(v$0, d)));
        sum = added(sum, times(w$i.y, element_of(v$1, d)));
        sum = added(sum, times(w$i.z, element_of(v$2, d)));
        sum = added(sum, times(w$i.w, element_of(v$3, d)));
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
    // One of the heads that share a key and a value adds the step's to the cache.
    let keeps = is_last && head % share == 0u;

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
        if keeps {
            values[value_word(cache_head, slot + own) + lane] = mine;
        }
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
    for (var i = lane; i < KEY_WIDTH / 4u; i += THREADS) {
        queries[i] = vec4<f32>(query_part[4u * i], query_part[4u * i + 1u], query_part[4u * i + 2u], query_part[4u * i + 3u]);
    }
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
    if lane < 32u {
        weights[lane] = vec4<f32>(scores[4u * lane], scores[4u * lane + 1u], scores[4u * lane + 2u], scores[4u * lane + 3u]);
    }
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
