// Writes the step's keys and values to the cache.
//
// Keys lie in blocks of 128 positions, element by element; values lie row by row. As halves, two positions of a key share a
// word: one lane writes both, and keeps what another step wrote beside its own.

const KEY_LANES: u32 = CACHE_HEADS * KEY_WIDTH;
const VALUE_LANES: u32 = CACHE_HEADS * VALUE_STRIDE / PACK;

fn check(x: f32) {
    if !(abs(x) < CACHE_LIMIT) {
        atomicOr(&faults[0], 2u);
    }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < KEY_LANES {
        remember_key(id.x / KEY_WIDTH, id.x % KEY_WIDTH, id.y);
    } else if id.x < KEY_LANES + VALUE_LANES {
        let at = id.x - KEY_LANES;
        remember_value(at / (VALUE_STRIDE / PACK), at % (VALUE_STRIDE / PACK), id.y);
    }
}

fn key_at(head: u32, d: u32, token: u32) -> f32 {
    let x = key[(token * CACHE_HEADS + head) * KEY_WIDTH + d];
    check(x);
    return x;
}

// Element `d` of the positions of word `pair`, counted from the step's first.
fn remember_key(head: u32, d: u32, pair: u32) {
    let position = (step.position / PACK + pair) * PACK;
    if position >= step.position + step.tokens {
        return;
    }
    let slot = position % POSITIONS;
    let at = ((head * (POSITIONS / 128u) + slot / 128u) * KEY_WIDTH + d) * (128u / PACK) + (slot % 128u) / PACK;
    if PACK == 1u {
        keys[at] = bitcast<u32>(key_at(head, d, position - step.position));
        return;
    }
    var word = keys[at];
    if position >= step.position {
        word = (word & 0xffff0000u) | half_bits(key_at(head, d, position - step.position));
    }
    if position + 1u < step.position + step.tokens {
        word = (word & 0xffffu) | (half_bits(key_at(head, d, position + 1u - step.position)) << 16u);
    }
    keys[at] = word;
}

fn value_at(head: u32, d: u32, token: u32) -> f32 {
    if d >= VALUE_WIDTH {
        return 0.0;
    }
    let x = value[(token * CACHE_HEADS + head) * VALUE_WIDTH + d];
    check(x);
    return x;
}

fn remember_value(head: u32, word: u32, token: u32) {
    if token >= step.tokens {
        return;
    }
    let slot = (step.position + token) % POSITIONS;
    let at = (head * POSITIONS + slot) * (VALUE_STRIDE / PACK) + word;
    if PACK == 1u {
        values[at] = bitcast<u32>(value_at(head, word, token));
    } else {
        values[at] = half_bits(value_at(head, 2u * word, token)) | (half_bits(value_at(head, 2u * word + 1u, token)) << 16u);
    }
}
