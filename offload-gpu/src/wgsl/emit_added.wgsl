// As `emit`, plus what is added to the product.

fn emit(source: u32, i: u32, j: u32, y: f32) {
    let at = OUT_FIRST + j;
    out[select(source, i, COMPACT) * OUT_WIDTH + at] = y + residual[source * OUT_WIDTH + at];
}
