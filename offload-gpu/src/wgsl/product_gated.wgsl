// `out = curve(gate · input) · (up · input)` of one token, activations as bytes, in the order of `product_bytes`.
//
// 32 rows of either weight a workgroup, LANES lanes a row; the result is a group of 32, as bytes too.

const TILE: u32 = TILE_GROUPS;
const STRIDE: u32 = TILE + 1u;
const TERMS: u32 = 64u * STRIDE;

var<workgroup> terms: array<f32, 2u * TERMS>;
var<workgroup> least: array<f32, MIN_TERMS>;
var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64u * LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let source = row_of(group.y);
    let own = lane / LANES;
    let row = group.x * 32u + own % 32u;
    var y = 0.0;
    var side = 0u;
    for (var base = 0u; base < GROUPS; base += TILE) {
        let here = min(TILE, GROUPS - base);
        for (var i = lane % LANES; i < here; i += LANES) {
            let x = (source * GROUPS + base + i) * 3u;
            var found: Group;
            if own < 32u {
                found = unpack(FIRST + row, base + i);
            } else {
                found = up_unpack(UP_FIRST + row, base + i);
            }
            let term = product_of(found, input[x], input[x + 1u], input[x + 2u]);
            terms[side * TERMS + own * STRIDE + i] = term.x;
            if MIN {
                least[side * TERMS + own * STRIDE + i] = term.y;
            }
        }
        workgroupBarrier();
        if lane < 64u {
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
    if lane < 64u {
        sums[lane] = y;
    }
    workgroupBarrier();
    var four = vec4<f32>(0.0);
    let inside = lane < 8u;
    if inside {
        for (var i = 0u; i < 4u; i += 1u) {
            let j = 4u * lane + i;
            four[i] = exact(curve(sums[j]) * sums[32u + j]);
            store_float(source * WIDTH_OUT + group.x * 32u + j, four[i]);
        }
    }
    store_bytes(lane, four, source, WIDTH_OUT / 32u, group.x * 8u + lane, inside);
}
