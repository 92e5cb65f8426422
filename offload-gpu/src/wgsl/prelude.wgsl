// What every kernel begins with: the step at hand, and arithmetic that rounds as the contract says.

struct Step {
    // The position of the first token.
    position: u32,
    // Tokens of the step.
    tokens: u32,
    // The first row whose logits are wanted, and how many.
    first: u32,
    wanted: u32,
    // Zero, which no compiler knows.
    zero: u32,
    // How many logits of a row may be chosen.
    choices: u32,
    // How many positions' angles lie before the first token's.
    turns: u32,
    // One, which no compiler knows.
    one: f32,
}

@group(0) @binding(0) var<uniform> step: Step;

// A product or sum that may not be contracted or reordered with what follows.
fn exact(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ step.zero);
}

fn exact4(x: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) ^ vec4<u32>(step.zero));
}

// `a + b`, rounded once, which cannot be reordered or joined with what is around it, at the price of a sum: the product with one is exact,
// whether the device fuses it or not.
fn added(a: f32, b: f32) -> f32 {
    return fma(a, step.one, b);
}

fn added4(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
    return fma(a, vec4<f32>(step.one), b);
}

// `a · b`, rounded once, in the same way: to add a zero of the negative sign changes nothing.
fn times(a: f32, b: f32) -> f32 {
    return fma(a, b, bitcast<f32>(step.zero ^ 0x80000000u));
}

fn times4(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
    return fma(a, b, vec4<f32>(bitcast<f32>(step.zero ^ 0x80000000u)));
}

// The row of an intermediate that workgroup row `i` works on.
fn row_of(i: u32) -> u32 {
    return i + select(0u, step.first, TAIL);
}

// As many rows as this dispatch has.
fn row_count() -> u32 {
    return select(step.tokens, step.wanted, TAIL);
}
