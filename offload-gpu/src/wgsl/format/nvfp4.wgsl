// `NVFP4`: planes of scales (4 × E4M3) and of nibbles (32 bytes) that name an E2M1 float.

const OFFSET: i32 = 0;
const HALVES: bool = true;
const MIN: bool = false;

fn unpack(row: u32, group: u32) -> Group {
    let block = row * (GROUPS / 2u) + group / 2u;
    let index = group % 2u;
    let scales = weight_words[PLANE_0 + block] >> (16u * index);
    let nibbles = weight_fours[PLANE_1 / 4u + 2u * block + index];
    let low = nibbles & NIBBLES;
    let high = (nibbles >> vec4<u32>(4u)) & NIBBLES;
    // Of a scale that the compiler knows to be 1 two marks of exactness would be left side by side, and undo each other.
    var found = plain(doubled4(vec4<u32>(low.xy, high.xy)), doubled4(vec4<u32>(low.zw, high.zw)), exact(1.0));
    found.halves = vec2<f32>(half_of_e4m3(byte_of(scales, 0u)), half_of_e4m3(byte_of(scales, 1u)));
    return found;
}
