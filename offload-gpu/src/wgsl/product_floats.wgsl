// `out[j] = weight[FIRST + j] · input` for weights that are floats: 16 running sums, element `k` to sum `k mod 16`,
// folded 8 + 8, 4 + 4, 2 + 2, 1 + 1, as the processor's kernels.
//
// A workgroup computes 8 rows × 4 tokens, 16 lanes a row.

var<workgroup> sums: array<vec4<f32>, 128>;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let count = row_count();
    let own = lane / 16u;
    let row = FIRST + min(group.x * 8u + own, ROWS - 1u);
    var sources: vec4<u32>;
    for (var t = 0u; t < 4u; t += 1u) {
        sources[t] = row_of(min(group.y * 4u + t, count - 1u)) * WIDTH;
    }
    var sum = vec4<f32>(0.0);
    for (var k = lane % 16u; k < WIDTH; k += 16u) {
        let w = weight_at(row * WIDTH + k);
        let x = vec4<f32>(input[sources.x + k], input[sources.y + k], input[sources.z + k], input[sources.w + k]);
        sum = sum + exact4(w * x);
    }
    sums[lane] = sum;
    workgroupBarrier();
    for (var half = 8u; half > 0u; half /= 2u) {
        if lane % 16u < half {
            sums[lane] = sums[lane] + sums[lane + half];
        }
        workgroupBarrier();
    }
    let j = group.x * 8u + own;
    let t = lane % 16u;
    if t < 4u && group.y * 4u + t < count && j < ROWS {
        emit(row_of(group.y * 4u + t), group.y * 4u + t, j, sums[own * 16u][t]);
    }
}
