// `out[j] = weight[FIRST + j] · input` for many tokens, with the terms and the order of `product_bytes`, to the bit.
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
var<workgroup> w_factors: array<vec4<f32>, STEP * TILE>;
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

// Bytes less OFFSET, none of which leaves the signed range.
fn centred(bytes: vec4<u32>) -> vec4<u32> {
    if OFFSET == 0 {
        return bytes;
    }
    return ((bytes | vec4<u32>(0x80808080u)) - vec4<u32>(u32(OFFSET) * 0x01010101u)) ^ vec4<u32>(0x80808080u);
}

fn dot_from(start: i32, w: vec4<u32>, x: vec4<u32>) -> i32 {
    let a = dot4I8Packed(w.x, x.x) + start;
    let b = dot4I8Packed(w.y, x.y) + a;
    let c = dot4I8Packed(w.z, x.z) + b;
    return dot4I8Packed(w.w, x.w) + c;
}

// The exact sum of a group, or the sums of its halves times their scales.
fn total(wl: vec4<u32>, wh: vec4<u32>, factors: vec4<f32>, xl: vec4<u32>, xh: vec4<u32>) -> f32 {
    let low = dot_from(MIDDLE, wl, xl);
    if HALVES {
        // Exact: both products stay below 2²⁴.
        let high = dot_from(MIDDLE, wh, xh);
        return (bitcast<f32>(low) - 12582912.0) * factors.z + (bitcast<f32>(high) - 12582912.0) * factors.w;
    }
    return bitcast<f32>(dot_from(low, wh, xh)) - 12582912.0;
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let count = row_count();
    let first_row = group.x * TILE;
    let first_token = group.y * 64u;
    let column = lane % COLUMNS;
    let line = lane / COLUMNS;
    //REPEAT 8
    var y$i = vec4<f32>(0.0);
    //UNTIL
    // A lane brings a row's group and a token's.
    let own = lane % TILE;
    let part = lane / TILE;
    let row = FIRST + min(first_row + own, ROWS - 1u);
    let token = row_of(min(first_token + own, count - 1u));
    var w = unpack(row, min(part, GROUPS - 1u));
    var x = activations(token, min(part, GROUPS - 1u));
    for (var base = 0u; base < GROUPS; base += STEP) {
        w_low[lane] = centred(w.low);
        w_high[lane] = centred(w.high);
        w_factors[lane] = vec4<f32>(w.scale, w.min, w.halves);
        x_low[lane] = x.low;
        x_high[lane] = x.high;
        x_factors[lane] = x.factors;
        workgroupBarrier();
        if base + STEP < GROUPS {
            w = unpack(row, min(base + STEP + part, GROUPS - 1u));
            x = activations(token, min(base + STEP + part, GROUPS - 1u));
        }
        for (var s = 0u; s < min(STEP, GROUPS - base); s += 1u) {
            let t = s * 64u + line;
            //REPEAT 4
            let xl$i = x_low[t + 16u * $iu];
            let xh$i = x_high[t + 16u * $iu];
            let f$i = x_factors[t + 16u * $iu];
            //UNTIL
            let scales = vec4<f32>(f0.x, f1.x, f2.x, f3.x);
            let weighed = vec4<f32>(f0.y, f1.y, f2.y, f3.y);
            let r = s * TILE + column;
            //REPEAT 8
            let wl$i = w_low[r + COLUMNS * $iu];
            let wh$i = w_high[r + COLUMNS * $iu];
            let wf$i = w_factors[r + COLUMNS * $iu];
            let sums$i = vec4<f32>(
                total(wl$i, wh$i, wf$i, xl0, xh0),
                total(wl$i, wh$i, wf$i, xl1, xh1),
                total(wl$i, wh$i, wf$i, xl2, xh2),
                total(wl$i, wh$i, wf$i, xl3, xh3),
            );
            y$i = added4(y$i, times4(times4(sums$i, vec4<f32>(wf$i.x)), scales));
            if MIN {
                y$i = added4(y$i, -times4(vec4<f32>(wf$i.y), weighed));
            }
            //UNTIL
        }
        workgroupBarrier();
    }
    //REPEAT 8
    for (var j = 0u; j < 4u; j += 1u) {
        let j_row = first_row + column + COLUMNS * $iu;
        let j_token = first_token + line + 16u * j;
        if j_row < ROWS && j_token < count {
            emit(row_of(j_token), j_token, j_row, y$i[j]);
        }
    }
    //UNTIL
}
