// `sum = input / √(mean input² + EPSILON) · weight + other` and `out = sum / √(mean sum² + NEXT_EPSILON) · next_weight`, one workgroup per
// row.

// A lane has fours of adjacent elements.
fn element(lane: u32, i: u32) -> u32 {
    return 4u * (lane + (i / 4u) * THREADS) + i % 4u;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = row_of(group.y);
    let start = row * WIDTH;
    //REPEAT PER
    var x$i = 0.0;
    var w$i = 0.0;
    var other$i = 0.0;
    var next$i = 0.0;
    if element(lane, $iu) < WIDTH {
        x$i = input[start + element(lane, $iu)];
        w$i = weight[element(lane, $iu)];
        other$i = other[start + element(lane, $iu)];
        next$i = next_weight[element(lane, $iu)];
    }
    //UNTIL
    var sum = wide_zero();
    for (var base = 0u; base < WIDTH; base += SQUARES) {
        let here = min(SQUARES, WIDTH - base);
        //REPEAT PER
        if element(lane, $iu) - base < here {
            squares[element(lane, $iu) - base] = wide_square(x$i);
        }
        //UNTIL
        workgroupBarrier();
        if lane < 16u {
            sum = add_squares(sum, lane, here);
        }
        workgroupBarrier();
    }
    let first = fold_squares(lane, sum, WIDTH, EPSILON);
    //REPEAT PER
    let s$i = exact(exact(exact(x$i * first) * w$i) + other$i);
    if element(lane, $iu) < WIDTH {
        between[start + element(lane, $iu)] = s$i;
    }
    //UNTIL
    sum = wide_zero();
    for (var base = 0u; base < WIDTH; base += SQUARES) {
        let here = min(SQUARES, WIDTH - base);
        //REPEAT PER
        if element(lane, $iu) - base < here {
            squares[element(lane, $iu) - base] = wide_square(s$i);
        }
        //UNTIL
        workgroupBarrier();
        if lane < 16u {
            sum = add_squares(sum, lane, here);
        }
        workgroupBarrier();
    }
    let second = fold_squares(lane, sum, WIDTH, NEXT_EPSILON);
    //REPEAT PER
    let y$i = exact(exact(s$i * second) * next$i);
    if element(lane, $iu) < WIDTH {
        store_float(start + element(lane, $iu), y$i);
    }
    //UNTIL
    if BYTES {
        //REPEAT WORDS
        let word$i = lane + $iu * THREADS;
        store_bytes(lane, vec4<f32>(y$0, y$1, y$2, y$3), row, WIDTH / 32u, word$i, word$i < WIDTH / 4u);
        //UNTIL
    }
}
