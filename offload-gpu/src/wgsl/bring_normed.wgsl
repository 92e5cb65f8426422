// Activations of a row that is normed and quantised here, whole: the same operations in the same order as `norm`, by every workgroup that
// needs them, which takes less time than waiting for another kernel.

const WHOLE: bool = true;

var<workgroup> words: array<u32, 12u * GROUPS>;
var<workgroup> word_peaks: array<u32, THREADS>;
var<workgroup> sums_of_words: array<i32, THREADS>;

fn bring(lane: u32, source: u32, base: u32, count: u32) {
    if base > 0u {
        return;
    }
    //REPEAT FOURS
    let at$i = lane + $iu * THREADS;
    var x$i = vec4<f32>(0.0);
    var w$i = vec4<f32>(0.0);
    if at$i < WIDTH / 4u {
        x$i = normed[source * (WIDTH / 4u) + at$i];
        w$i = norm_weight[at$i];
        squares[4u * at$i] = wide_square(x$i.x);
        squares[4u * at$i + 1u] = wide_square(x$i.y);
        squares[4u * at$i + 2u] = wide_square(x$i.z);
        squares[4u * at$i + 3u] = wide_square(x$i.w);
    }
    //UNTIL
    workgroupBarrier();
    var sum = wide_zero();
    if lane < 16u {
        sum = add_squares(sum, lane, WIDTH);
    }
    let factor = fold_squares(lane, sum, WIDTH, NORM_EPSILON);
    //REPEAT FOURS
    leave_words(lane, at$i, exact4(exact4(x$i * factor) * w$i));
    //UNTIL
    for (var i = lane; i < 3u * GROUPS; i += THREADS) {
        activations[i] = vec4<u32>(words[4u * i], words[4u * i + 1u], words[4u * i + 2u], words[4u * i + 3u]);
    }
}

fn packed_word(q: vec4<u32>) -> u32 {
    let low = q & vec4<u32>(0xffu);
    return low.x | (low.y << 8u) | (low.z << 16u) | (low.w << 24u);
}

// Leaves four values; 8 lanes bring a group. All lanes call it.
fn leave_words(lane: u32, word: u32, values: vec4<f32>) {
    let sizes = bitcast<vec4<u32>>(values) & vec4<u32>(0x7fffffffu);
    word_peaks[lane] = max(max(sizes.x, sizes.y), max(sizes.z, sizes.w));
    workgroupBarrier();
    let first = lane & ~7u;
    var most = 0u;
    //REPEAT 8
    most = max(most, word_peaks[first + $iu]);
    //UNTIL
    let largest = bitcast<f32>(most);
    var packed = 0u;
    if most != 0u {
        let raise = select(1.0, 1.2089258e24, largest < 8.7e-19);
        let up = divide(127.0, exact(largest * raise));
        let scaled = exact4(exact4(values * raise) * up);
        packed = packed_word(bitcast<vec4<u32>>(exact4(scaled + vec4<f32>(12582912.0))));
    }
    sums_of_words[lane] = dot4I8Packed(packed, 0x01010101u);
    workgroupBarrier();
    if word < WIDTH / 4u {
        let at = 12u * (word / 8u);
        words[at + word % 8u] = packed;
        if word % 8u == 0u {
            let a = sums_of_words[first] + sums_of_words[first + 1u] + sums_of_words[first + 2u] + sums_of_words[first + 3u];
            let b = sums_of_words[first + 4u] + sums_of_words[first + 5u] + sums_of_words[first + 6u] + sums_of_words[first + 7u];
            let scale = divide(largest, 127.0);
            words[at + 8u] = bitcast<u32>(scale);
            words[at + 9u] = bitcast<u32>(scale * f32(a + b));
            words[at + 10u] = bitcast<u32>(a);
            words[at + 11u] = bitcast<u32>(b);
            if most >= 0x7f800000u {
                atomicOr(&faults[0], 1u);
            }
        }
    }
    workgroupBarrier();
}
