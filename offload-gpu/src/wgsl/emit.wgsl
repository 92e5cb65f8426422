// Where a product goes: row `source` of the intermediate, or row `i` of the wanted ones where it has no others.

fn emit(source: u32, i: u32, j: u32, y: f32) {
    out[select(source, i, COMPACT) * OUT_WIDTH + OUT_FIRST + j] = y;
}
