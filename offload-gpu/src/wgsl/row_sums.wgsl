// The terms of a row, and their sum in order.

// Leaves the terms of group `i`.
fn leave(begin: u32, i: u32, w: Group) {
    terms[begin + i] = product_of(w, activations[3u * i], activations[3u * i + 1u], activations[3u * i + 2u]);
}

// Adds `count` groups' terms to `start`, in order.
fn summed(start: f32, begin: u32, count: u32) -> f32 {
    var y = start;
    var i = begin;
    let end = begin + count;
    for (; i + 16u <= end; i += 16u) {
        //REPEAT 16
        let t$i = terms[i + $iu];
        //UNTIL
        //REPEAT 16
        y = added(y, t$i.x);
        if MIN {
            y = added(y, -t$i.y);
        }
        //UNTIL
    }
    for (; i < end; i += 1u) {
        y = added(y, terms[i].x);
        if MIN {
            y = added(y, -terms[i].y);
        }
    }
    return y;
}
