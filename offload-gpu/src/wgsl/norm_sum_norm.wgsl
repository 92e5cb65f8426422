// `sum = input / √(mean input² + EPSILON) · weight + other` and `out = sum / √(mean sum² + NEXT_EPSILON) · next_weight`, one workgroup per
// row. Squares are added as in `norm`.

var<workgroup> values: array<f32, WIDTH>;
var<workgroup> sums: array<Wide, 16>;
var<workgroup> inverse: f32;

// The inverse of the root mean square of `values`. All lanes call it.
fn inverse_root(lane: u32, epsilon: f32) -> f32 {
    workgroupBarrier();
    if lane < 16u {
        var sum = wide_zero();
        for (var i = lane; i < WIDTH; i += 16u) {
            sum = wide_add_square(sum, values[i]);
        }
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
        inverse = wide_inverse_root(sums[0], WIDTH, epsilon);
    }
    workgroupBarrier();
    return inverse;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = row_of(group.y);
    let start = row * WIDTH;
    for (var i = lane; i < WIDTH; i += THREADS) {
        values[i] = input[start + i];
    }
    let first = inverse_root(lane, EPSILON);
    for (var k = lane; k < WIDTH; k += THREADS) {
        let sum = exact(exact(values[k] * first) * weight[k]) + other[start + k];
        values[k] = sum;
        between[start + k] = sum;
    }
    let second = inverse_root(lane, NEXT_EPSILON);
    if BYTES {
        for (var base = 0u; base < WIDTH / 4u; base += THREADS) {
            let word = base + lane;
            let inside = word < WIDTH / 4u;
            var four = vec4<f32>(0.0);
            if inside {
                for (var i = 0u; i < 4u; i += 1u) {
                    let k = 4u * word + i;
                    four[i] = exact(exact(values[k] * second) * next_weight[k]);
                    store_float(start + k, four[i]);
                }
            }
            store_bytes(lane, four, row, WIDTH / 32u, word, inside);
        }
    } else {
        for (var k = lane; k < WIDTH; k += THREADS) {
            store_float(start + k, exact(values[k] * second) * next_weight[k]);
        }
    }
}
