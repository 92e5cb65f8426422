// `out[j] = weight[FIRST + j] · input` for many tokens, with the terms and the order of `product_bytes`, to the bit: the integer sums come
// from cooperative matrices. Bytes are halves exactly, and sums of 32 products of two are floats exactly.
//
// A workgroup computes TILE_ROWS rows × TILE_TOKENS tokens, a subgroup of 32 lanes 16 COLUMNS rows × 16 LINES tokens. Two groups of 32 at a time
// are unpacked into workgroup memory, while the next two are on their way. A group's sums go through workgroup memory
// to the lanes, each of which keeps running sums of a row for every other token.

// Fours of a row's group, and two to keep rows in different banks.
const STRIDE: u32 = 10u;
const SUBGROUPS: u32 = THREADS / 32u;

var<workgroup> w_tile: array<vec4<f16>, 2u * TILE_ROWS * STRIDE>;
var<workgroup> x_tile: array<vec4<f16>, 2u * TILE_TOKENS * STRIDE>;
var<workgroup> w_factors: array<vec4<f32>, 2u * TILE_ROWS>;
var<workgroup> x_factors: array<vec2<f32>, 2u * TILE_TOKENS>;
var<workgroup> staged: array<f32, SUBGROUPS * STAGED>;

struct Activations {
    low: vec4<u32>,
    high: vec4<u32>,
    factors: vec2<f32>,
}

fn activations(token: u32, g: u32) -> Activations {
    let at = (token * GROUPS + g) * 3u;
    return Activations(input[at], input[at + 1u], bitcast<vec2<f32>>(input[at + 2u].xy));
}

// Four signed bytes less `offset`: the digits of a float between 2²³ and 2²⁴, less where they began.
fn four_of(word: u32, offset: f32) -> vec4<f16> {
    let shifted = vec4<u32>(word, word >> 8u, word >> 16u, word >> 24u) ^ vec4<u32>(0x80u);
    let digits = (shifted & vec4<u32>(0xffu)) | vec4<u32>(0x4b000000u);
    return vec4<f16>(bitcast<vec4<f32>>(digits) - vec4<f32>(8388736.0 + offset));
}

// A group's term, added as the contract says.
fn step_of(y: f32, total: f32, w: vec2<f32>, x: vec2<f32>) -> f32 {
    let sum = added(y, times(times(total, w.x), x.x));
    if MIN {
        return added(sum, -times(w.y, x.y));
    }
    return sum;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let count = row_count();
    let first_row = group.x * TILE_ROWS;
    let first_token = group.y * TILE_TOKENS;
    let subgroup = lane / 32u;
    let within = lane % 32u;
    let row_part = (subgroup % ROW_PARTS) * (16u * COLUMNS);
    let token_part = (subgroup / ROW_PARTS) * (16u * LINES);
    let stage = subgroup * STAGED;
    let own = lane / 2u;
    let half = lane % 2u;
    let row = FIRST + min(first_row + own % TILE_ROWS, ROWS - 1u);
    let token = row_of(min(first_token + own % TILE_TOKENS, count - 1u));
    //BEGIN
    var w = unpack(row, min(half, GROUPS - 1u));
    var x = activations(token, min(half, GROUPS - 1u));
    for (var base = 0u; base < GROUPS; base += 2u) {
        if own < TILE_ROWS {
            let to = half * TILE_ROWS + own;
            for (var i = 0u; i < 4u; i += 1u) {
                w_tile[to * STRIDE + i] = four_of(w.low[i], f32(OFFSET));
                w_tile[to * STRIDE + 4u + i] = four_of(w.high[i], f32(OFFSET));
            }
            w_factors[to] = vec4<f32>(w.scale, w.min, w.halves);
        }
        if own < TILE_TOKENS {
            let to = half * TILE_TOKENS + own;
            for (var i = 0u; i < 4u; i += 1u) {
                x_tile[to * STRIDE + i] = four_of(x.low[i], 0.0);
                x_tile[to * STRIDE + 4u + i] = four_of(x.high[i], 0.0);
            }
            x_factors[to] = x.factors;
        }
        workgroupBarrier();
        if base + 2u < GROUPS {
            let next = min(base + 2u + half, GROUPS - 1u);
            w = unpack(row, next);
            x = activations(token, next);
        }
        for (var s = 0u; s < min(2u, GROUPS - base); s += 1u) {
            let w_first = s * TILE_ROWS + row_part;
            let x_first = s * TILE_TOKENS + token_part;
            //GROUP
        }
        workgroupBarrier();
    }
    //END
}
