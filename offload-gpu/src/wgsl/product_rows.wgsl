// ROWS_HERE rows a workgroup, LANES lanes a row, PER groups a lane at a time, all on their way at once. The lanes leave each group's
// terms, rounded as the contract says, in workgroup memory; one lane per row then adds them in order.

fn product_rows(lane: u32, block: u32, line: u32) {
    let source = row_of(line);
    let own = lane / LANES;
    let part = lane % LANES;
    let row = FIRST + min(block * ROWS_HERE + own, ROWS - 1u);
    var y = 0.0;
    for (var base = 0u; base < GROUPS; base += TILE) {
        //REPEAT PER
        let w$i = unpack(row, min(base + part + $iu * LANES, GROUPS - 1u));
        //UNTIL
        let here = min(TILE, GROUPS - base);
        bring(lane, source * GROUPS + base, here);
        workgroupBarrier();
        //REPEAT PER
        leave(own * STRIDE, part + $iu * LANES, w$i);
        //UNTIL
        workgroupBarrier();
        if lane < ROWS_HERE {
            y = summed(y, lane * STRIDE, here);
        }
    }
    let j = block * ROWS_HERE + lane;
    if lane < ROWS_HERE && j < ROWS {
        emit(source, line, j, y);
    }
}
