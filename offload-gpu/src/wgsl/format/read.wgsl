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

const ONES: vec2<u32> = vec2<u32>(0x01010101u);

// Eight fields of two bits, one to each byte.
fn pairs(point: u32) -> vec2<u32> {
    let four = vec2<u32>(point & 0xffu, point >> 8u);
    let two = (four | (four << vec2<u32>(12u))) & vec2<u32>(0x000f000fu);
    return (two | (two << vec2<u32>(6u))) & vec2<u32>(0x03030303u);
}

// Four fields of three bits, one to each byte.
fn triples(point: u32) -> u32 {
    return (point & 7u) | ((point << 5u) & 0x700u) | ((point << 10u) & 0x70000u) | ((point << 15u) & 0x7000000u);
}

// Bytes, none of them 0, negative where a bit of `signs` is set.
fn signed8(magnitudes: vec2<u32>, signs: u32) -> vec2<u32> {
    let negative = vec2<u32>(spread(signs), spread(signs >> 4u));
    return (magnitudes ^ (negative * vec2<u32>(255u))) + negative;
}

// Eight signs from the lowest seven bits: the eighth makes the number of negative ones even.
fn even_signs(bits: u32) -> u32 {
    let seven = bits & 127u;
    return seven | ((countOneBits(seven) & 1u) << 7u);
}

// Eight weights of the `IQ2` formats: magnitudes 8, 25 and 43.
fn signed_point(point: u32, signs: u32) -> vec2<u32> {
    let levels = pairs(point);
    return signed8(vec2<u32>(0x08080808u) + vec2<u32>(17u) * levels + ((levels >> vec2<u32>(1u)) & ONES), signs);
}

// Eight ternary weights in eighths, moved up or down by one and raised by 9.
fn eighths(point: u32, down: u32) -> vec2<u32> {
    return vec2<u32>(8u) * pairs(point) + vec2<u32>(2u - 2u * (down & 1u)) * ONES;
}

// Digit `digit` of the four bytes of `TQ1_0`, 0 to 2.
fn digits(word: u32, digit: u32) -> u32 {
    var power = 1u;
    for (var i = 0u; i < digit; i += 1u) {
        power *= 3u;
    }
    // Every other byte at a time, so that none runs into the next.
    let mask = vec2<u32>(0x00ff00ffu);
    let left = ((vec2<u32>(word, word >> 8u) & mask) * vec2<u32>(power)) & mask;
    let found = ((left * vec2<u32>(3u)) >> vec2<u32>(8u)) & mask;
    return found.x | (found.y << 8u);
}

fn digits4(words: vec4<u32>, digit: u32) -> vec4<u32> {
    return vec4<u32>(digits(words.x, digit), digits(words.y, digit), digits(words.z, digit), digits(words.w, digit));
}

// Half the value of an E4M3 float, as the scales of `NVFP4`: the sign does not count, and the one NaN among the positive is 0.
fn half_of_e4m3(bits: u32) -> f32 {
    let exponent = (bits >> 3u) & 15u;
    let mantissa = bits & 7u;
    let normal = f32(mantissa + 8u) * bitcast<f32>((116u + exponent) << 23u);
    let value = select(normal, f32(mantissa) * bitcast<f32>(117u << 23u), exponent == 0u);
    return select(value, 0.0, bits == 0x7fu);
}
