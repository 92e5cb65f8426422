// Writes the step's keys and values to the cache as bytes with a scale per 32, as the processor quantises them.
//
// Four positions of a key's element share a word: one lane writes 32 elements of all four, and keeps what another step wrote beside
// its own. Another lane writes 32 elements of a value.

const KEY_LANES: u32 = CACHE_HEADS * KEY_GROUPS;
const VALUE_LANES: u32 = CACHE_HEADS * VALUE_GROUPS;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < KEY_LANES {
        remember_key(id.x / KEY_GROUPS, id.x % KEY_GROUPS, id.y);
    } else if id.x < KEY_LANES + VALUE_LANES {
        let at = id.x - KEY_LANES;
        remember_value(at / VALUE_GROUPS, at % VALUE_GROUPS, id.y);
    }
}

// What 32 elements are multiplied with, one after the other, from the bits of the largest without its sign; zeros if all are zero.
fn factors(most: u32) -> vec2<f32> {
    if most == 0u {
        return vec2<f32>(0.0);
    }
    // Below 2⁻⁶⁰ they are first raised by 2⁸⁰, so that the inverse stays finite.
    let peak = bitcast<f32>(most);
    let raise = select(1.0, 1.2089258e24, peak < 8.7e-19);
    return vec2<f32>(raise, divide(127.0, exact(peak * raise)));
}

fn byte(x: f32, by: vec2<f32>) -> u32 {
    return bitcast<u32>(exact(exact(exact(x * by.x) * by.y) + 12582912.0)) & 0xffu;
}

fn report(most: u32) {
    if most >= 0x7f800000u {
        atomicOr(&faults[0], 2u);
    }
}

// Elements `32 group ..` of the positions of word `four`, counted from the step's first.
fn remember_key(head: u32, group: u32, four: u32) {
    let first = (step.position / 4u + four) * 4u;
    let end = step.position + step.tokens;
    if first >= end {
        return;
    }
    let slot = first % POSITIONS;
    let at = ((head * (POSITIONS / 128u) + slot / 128u) * KEY_WIDTH + 32u * group) * 32u + (slot % 128u) / 4u;
    for (var i = 0u; i < 4u; i += 1u) {
        if first + i < step.position || first + i >= end {
            continue;
        }
        let element = ((first + i - step.position) * CACHE_HEADS + head) * KEY_WIDTH + 32u * group;
        var most = 0u;
        for (var d = 0u; d < 32u; d += 1u) {
            most = max(most, bitcast<u32>(key[element + d]) & 0x7fffffffu);
        }
        report(most);
        keys[key_scale_at(head, slot + i, group)] = bitcast<u32>(divide(bitcast<f32>(most), 127.0));
        let by = factors(most);
        for (var d = 0u; d < 32u; d += 1u) {
            let word = keys[at + 32u * d];
            keys[at + 32u * d] = (word & ~(0xffu << (8u * i))) | (byte(key[element + d], by) << (8u * i));
        }
    }
}

// Element `d` of a token's value; zeros fill the last group.
fn value_at(head: u32, d: u32, token: u32) -> f32 {
    if d >= VALUE_WIDTH {
        return 0.0;
    }
    return value[(token * CACHE_HEADS + head) * VALUE_WIDTH + d];
}

fn remember_value(head: u32, group: u32, token: u32) {
    if token >= step.tokens {
        return;
    }
    let row = head * POSITIONS + (step.position + token) % POSITIONS;
    var most = 0u;
    for (var d = 0u; d < 32u; d += 1u) {
        most = max(most, bitcast<u32>(value_at(head, 32u * group + d, token)) & 0x7fffffffu);
    }
    report(most);
    values[VALUE_SCALES + row * VALUE_GROUPS + group] = bitcast<u32>(divide(bitcast<f32>(most), 127.0));
    let by = factors(most);
    for (var w = 0u; w < 8u; w += 1u) {
        var word = 0u;
        for (var i = 0u; i < 4u; i += 1u) {
            word |= byte(value_at(head, 32u * group + 4u * w + i, token), by) << (8u * i);
        }
        values[(row * VALUE_GROUPS + group) * 8u + w] = word;
    }
}
