// `out[j] = weight[FIRST + j] · input` for many tokens and `Q2_K`, whose halves have minima; terms and order of `product_bytes`.
//
// A workgroup computes 64 rows × 64 tokens, a lane 4 × 4 of them, each its own running sum. STEP groups of 32 at a time are
// unpacked into workgroup memory.

const STEP: u32 = 2u;

var<workgroup> w_low: array<vec4<u32>, STEP * 64u>;
var<workgroup> w_high: array<vec4<u32>, STEP * 64u>;
var<workgroup> w_factors: array<vec4<f32>, STEP * 64u>;
var<workgroup> w_mins: array<vec2<f32>, MINS>;
var<workgroup> x_low: array<vec4<u32>, STEP * 64u>;
var<workgroup> x_high: array<vec4<u32>, STEP * 64u>;
var<workgroup> x_factors: array<vec4<u32>, STEP * 64u>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let count = row_count();
    let first_row = group.x * 64u;
    let first_token = group.y * 64u;
    let column = lane % 16u;
    let line = lane / 16u;
    var y: array<vec4<f32>, 4>;
    for (var base = 0u; base < GROUPS; base += STEP) {
        if lane < STEP * 64u {
            let g = base + lane / 64u;
            if g < GROUPS {
                let found = unpack(FIRST + min(first_row + lane % 64u, ROWS - 1u), g);
                w_low[lane] = found.low;
                w_high[lane] = found.high;
                w_factors[lane] = vec4<f32>(found.scale, found.min, found.halves);
                if MIN && HALVES {
                    w_mins[lane] = found.min_halves;
                }
            }
        } else {
            let at = lane - STEP * 64u;
            let g = base + at / 64u;
            if g < GROUPS {
                let x = (row_of(min(first_token + at % 64u, count - 1u)) * GROUPS + g) * 3u;
                x_low[at] = input[x];
                x_high[at] = input[x + 1u];
                x_factors[at] = input[x + 2u];
            }
        }
        workgroupBarrier();
        for (var s = 0u; s < min(STEP, GROUPS - base); s += 1u) {
            for (var i = 0u; i < 4u; i += 1u) {
                let r = s * 64u + column + 16u * i;
                let factors = w_factors[r];
                var w = Group(w_low[r], w_high[r], factors.x, factors.y, factors.zw, vec2<f32>(1.0));
                if MIN && HALVES {
                    w.min_halves = w_mins[r];
                }
                for (var j = 0u; j < 4u; j += 1u) {
                    let t = s * 64u + line + 16u * j;
                    let term = product_of(w, x_low[t], x_high[t], x_factors[t]);
                    y[i][j] = exact(y[i][j] + term.x);
                    if MIN {
                        y[i][j] = y[i][j] - term.y;
                    }
                }
            }
        }
        workgroupBarrier();
    }
    for (var i = 0u; i < 4u; i += 1u) {
        for (var j = 0u; j < 4u; j += 1u) {
            let row = first_row + column + 16u * i;
            let token = first_token + line + 16u * j;
            if row < ROWS && token < count {
                emit(row_of(token), token, row, y[i][j]);
            }
        }
    }
}
