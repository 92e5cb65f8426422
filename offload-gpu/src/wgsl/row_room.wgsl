// What the kernels of one token share: activations and terms in workgroup memory.

const TILE: u32 = LANES * PER;
const STRIDE: u32 = TILE | 1u;

var<workgroup> activations: array<vec4<u32>, 3u * TILE>;
var<workgroup> terms: array<vec2<f32>, TERM_ROWS * STRIDE>;

// Brings `count` groups of activations. All lanes call it.
fn bring(lane: u32, first: u32, count: u32) {
    for (var i = lane; i < 3u * count; i += THREADS) {
        activations[i] = input[3u * first + i];
    }
}
