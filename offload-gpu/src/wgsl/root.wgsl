// The inverse of the root mean square of what lies in workgroup memory: squares in 16 running sums, element `k` to sum `k mod 16`,
// folded 8 + 8, 4 + 4, 2 + 2, 1 + 1.

const SQUARES: u32 = 2048u;

var<workgroup> squares: array<Wide, SQUARES>;
var<workgroup> running: array<Wide, 16>;
var<workgroup> inverse: f32;

// Goes on with the running sum of lane `lane` of 16 by so many squares.
fn add_squares(start: Wide, lane: u32, count: u32) -> Wide {
    var sum = start;
    var i = lane;
    for (; i + 240u < count; i += 256u) {
        //REPEAT 16
        let s$i = squares[i + 16u * $iu];
        //UNTIL
        //REPEAT 16
        sum = wide_add(sum, s$i);
        //UNTIL
    }
    for (; i < count; i += 16u) {
        sum = wide_add(sum, squares[i]);
    }
    return sum;
}

// Folds the running sums of the first 16 lanes. All lanes call it.
fn fold_squares(lane: u32, sum: Wide, count: u32, epsilon: f32) -> f32 {
    if lane < 16u {
        running[lane] = sum;
    }
    workgroupBarrier();
    if lane == 0u {
        //REPEAT 8
        let a$i = wide_add(running[$iu], running[$iu + 8u]);
        //UNTIL
        let b0 = wide_add(a0, a4);
        let b1 = wide_add(a1, a5);
        let b2 = wide_add(a2, a6);
        let b3 = wide_add(a3, a7);
        inverse = wide_inverse_root(wide_add(wide_add(b0, b2), wide_add(b1, b3)), count, epsilon);
    }
    workgroupBarrier();
    return inverse;
}
