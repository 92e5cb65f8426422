// `out[j] = weight[FIRST + j] · input`, activations as bytes, the sums of the processor's `fast` tier.
//
// ROWS_HERE rows a workgroup, LANES lanes a row. The lanes compute the terms of a tile of groups, each rounded as
// the contract says, into workgroup memory; one lane per row then adds them in order. While it does, the
// others are at the next tile: there are two of them.

const TILE: u32 = TILE_GROUPS;
const STRIDE: u32 = TILE + 1u;
const TERMS: u32 = ROWS_HERE * STRIDE;

var<workgroup> terms: array<f32, 2u * TERMS>;
var<workgroup> least: array<f32, MIN_TERMS>;

@compute @workgroup_size(ROWS_HERE * LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let source = row_of(group.y);
    let own = lane / LANES;
    let row = FIRST + min(group.x * ROWS_HERE + own, ROWS - 1u);
    var y = 0.0;
    var side = 0u;
    for (var base = 0u; base < GROUPS; base += TILE) {
        let here = min(TILE, GROUPS - base);
        for (var i = lane % LANES; i < here; i += LANES) {
            let x = (source * GROUPS + base + i) * 3u;
            let found = unpack(row, base + i);
            let term = product_of(found, input[x], input[x + 1u], input[x + 2u]);
            terms[side * TERMS + own * STRIDE + i] = term.x;
            if MIN {
                least[side * TERMS + own * STRIDE + i] = term.y;
            }
        }
        workgroupBarrier();
        if lane < ROWS_HERE {
            let begin = side * TERMS + lane * STRIDE;
            for (var i = 0u; i < here; i += 1u) {
                y = y + terms[begin + i];
                if MIN {
                    y = y - least[begin + i];
                }
            }
        }
        side = 1u - side;
    }
    let j = group.x * ROWS_HERE + lane;
    if lane < ROWS_HERE && j < ROWS {
        emit(source, group.y, j, y);
    }
}
