// What the formats share: a group of 32 weights, and reading its planes.
//
// `weight[i] = scale · (halves[i / 16] · (byte[i] − OFFSET)) − min · min_halves[i / 16]`

struct Group {
    // Bytes 0 to 15 and 16 to 31.
    low: vec4<u32>,
    high: vec4<u32>,
    scale: f32,
    min: f32,
    halves: vec2<f32>,
    min_halves: vec2<f32>,
}

const NIBBLES: vec4<u32> = vec4<u32>(0x0f0f0f0fu);

fn byte_of(word: u32, index: u32) -> u32 {
    return (word >> (8u * index)) & 0xffu;
}

fn plain(low: vec4<u32>, high: vec4<u32>, scale: f32) -> Group {
    return Group(low, high, scale, 0.0, vec2<f32>(1.0), vec2<f32>(1.0));
}

// Four bits, one to each byte.
fn spread(bits: u32) -> u32 {
    return ((bits & 15u) * 0x00204081u) & 0x01010101u;
}

fn spread4(bits: u32) -> vec4<u32> {
    return vec4<u32>(spread(bits), spread(bits >> 4u), spread(bits >> 8u), spread(bits >> 12u)) << vec4<u32>(4u);
}

// Scale and minimum `index` of the twelve packed bytes of `Q4_K` and `Q5_K`.
fn scale_and_min(head: vec4<u32>, index: u32) -> vec2<f32> {
    let at = index % 4u;
    let first = byte_of(head.y, at);
    let second = byte_of(head.z, at);
    let third = byte_of(head.w, at);
    let early = vec2<u32>(first & 63u, second & 63u);
    let late = vec2<u32>((third & 15u) | ((first >> 6u) << 4u), (third >> 4u) | ((second >> 6u) << 4u));
    return vec2<f32>(select(early, late, index >= 4u));
}

// The levels of `IQ4_NL` of four nibbles, one to each byte.
fn levels(nibbles: u32) -> u32 {
    var word = 0u;
    for (var i = 0u; i < 4u; i += 1u) {
        let n = (nibbles >> (8u * i)) & 15u;
        let table = select(select(0xbfad9881u, 0xf6eaddcfu, n >= 4u), select(0x26190d01u, 0x71594535u, n >= 12u), n >= 8u);
        word |= ((table >> (8u * (n % 4u))) & 0xffu) << (8u * i);
    }
    return word;
}

fn levels4(nibbles: vec4<u32>) -> vec4<u32> {
    return vec4<u32>(levels(nibbles.x), levels(nibbles.y), levels(nibbles.z), levels(nibbles.w));
}

// Twice the values of four E2M1 floats, one to each byte.
fn doubled(nibbles: u32) -> u32 {
    var word = 0u;
    for (var i = 0u; i < 4u; i += 1u) {
        let n = (nibbles >> (8u * i)) & 15u;
        let table = select(select(0x03020100u, 0x0c080604u, n >= 4u), select(0xfdfeff00u, 0xf4f8fafcu, n >= 12u), n >= 8u);
        word |= ((table >> (8u * (n % 4u))) & 0xffu) << (8u * i);
    }
    return word;
}

fn doubled4(nibbles: vec4<u32>) -> vec4<u32> {
    return vec4<u32>(doubled(nibbles.x), doubled(nibbles.y), doubled(nibbles.z), doubled(nibbles.w));
}
