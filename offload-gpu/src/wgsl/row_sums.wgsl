// What the kernels of one token share: activations and terms in workgroup memory, and the sum of terms in order.

const TILE: u32 = LANES * PER;
const STRIDE: u32 = TILE | 1u;

var<workgroup> activations: array<vec4<u32>, 3u * ROOM>;
var<workgroup> terms: array<vec2<f32>, TERM_ROWS * STRIDE>;

// Leaves the terms of group `i` of the tile that begins at group `base`.
fn leave(begin: u32, base: u32, i: u32, w: Group) {
    let at = 3u * (i + select(0u, base, WHOLE));
    terms[begin + i] = product_of(w, activations[at], activations[at + 1u], activations[at + 2u]);
}

// Adds `count` groups' terms to `start`, in order. One compiler was seen to add a term and its minimum first.
fn summed(start: f32, begin: u32, count: u32) -> f32 {
    var y = start;
    var i = begin;
    let end = begin + count;
    for (; i + 16u <= end; i += 16u) {
        //REPEAT 16
        let t$i = terms[i + $iu];
        //UNTIL
        //REPEAT 16
        y = exact(y + t$i.x);
        if MIN {
            y = exact(y - t$i.y);
        }
        //UNTIL
    }
    for (; i < end; i += 1u) {
        y = exact(y + terms[i].x);
        if MIN {
            y = exact(y - terms[i].y);
        }
    }
    return y;
}
