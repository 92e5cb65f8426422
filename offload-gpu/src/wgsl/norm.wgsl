// `out = x / √(mean x² + epsilon) · weight`, one workgroup per part of a row; as floats, as bytes, or as both.

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = row_of(group.y);
    let start = row * WIDTH * HEADS + group.x * WIDTH;
    var sum = wide_zero();
    //REPEAT PER
    var x$i = 0.0;
    var w$i = 0.0;
    if element(lane, $iu) < WIDTH {
        x$i = input[start + element(lane, $iu)];
        w$i = weight[element(lane, $iu)];
    }
    //UNTIL
    for (var base = 0u; base < WIDTH; base += SQUARES) {
        let here = min(SQUARES, WIDTH - base);
        //REPEAT PER
        let k$i = element(lane, $iu) - base;
        if k$i < here {
            squares[k$i] = wide_square(x$i);
        }
        //UNTIL
        workgroupBarrier();
        if lane < 16u {
            sum = add_squares(sum, lane, here);
        }
        workgroupBarrier();
    }
    let factor = fold_squares(lane, sum, WIDTH, EPSILON);
    //REPEAT PER
    let y$i = exact(exact(x$i * factor) * w$i);
    if element(lane, $iu) < WIDTH {
        store_float(start + element(lane, $iu), y$i);
    }
    //UNTIL
    if BYTES {
        //REPEAT WORDS
        let word$i = lane + $iu * THREADS;
        store_bytes(lane, vec4<f32>(y$0, y$1, y$2, y$3), row, (WIDTH * HEADS) / 32u, group.x * (WIDTH / 4u) + word$i, word$i < WIDTH / 4u);
        //UNTIL
    }
}

// A lane has fours of adjacent elements.
fn element(lane: u32, i: u32) -> u32 {
    return 4u * (lane + (i / 4u) * THREADS) + i % 4u;
}
