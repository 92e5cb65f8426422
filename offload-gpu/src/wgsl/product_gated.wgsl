// `out = curve(gate · input) · (up · input)` of one token, activations as bytes, in the order of `product_bytes`.
//
// 32 rows of either weight a workgroup, LANES lanes a row; the result is a group of 32, as bytes too.

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let source = row_of(group.y);
    let own = lane / LANES;
    let part = lane % LANES;
    let row = group.x * 32u + own % 32u;
    var y = 0.0;
    for (var base = 0u; base < GROUPS; base += TILE) {
        //REPEAT PER
        var w$i: Group;
        //UNTIL
        if own < 32u {
            //REPEAT PER
            w$i = unpack(FIRST + row, min(base + part + $iu * LANES, GROUPS - 1u));
            //UNTIL
        } else {
            //REPEAT PER
            w$i = up_unpack(UP_FIRST + row, min(base + part + $iu * LANES, GROUPS - 1u));
            //UNTIL
        }
        let here = min(TILE, GROUPS - base);
        bring(lane, source * GROUPS + base, here);
        workgroupBarrier();
        //REPEAT PER
        leave(own * STRIDE, part + $iu * LANES, w$i);
        //UNTIL
        workgroupBarrier();
        if lane < 64u {
            y = summed(y, lane * STRIDE, here);
        }
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
