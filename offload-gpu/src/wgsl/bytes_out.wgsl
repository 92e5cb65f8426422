// The activations of the tier `fast`: signed bytes with a scale per 32, as the processor quantises them.
//
// Twelve words per group: 8 of bytes, the scale, scale · Σ bytes, and the sums of either half.

var<workgroup> peaks: array<u32, THREADS>;
var<workgroup> word_sums: array<i32, THREADS>;

fn word_of(q: vec4<u32>) -> u32 {
    let low = q & vec4<u32>(0xffu);
    return low.x | (low.y << 8u) | (low.z << 16u) | (low.w << 24u);
}

// Every lane brings 4 values, 8 lanes a group; `word` counts fours within the row of `groups` groups.
fn store_bytes(lane: u32, values: vec4<f32>, row: u32, groups: u32, word: u32, inside: bool) {
    let sizes = bitcast<vec4<u32>>(values) & vec4<u32>(0x7fffffffu);
    peaks[lane] = max(max(sizes.x, sizes.y), max(sizes.z, sizes.w));
    workgroupBarrier();
    let first = lane & ~7u;
    var most = 0u;
    for (var i = 0u; i < 8u; i += 1u) {
        most = max(most, peaks[first + i]);
    }
    let peak = bitcast<f32>(most);
    var packed = 0u;
    if most != 0u {
        let raise = select(1.0, 1.2089258e24, peak < 8.7e-19);
        let inverse = divide(127.0, exact(peak * raise));
        let scaled = exact4(exact4(values * raise) * inverse);
        packed = word_of(bitcast<vec4<u32>>(exact4(scaled + vec4<f32>(12582912.0))));
    }
    word_sums[lane] = dot4I8Packed(packed, 0x01010101u);
    workgroupBarrier();
    if inside {
        let at = (row * groups + word / 8u) * 12u;
        bytes_out[at + word % 8u] = packed;
        if word % 8u == 0u {
            let a = word_sums[first] + word_sums[first + 1u] + word_sums[first + 2u] + word_sums[first + 3u];
            let b = word_sums[first + 4u] + word_sums[first + 5u] + word_sums[first + 6u] + word_sums[first + 7u];
            let scale = divide(peak, 127.0);
            bytes_out[at + 8u] = bitcast<u32>(scale);
            bytes_out[at + 9u] = bitcast<u32>(scale * f32(a + b));
            bytes_out[at + 10u] = bitcast<u32>(a);
            bytes_out[at + 11u] = bitcast<u32>(b);
            if most >= 0x7f800000u {
                atomicOr(&faults[0], 1u);
            }
        }
    }
    workgroupBarrier();
}
