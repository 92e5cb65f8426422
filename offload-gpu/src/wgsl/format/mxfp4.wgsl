// `MXFP4`: planes of exponents (a byte) and of nibbles (16 bytes) that name an E2M1 float.

const OFFSET: i32 = 0;
const HALVES: bool = false;
const MIN: bool = false;

fn unpack(row: u32, group: u32) -> Group {
    let block = row * GROUPS + group;
    let exponent = byte_of(weight_words[PLANE_0 + block / 4u], block % 4u);
    let bits = select((exponent - 1u) << 23u, 0x00200000u << (exponent & 1u), exponent < 2u);
    let nibbles = weight_fours[PLANE_1 / 4u + block];
    return plain(doubled4(nibbles & NIBBLES), doubled4((nibbles >> vec4<u32>(4u)) & NIBBLES), bitcast<f32>(bits));
}
