// `out = x / √(mean x² + epsilon) · weight`, one workgroup per part of a row; as floats, as bytes, or as both.
//
// Squares are added in 16 running sums, element `k` to sum `k mod 16`, and folded 8 + 8, 4 + 4, 2 + 2, 1 + 1.

const BLOCK: u32 = 2048u;

var<workgroup> values: array<f32, BLOCK>;
var<workgroup> sums: array<Wide, 16>;
var<workgroup> inverse: f32;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = row_of(group.y);
    let start = row * WIDTH * HEADS + group.x * WIDTH;
    var sum = wide_zero();
    for (var base = 0u; base < WIDTH; base += BLOCK) {
        let here = min(BLOCK, WIDTH - base);
        for (var i = lane; i < here; i += THREADS) {
            values[i] = input[start + base + i];
        }
        workgroupBarrier();
        if lane < 16u {
            for (var i = lane; i < here; i += 16u) {
                sum = wide_add_square(sum, values[i]);
            }
        }
        workgroupBarrier();
    }
    if lane < 16u {
        sums[lane] = sum;
    }
    workgroupBarrier();
    for (var half = 8u; half > 0u; half /= 2u) {
        if lane < half {
            sums[lane] = wide_add(sums[lane], sums[lane + half]);
        }
        workgroupBarrier();
    }
    if lane == 0u {
        inverse = wide_inverse_root(sums[0], WIDTH, EPSILON);
    }
    workgroupBarrier();
    let factor = inverse;
    if BYTES {
        for (var base = 0u; base < WIDTH / 4u; base += THREADS) {
            let word = base + lane;
            let inside = word < WIDTH / 4u;
            var four = vec4<f32>(0.0);
            if inside {
                for (var i = 0u; i < 4u; i += 1u) {
                    let k = 4u * word + i;
                    four[i] = exact(exact(input[start + k] * factor) * weight[k]);
                    store_float(start + k, four[i]);
                }
            }
            store_bytes(lane, four, row, (WIDTH * HEADS) / 32u, group.x * (WIDTH / 4u) + word, inside);
        }
    } else {
        for (var k = lane; k < WIDTH; k += THREADS) {
            store_float(start + k, exact(input[start + k] * factor) * weight[k]);
        }
    }
}
