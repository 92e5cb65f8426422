// What products of many tokens share: weights and activations in workgroup memory.
//
// A workgroup computes 64 rows × 64 tokens, a lane 8 × 4 of them, each its own running sum. STEP groups of 32 at a time
// are unpacked into workgroup memory, while the next are on their way.

const STEP: u32 = 2u;
const TILE: u32 = 64u;
const COLUMNS: u32 = 8u;
// The integer 0 in the digits of a float, to which sums of 32 products of bytes are added: |Σ| < 2²².
const MIDDLE: i32 = 0x4b400000;

var<workgroup> w_low: array<vec4<u32>, STEP * TILE>;
var<workgroup> w_high: array<vec4<u32>, STEP * TILE>;
// Scale and minimum.
var<workgroup> w_factors: array<vec2<f32>, STEP * TILE>;
var<workgroup> w_halves: array<vec2<f32>, STEP * TILE>;
var<workgroup> x_low: array<vec4<u32>, STEP * 64u>;
var<workgroup> x_high: array<vec4<u32>, STEP * 64u>;
var<workgroup> x_factors: array<vec2<f32>, STEP * 64u>;

struct Activations {
    low: vec4<u32>,
    high: vec4<u32>,
    factors: vec2<f32>,
}

fn activations(token: u32, g: u32) -> Activations {
    let at = (token * GROUPS + g) * 3u;
    return Activations(input[at], input[at + 1u], bitcast<vec2<f32>>(input[at + 2u].xy));
}

// Goes on with a sum by 16 products of bytes.
fn dot_from(start: i32, w: vec4<u32>, x: vec4<u32>) -> i32 {
    let a = dot4I8Packed(w.x, x.x) + start;
    let b = dot4I8Packed(w.y, x.y) + a;
    let c = dot4I8Packed(w.z, x.z) + b;
    return dot4I8Packed(w.w, x.w) + c;
}
