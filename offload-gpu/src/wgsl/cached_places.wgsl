// Where the scales of a cache of bytes lie: behind the bytes, four of which are a word; keys of 128 positions side by side.

const KEY_GROUPS: u32 = KEY_WIDTH / 32u;
const VALUE_GROUPS: u32 = VALUE_STRIDE / 32u;
const KEY_SCALES: u32 = CACHE_HEADS * POSITIONS * KEY_WIDTH / 4u;
const VALUE_SCALES: u32 = CACHE_HEADS * POSITIONS * VALUE_STRIDE / 4u;

// The place of the scale of 32 elements of the key in `slot`.
fn key_scale_at(head: u32, slot: u32, group: u32) -> u32 {
    return KEY_SCALES + ((head * (POSITIONS / 128u) + slot / 128u) * KEY_GROUPS + group) * 128u + slot % 128u;
}
