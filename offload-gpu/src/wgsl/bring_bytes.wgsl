// Activations as a kernel before left them, a tile at a time.

const WHOLE: bool = false;

// Brings `count` groups of row `source`, from group `base` on. All lanes call it.
fn bring(lane: u32, source: u32, base: u32, count: u32) {
    for (var i = lane; i < 3u * count; i += THREADS) {
        activations[i] = input[3u * (source * GROUPS + base) + i];
    }
}
