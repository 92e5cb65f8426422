// `out[j] = weight[FIRST + j] · input` for many tokens, weights and activations as halves, sums of floats: cooperative matrices.
//
// A workgroup computes TILE_ROWS rows × TILE_TOKENS tokens, a subgroup of 32 lanes 16 COLUMNS rows × 16 LINES tokens. Two groups of 32 at a time
// are decoded into workgroup memory, while the next two are on their way.
//
// Activations are a sixteenth of what they are, so that larger ones fit.

const STRIDE: u32 = 18u;
const SUBGROUPS: u32 = THREADS / 32u;

var<workgroup> w_tile: array<vec4<f16>, TILE_ROWS * STRIDE>;
var<workgroup> x_tile: array<vec4<f16>, TILE_TOKENS * STRIDE>;
var<workgroup> staged: array<f32, SUBGROUPS * 256u>;

struct Activations {
    low: vec4<u32>,
    high: vec4<u32>,
    factor: f32,
}

fn activations(token: u32, g: u32) -> Activations {
    let at = (token * GROUPS + g) * 3u;
    return Activations(input[at], input[at + 1u], bitcast<f32>(input[at + 2u].x) * 0.0625);
}

fn four_of(word: u32) -> vec4<f32> {
    return vec4<f32>(unpack4xI8(word));
}

// Writes the 16 × 16 results of a subgroup that lie in workgroup memory.
fn store(lane: u32, at: u32, row: u32, token: u32) {
    let count = row_count();
    for (var i = lane; i < 256u; i += 32u) {
        let r = row + i % 16u;
        let t = token + i / 16u;
        if r < ROWS && t < count {
            emit(row_of(t), t, r, 16.0 * staged[at + i]);
        }
    }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let count = row_count();
    let first_row = group.x * TILE_ROWS;
    let first_token = group.y * TILE_TOKENS;
    let subgroup = lane / 32u;
    let row_part = (subgroup % ROW_PARTS) * (16u * COLUMNS);
    let token_part = (subgroup / ROW_PARTS) * (16u * LINES);
    let own = lane / 2u;
    let half = lane % 2u;
    let row = FIRST + min(first_row + own % TILE_ROWS, ROWS - 1u);
    let token = row_of(min(first_token + own % TILE_TOKENS, count - 1u));
    //BEGIN
    var w = unpack(row, min(half, GROUPS - 1u));
    var x = activations(token, min(half, GROUPS - 1u));
    // Behind the last group there is nothing.
    x.factor = select(0.0, x.factor, half < GROUPS);
    for (var base = 0u; base < GROUPS; base += 2u) {
        if own < TILE_ROWS {
            let at = own * STRIDE + 8u * half;
            for (var i = 0u; i < 4u; i += 1u) {
                var low = w.scale * w.halves.x * (four_of(w.low[i]) - vec4<f32>(f32(OFFSET)));
                var high = w.scale * w.halves.y * (four_of(w.high[i]) - vec4<f32>(f32(OFFSET)));
                if MIN {
                    low = low - vec4<f32>(w.min * w.min_halves.x);
                    high = high - vec4<f32>(w.min * w.min_halves.y);
                }
                w_tile[at + i] = vec4<f16>(low);
                w_tile[at + 4u + i] = vec4<f16>(high);
            }
        }
        if own < TILE_TOKENS {
            let at = own * STRIDE + 8u * half;
            for (var i = 0u; i < 4u; i += 1u) {
                x_tile[at + i] = vec4<f16>(x.factor * four_of(x.low[i]));
                x_tile[at + 4u + i] = vec4<f16>(x.factor * four_of(x.high[i]));
            }
        }
        workgroupBarrier();
        if base + 2u < GROUPS {
            let next = base + 2u + half;
            w = unpack(row, min(next, GROUPS - 1u));
            x = activations(token, min(next, GROUPS - 1u));
            x.factor = select(0.0, x.factor, next < GROUPS);
        }
        for (var k = 0u; k < 16u; k += 4u) {
            //MULTIPLY
        }
        workgroupBarrier();
    }
    //END
}
