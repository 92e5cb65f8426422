// Each of HEADS parts of a row turned by its position's angles; one lane computes one element.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= HEADS * WIDTH {
        return;
    }
    let row = row_of(id.y);
    let start = row * HEADS * WIDTH + (id.x / WIDTH) * WIDTH;
    let k = id.x % WIDTH;
    out[start + k] = turned(start, k, row);
}

// Element `k` of the head that begins at `start`.
fn turned(start: u32, k: u32, row: u32) -> f32 {
    if k >= 2u * PAIRS {
        return input[start + k];
    }
    let pair = select(k % PAIRS, k / 2u, NEIGHBOURS);
    let second = select(k >= PAIRS, k % 2u == 1u, NEIGHBOURS);
    let a = input[start + select(pair, 2u * pair, NEIGHBOURS)];
    let b = input[start + select(pair + PAIRS, 2u * pair + 1u, NEIGHBOURS)];
    let turn = (step.turns + row) * 2u * PAIRS;
    let cosine = angles[turn + pair];
    let sine = angles[turn + PAIRS + pair];
    if second {
        return exact(a * sine) + exact(b * cosine);
    }
    return exact(a * cosine) - exact(b * sine);
}
