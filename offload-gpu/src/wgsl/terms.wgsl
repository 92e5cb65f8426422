// The two terms that a group of weights and one of activations add to a product: the scaled integer sum, and the minimum.

fn product_of(w: Group, low: vec4<u32>, high: vec4<u32>, factors: vec4<u32>) -> vec2<f32> {
    let scale = bitcast<f32>(factors.x);
    let sums = bitcast<vec2<i32>>(factors.zw);
    let a = dot4I8Packed(w.low.x, low.x) + dot4I8Packed(w.low.y, low.y) + dot4I8Packed(w.low.z, low.z) + dot4I8Packed(w.low.w, low.w);
    let b = dot4I8Packed(w.high.x, high.x) + dot4I8Packed(w.high.y, high.y) + dot4I8Packed(w.high.z, high.z) + dot4I8Packed(w.high.w, high.w);
    var total: f32;
    if HALVES {
        // Exact: both products stay below 2²⁴.
        total = f32(a - OFFSET * sums.x) * w.halves.x + f32(b - OFFSET * sums.y) * w.halves.y;
    } else {
        total = f32(a + b - OFFSET * (sums.x + sums.y));
    }
    let term = times(times(total, w.scale), scale);
    if MIN && HALVES {
        let mins = f32(sums.x) * w.min_halves.x + f32(sums.y) * w.min_halves.y;
        return vec2<f32>(term, times(times(mins, w.min), scale));
    }
    return vec2<f32>(term, times(w.min, bitcast<f32>(factors.y)));
}
