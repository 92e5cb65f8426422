// A float's bits as an IEEE half, to nearest, ties to even.

fn half_bits(x: f32) -> u32 {
    let bits = bitcast<u32>(x);
    let sign = (bits >> 16u) & 0x8000u;
    let size = bits & 0x7fffffffu;
    if size >= 0x47800000u {
        return sign | select(0x7c00u, 0x7e00u, size > 0x7f800000u);
    }
    if size < 0x38800000u {
        // The addition rounds to multiples of 2⁻²⁴.
        return sign | (bitcast<u32>(exact(bitcast<f32>(size) + 0.5)) - 0x3f000000u);
    }
    return sign | ((size - 0x38000000u + 0xfffu + ((size >> 13u) & 1u)) >> 13u);
}
