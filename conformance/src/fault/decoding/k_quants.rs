//! Q4_K and Q6_K, and what is misread in them.

/// The value of a block's scale.
pub(super) fn scale(bits: [u8; 2], bf16: bool) -> f64 {
    if bf16 {
        half::bf16::from_le_bytes(bits).to_f64_const()
    } else {
        half::f16::from_le_bytes(bits).to_f64_const()
    }
}

/// How Q4_K is read: `d · scale · (q − offset) + min_sign · dmin · min`.
#[derive(Clone, Copy)]
pub(super) struct Q4K {
    /// Weight `i` of a block's 128 bytes.
    pub(super) nibble: fn(&[u8], usize) -> u8,
    /// Scale and minimum of sub-block `j` from 12 bytes.
    pub(super) scales: fn(&[u8], usize) -> (u8, u8),
    pub(super) min_sign: f64,
    pub(super) divisor: f64,
    pub(super) exchange: bool,
    pub(super) offset: f64,
    pub(super) bf16: bool,
}

impl Q4K {
    pub(super) const RIGHT: Self = Self {
        nibble: Self::alternating,
        scales: Self::split,
        min_sign: -1.0,
        divisor: 1.0,
        exchange: false,
        offset: 0.0,
        bf16: false,
    };

    fn alternating(bytes: &[u8], i: usize) -> u8 {
        let byte = bytes[i / 64 * 32 + i % 32];
        if i % 64 < 32 { byte & 15 } else { byte >> 4 }
    }

    pub(super) fn exchanged(bytes: &[u8], i: usize) -> u8 {
        Self::alternating(bytes, i ^ 32)
    }

    pub(super) fn interleaved(bytes: &[u8], i: usize) -> u8 {
        let byte = bytes[i / 2];
        if i.is_multiple_of(2) {
            byte & 15
        } else {
            byte >> 4
        }
    }

    pub(super) fn halves(bytes: &[u8], i: usize) -> u8 {
        let byte = bytes[i % 128];
        if i < 128 { byte & 15 } else { byte >> 4 }
    }

    fn split(b: &[u8], j: usize) -> (u8, u8) {
        if j < 4 {
            return (b[j] & 63, b[j + 4] & 63);
        }
        let (scale, min) = Self::without_top_bits(b, j);
        (scale | b[j - 4] >> 6 << 4, min | b[j] >> 6 << 4)
    }

    pub(super) fn without_top_bits(b: &[u8], j: usize) -> (u8, u8) {
        if j < 4 {
            return Self::split(b, j);
        }
        (b[j + 4] & 15, b[j + 4] >> 4)
    }

    pub(super) fn swapped_top_bits(b: &[u8], j: usize) -> (u8, u8) {
        if j < 4 {
            return Self::split(b, j);
        }
        let (scale, min) = Self::without_top_bits(b, j);
        (scale | b[j] >> 6 << 4, min | b[j - 4] >> 6 << 4)
    }

    pub(super) fn first_rule(b: &[u8], j: usize) -> (u8, u8) {
        (b[j] & 63, b[j + 4] & 63)
    }

    pub(super) fn exchanged_scales(b: &[u8], j: usize) -> (u8, u8) {
        let (scale, min) = Self::split(b, j);
        (min, scale)
    }

    pub(super) fn bitstream(b: &[u8], j: usize) -> (u8, u8) {
        let at = |index: usize| {
            let bit = 6 * index;
            let word = u16::from(b[bit / 8]) | u16::from(*b.get(bit / 8 + 1).unwrap_or(&0)) << 8;
            (word >> (bit % 8) & 63) as u8
        };
        (at(j), at(j + 8))
    }
}

pub(super) fn q4k(row: &[u8], how: &Q4K) -> Vec<f64> {
    let block = |block: &[u8]| {
        let [mut d, mut dmin] = [0, 2].map(|at| scale([block[at], block[at + 1]], how.bf16));
        if how.exchange {
            std::mem::swap(&mut d, &mut dmin);
        }
        let value = |i: usize| {
            let (scale, min) = (how.scales)(&block[4..16], i / 32);
            let quant = f64::from((how.nibble)(&block[16..], i)) - how.offset;
            let [scale, min] = [scale, min].map(|x| f64::from(x) / how.divisor);
            d * scale * quant + how.min_sign * dmin * min
        };
        (0..256).map(value).collect::<Vec<f64>>()
    };
    row.chunks(144).flat_map(block).collect()
}

/// How Q6_K is read: `d · scale · (q − offset)`.
#[derive(Clone, Copy)]
pub(super) struct Q6K {
    pub(super) sequential: bool,
    pub(super) offset: f64,
    /// The mask of the upper bits.
    pub(super) high: u8,
    pub(super) unsigned: bool,
    pub(super) bf16: bool,
}

impl Q6K {
    pub(super) const RIGHT: Self = Self {
        sequential: false,
        offset: 32.0,
        high: 3,
        unsigned: false,
        bf16: false,
    };
}

pub(super) fn q6k(row: &[u8], how: &Q6K) -> Vec<f64> {
    let block = |block: &[u8]| {
        let d = scale([block[208], block[209]], how.bf16);
        let mut out = vec![0.0; 256];
        for half in 0..2 {
            let (low, high) = (&block[half * 64..], &block[128 + half * 32..]);
            for i in 0..32 {
                for part in 0..4 {
                    let byte = low[i + part % 2 * 32];
                    let nibble = if part < 2 { byte & 15 } else { byte >> 4 };
                    let top = high[i] >> (2 * part) & how.high;
                    let sub = block[192 + half * 8 + part * 2 + i / 16];
                    let sub = if how.unsigned {
                        f64::from(sub)
                    } else {
                        f64::from(sub.cast_signed())
                    };
                    let at = if how.sequential {
                        4 * i + part
                    } else {
                        32 * part + i
                    };
                    out[half * 128 + at] = d * sub * (f64::from(nibble | top << 4) - how.offset);
                }
            }
        }
        out
    };
    row.chunks(210).flat_map(block).collect()
}
