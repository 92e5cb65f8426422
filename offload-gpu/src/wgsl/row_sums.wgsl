// What the kernels of one token share: activations and terms in workgroup memory, and the sum of terms in order.

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

// Leaves the terms of group `i`.
fn leave(begin: u32, i: u32, w: Group) {
    terms[begin + i] = product_of(w, activations[3u * i], activations[3u * i + 1u], activations[3u * i + 2u]);
}

// Adds `count` groups' terms to `start`, in order.
fn summed(start: f32, begin: u32, count: u32) -> f32 {
    var y = start;
    var i = begin;
    let end = begin + count;
    for (; i + 16u <= end; i += 16u) {
        //REPEAT 16
        let t$i = terms[i + $iu];
        //UNTIL
        //REPEAT 16
        y = y + t$i.x;
        if MIN {
            y = y - t$i.y;
        }
        //UNTIL
    }
    for (; i < end; i += 1u) {
        y = y + terms[i].x;
        if MIN {
            y = y - terms[i].y;
        }
    }
    return y;
}
