// `out[j] = weight[FIRST + j] · input`, weights decoded to floats: the tier `f32`.
//
// A workgroup computes ROWS_HERE rows, LANES lanes a row; a lane adds four elements at a time of every LANES-th group, its four sums
// are added, then those of the lanes, pairwise.

var<workgroup> sums: array<f32, ROWS_HERE * LANES>;

fn bytes_of(word: u32) -> vec4<f32> {
    return vec4<f32>(unpack4xI8(word) - vec4<i32>(OFFSET));
}

@compute @workgroup_size(ROWS_HERE * LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let source = row_of(group.y);
    let own = lane / LANES;
    let row = FIRST + min(group.x * ROWS_HERE + own, ROWS - 1u);
    var sum = vec4<f32>(0.0);
    for (var g = lane % LANES; g < GROUPS; g += LANES) {
        let w = unpack(row, g);
        let x = (source * GROUPS + g) * 8u;
        for (var i = 0u; i < 8u; i += 1u) {
            let word = select(w.low, w.high, i >= 4u)[i % 4u];
            let half = i / 4u;
            var value = w.scale * (w.halves[half] * bytes_of(word));
            if MIN {
                value = value - vec4<f32>(w.min * w.min_halves[half]);
            }
            sum = sum + value * input[x + i];
        }
    }
    sums[lane] = (sum.x + sum.y) + (sum.z + sum.w);
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if lane % LANES < half {
            sums[lane] = sums[lane] + sums[lane + half];
        }
        workgroupBarrier();
    }
    let j = group.x * ROWS_HERE + own;
    if lane % LANES == 0u && j < ROWS {
        emit(source, group.y, j, sums[lane]);
    }
}
