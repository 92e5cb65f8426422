// `out[j] = weight[FIRST + j] · input` for many tokens, with the terms and the order of `product_bytes`, to the bit.
//
// A workgroup computes TILE_ROWS rows × 64 tokens, a lane 8 × 4 of them, each its own running sum. STEP groups of 32 at a time
// are unpacked into workgroup memory, while the next are on their way.

const STEP: u32 = 2u;
const COLUMNS: u32 = TILE_ROWS / 8u;
// The integer 0 in the digits of a float, to which sums of 32 products of bytes are added: |Σ| < 2²².
const MIDDLE: i32 = 0x4b400000;

var<workgroup> w_low: array<vec4<u32>, STEP * TILE_ROWS>;
var<workgroup> w_high: array<vec4<u32>, STEP * TILE_ROWS>;
var<workgroup> w_factors: array<vec4<f32>, STEP * TILE_ROWS>;
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

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let count = row_count();
    let first_row = group.x * TILE_ROWS;
    let first_token = group.y * 64u;
    let column = lane % COLUMNS;
    let line = lane / COLUMNS;
    //REPEAT 8
    var y$i = vec4<f32>(0.0);
    //UNTIL
    //REPEAT W_PER
    let w_at$i = lane + $iu * THREADS;
    let w_row$i = FIRST + min(first_row + w_at$i % TILE_ROWS, ROWS - 1u);
    var w$i = unpack(w_row$i, min(w_at$i / TILE_ROWS, GROUPS - 1u));
    //UNTIL
    //REPEAT X_PER
    let x_at$i = lane + $iu * THREADS;
    let x_row$i = row_of(min(first_token + x_at$i % 64u, count - 1u));
    var x$i = activations(x_row$i, min(x_at$i / 64u, GROUPS - 1u));
    //UNTIL
    for (var base = 0u; base < GROUPS; base += STEP) {
        //REPEAT W_PER
        w_low[w_at$i] = centred(w$i.low);
        w_high[w_at$i] = centred(w$i.high);
        w_factors[w_at$i] = vec4<f32>(w$i.scale, w$i.min, w$i.halves);
        //UNTIL
        //REPEAT X_PER
        if x_at$i < STEP * 64u {
            x_low[x_at$i] = x$i.low;
            x_high[x_at$i] = x$i.high;
            x_factors[x_at$i] = x$i.factors;
        }
        //UNTIL
        workgroupBarrier();
        if base + STEP < GROUPS {
            //REPEAT W_PER
            w$i = unpack(w_row$i, min(base + STEP + w_at$i / TILE_ROWS, GROUPS - 1u));
            //UNTIL
            //REPEAT X_PER
            x$i = activations(x_row$i, min(base + STEP + x_at$i / 64u, GROUPS - 1u));
            //UNTIL
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
            let r = s * TILE_ROWS + column;
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
        let row = first_row + column + COLUMNS * $iu;
        let token = first_token + line + 16u * j;
        if row < ROWS && token < count {
            emit(row_of(token), token, row, y$i[j]);
        }
    }
    //UNTIL
}
