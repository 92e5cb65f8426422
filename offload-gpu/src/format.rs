//! The weight formats that have a kernel: how a block's fields become planes of device memory.
//!
//! On the device every field of the blocks has a plane of its own, block after block, so that all reads are aligned; the bytes are
//! the file's. Planes begin at multiples of 16 bytes. A code book that the file only has indices of lies behind the planes, where a
//! kernel reads it from the same buffer.

mod iq1;
mod iq2_s;
mod iq2_xs;
mod iq2_xxs;
mod iq3_s;
mod iq3_xxs;

use crate::error::GpuError;
use std::ops::Range;
use std::slice::ChunksExact;

/// Bytes of weights below which one thread moves them.
const ALONE: usize = 1 << 20;

/// A format of weights.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// GGML's number.
    pub id: u32,
    /// GGML's name.
    pub name: &'static str,
    /// Weights in a block.
    pub block_len: usize,
    /// Bytes in a block.
    pub block_bytes: usize,
    /// Bytes of each field, in the block's order.
    pub fields: &'static [usize],
    /// Whether weights have a minimum.
    pub has_min: bool,
    /// Whether weights are floats.
    pub is_float: bool,
    /// The code book that weights are indices into, a packed point each; empty if there is none.
    points: &'static [u16],
    /// How a kernel reads it.
    source: &'static str,
}

macro_rules! blocks {
    ($($id:literal $name:literal $len:literal $min:literal $fields:expr, $file:literal $(, $points:expr)?;)+) => {
        /// Every format with a kernel.
        pub const FORMATS: &[Format] = &[
            Format { id: 0, name: "F32", block_len: 1, block_bytes: 4, fields: &[4], points: &[], has_min: false, is_float: true, source: include_str!("wgsl/format/f32.wgsl") },
            Format { id: 1, name: "F16", block_len: 1, block_bytes: 2, fields: &[2], points: &[], has_min: false, is_float: true, source: include_str!("wgsl/format/f16.wgsl") },
            Format { id: 30, name: "BF16", block_len: 1, block_bytes: 2, fields: &[2], points: &[], has_min: false, is_float: true, source: include_str!("wgsl/format/bf16.wgsl") },
            $(Format {
                id: $id, name: $name, block_len: $len, block_bytes: sum($fields), fields: $fields, has_min: $min, is_float: false,
                points: book(&[$(&$points)?]),
                source: include_str!(concat!("wgsl/format/", $file)),
            },)+
        ];
    };
}

blocks! {
    2 "Q4_0" 32 false &[2, 16], "q4_0.wgsl";
    3 "Q4_1" 32 true &[4, 16], "q4_1.wgsl";
    6 "Q5_0" 32 false &[2, 4, 16], "q5_0.wgsl";
    7 "Q5_1" 32 true &[4, 4, 16], "q5_1.wgsl";
    8 "Q8_0" 32 false &[2, 32], "q8_0.wgsl";
    10 "Q2_K" 256 true &[16, 64, 4], "q2_k.wgsl";
    11 "Q3_K" 256 false &[32, 64, 12, 2], "q3_k.wgsl";
    12 "Q4_K" 256 true &[16, 128], "q4_k.wgsl";
    13 "Q5_K" 256 true &[16, 32, 128], "q5_k.wgsl";
    14 "Q6_K" 256 false &[128, 64, 16, 2], "q6_k.wgsl";
    16 "IQ2_XXS" 256 false &[2, 64], "iq2_xxs.wgsl", iq2_xxs::POINTS;
    17 "IQ2_XS" 256 false &[2, 64, 8], "iq2_xs.wgsl", iq2_xs::POINTS;
    18 "IQ3_XXS" 256 false &[2, 64, 32], "iq3_xxs.wgsl", iq3_xxs::POINTS;
    19 "IQ1_S" 256 false &[2, 32, 16], "iq1_s.wgsl", iq1::POINTS;
    20 "IQ4_NL" 32 false &[2, 16], "iq4_nl.wgsl";
    21 "IQ3_S" 256 false &[2, 64, 8, 32, 4], "iq3_s.wgsl", iq3_s::POINTS;
    22 "IQ2_S" 256 false &[2, 32, 32, 8, 8], "iq2_s.wgsl", iq2_s::POINTS;
    23 "IQ4_XS" 256 false &[4, 4, 128], "iq4_xs.wgsl";
    29 "IQ1_M" 256 false &[32, 16, 8], "iq1_m.wgsl", iq1::POINTS;
    34 "TQ1_0" 256 false &[32, 16, 4, 2], "tq1_0.wgsl";
    35 "TQ2_0" 256 false &[64, 2], "tq2_0.wgsl";
    39 "MXFP4" 32 false &[1, 16], "mxfp4.wgsl";
    40 "NVFP4" 64 false &[4, 32], "nvfp4.wgsl";
}

/// Reading a plane of halves.
const HALF: &str = include_str!("wgsl/format/half.wgsl");

/// Reading the code book.
const POINT: &str = include_str!("wgsl/format/point.wgsl");

const fn sum(fields: &[usize]) -> usize {
    let (mut total, mut i) = (0, 0);
    while i < fields.len() {
        total += fields[i];
        i += 1;
    }
    total
}

/// The one code book, or none.
const fn book(books: &[&'static [u16]]) -> &'static [u16] {
    match books {
        [book] => book,
        _ => &[],
    }
}

impl Format {
    /// The format with GGML's number `id`.
    ///
    /// # Errors
    ///
    /// [`GpuError::Format`] if no kernel reads it.
    pub fn from_id(id: u32) -> Result<&'static Self, GpuError> {
        FORMATS
            .iter()
            .find(|format| format.id == id)
            .ok_or_else(|| GpuError::Format {
                format: format!("weights of type {id}"),
            })
    }

    /// The functions by which a kernel reads it from `weight_words` and `weight_fours`.
    pub fn reading(&self) -> String {
        let parts = match (self.is_float, self.points) {
            (true, _) => ["", "", self.source],
            (_, []) => [HALF, "", self.source],
            _ => [HALF, POINT, self.source],
        };
        parts.concat()
    }

    /// The constants that its functions need: the words before each plane of a part.
    pub fn constants(&self, planes: &[usize]) -> Vec<(String, usize)> {
        let fields = self.fields.len();
        let mut constants: Vec<_> = (planes[..fields].iter().enumerate())
            .map(|(i, plane)| (format!("PLANE_{i}"), *plane))
            .collect();
        if !self.points.is_empty() {
            constants.push(("POINTS".to_owned(), planes[fields]));
        }
        constants
    }

    /// Where the planes of so many blocks and what follows them begin, in bytes, and where all ends.
    pub fn planes(&self, blocks: usize) -> Vec<usize> {
        let mut starts = vec![0];
        let mut end = 0_usize;
        for field in self.fields {
            end = (end + field * blocks).next_multiple_of(16);
            starts.push(end);
        }
        if !self.points.is_empty() {
            starts.push(end + self.book_bytes());
        }
        starts
    }

    /// Bytes of the code book in each part of a weight.
    pub fn book_bytes(&self) -> usize {
        (2 * self.points.len()).next_multiple_of(16)
    }

    /// The code book as it lies in a part.
    pub fn book(&self) -> Vec<u8> {
        let mut book: Vec<u8> = self.points.iter().flat_map(|x| x.to_ne_bytes()).collect();
        book.resize(self.book_bytes(), 0);
        book
    }

    /// As many words as a part with these planes has, zero but for the code book.
    pub fn room(&self, planes: &[usize]) -> Vec<u32> {
        let mut words = vec![0; planes.last().copied().unwrap_or(0)];
        let bytes = bytemuck::cast_slice_mut::<u32, u8>(&mut words);
        let start = bytes.len() - self.book_bytes();
        bytes[start..].copy_from_slice(&self.book());
        words
    }

    /// Moves whole blocks to the planes that begin at the words `planes`, behind `before` others; many of them on all cores.
    pub fn split(&self, bytes: &[u8], planes: &[usize], before: usize, words: &mut [u32]) {
        let blocks = bytes.len() / self.block_bytes;
        let threads = match bytes.len() {
            ..ALONE => 1,
            _ => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let share = blocks.div_ceil(threads).max(1);
        // Each thread has its own stretch of every plane.
        let mut shares: Vec<Vec<&mut [u8]>> = vec![];
        shares.resize_with(blocks.div_ceil(share), Vec::new);
        let (mut rest, mut at): (&mut [u8], usize) = (bytemuck::cast_slice_mut(words), 0);
        for (&field, &plane) in self.fields.iter().zip(planes) {
            let start = 4 * plane + before * field;
            let (_, after) = std::mem::take(&mut rest).split_at_mut(start - at);
            let (here, after) = after.split_at_mut(field * blocks);
            (rest, at) = (after, start + field * blocks);
            for (share, part) in shares.iter_mut().zip(here.chunks_mut(field * share)) {
                share.push(part);
            }
        }
        let sources = bytes.chunks(share * self.block_bytes);
        std::thread::scope(|scope| {
            let mut shares = shares.into_iter().zip(sources);
            let own = shares.next();
            for (planes, bytes) in shares {
                scope.spawn(|| self.split_alone(bytes, planes));
            }
            if let Some((planes, bytes)) = own {
                self.split_alone(bytes, planes);
            }
        });
    }

    fn split_alone(&self, bytes: &[u8], planes: Vec<&mut [u8]>) {
        let mut from = 0;
        for (&field, plane) in self.fields.iter().zip(planes) {
            let blocks = bytes.chunks_exact(self.block_bytes);
            match field {
                1 => columns::<1>(blocks, from, plane),
                2 => columns::<2>(blocks, from, plane),
                4 => columns::<4>(blocks, from, plane),
                8 => columns::<8>(blocks, from, plane),
                12 => columns::<12>(blocks, from, plane),
                16 => columns::<16>(blocks, from, plane),
                32 => columns::<32>(blocks, from, plane),
                64 => columns::<64>(blocks, from, plane),
                128 => columns::<128>(blocks, from, plane),
                _ => {
                    for (to, block) in plane.chunks_exact_mut(field).zip(blocks) {
                        to.copy_from_slice(&block[from..][..field]);
                    }
                }
            }
            from += field;
        }
    }

    /// The values of rows of floats.
    pub fn floats(&self, bytes: &[u8]) -> Option<Vec<f32>> {
        let pairs = || {
            bytes
                .as_chunks::<2>()
                .0
                .iter()
                .map(|pair| u16::from_le_bytes(*pair))
        };
        match self.id {
            0 => Some(
                bytes
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .map(|four| f32::from_le_bytes(*four))
                    .collect(),
            ),
            1 => Some(pairs().map(half_to_f32).collect()),
            30 => Some(
                pairs()
                    .map(|bits| f32::from_bits(u32::from(bits) << 16))
                    .collect(),
            ),
            _ => None,
        }
    }
}

/// The value of an IEEE half.
fn half_to_f32(bits: u16) -> f32 {
    // The exponent is too small by 112, which the product makes good, for subnormal halves too.
    let scaled = f32::from_bits(u32::from(bits & 0x7fff) << 13) * f32::from_bits((254 - 15) << 23);
    let special = u32::from(bits & 0x7c00 == 0x7c00) * 0x7f80_0000;
    f32::from_bits(scaled.to_bits() | special | u32::from(bits & 0x8000) << 16)
}

/// `N` bytes of each block, from byte `from` on.
fn columns<const N: usize>(blocks: ChunksExact<'_, u8>, from: usize, plane: &mut [u8]) {
    for (to, block) in plane.as_chunks_mut::<N>().0.iter_mut().zip(blocks) {
        to.copy_from_slice(&block[from..][..N]);
    }
}

/// How many rows go into one buffer when a weight is split.
///
/// # Errors
///
/// [`GpuError::Memory`] if not even a row fits `limit` bytes.
pub fn parts(
    format: &Format,
    rows: usize,
    width: usize,
    limit: u64,
) -> Result<Vec<Range<usize>>, GpuError> {
    let row_bytes = width / format.block_len * format.block_bytes;
    // Each plane may be padded; the code book comes with every part.
    let room = (limit as usize).saturating_sub(16 * format.fields.len() + format.book_bytes());
    let most = room / row_bytes.max(1);
    if most == 0 {
        return Err(GpuError::Memory {
            bytes: row_bytes as u64,
            available: limit,
            what: "a row of weights".to_owned(),
            why: format!("a binding holds {limit}"),
        });
    }
    Ok((0..rows)
        .step_by(most)
        .map(|first| first..rows.min(first + most))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_hold_every_byte_of_every_block() {
        let many = |format: &Format| 2 * ALONE / format.block_bytes + 3;
        for (format, blocks) in FORMATS.iter().flat_map(|f| [(f, 5), (f, many(f))]) {
            let bytes: Vec<u8> = (0..blocks * format.block_bytes)
                .map(|i| (i * 7 + i / 251) as u8)
                .collect();
            let starts = format.planes(blocks);
            let bases: Vec<usize> = starts.iter().map(|start| start / 4).collect();
            let mut words = format.room(&bases);
            let (early, late) = bytes.split_at(2 * format.block_bytes);
            format.split(late, &bases, 2, &mut words);
            format.split(early, &bases, 0, &mut words);
            let planes: &[u8] = bytemuck::cast_slice(&words);
            for block in 0..blocks {
                let mut from = block * format.block_bytes;
                for (&field, &start) in format.fields.iter().zip(&starts) {
                    assert_eq!(
                        planes[start + block * field..][..field],
                        bytes[from..][..field],
                        "{}",
                        format.name
                    );
                    from += field;
                }
            }
            let book = &planes[starts[format.fields.len()]..];
            let points: Vec<u8> = format.points.iter().flat_map(|x| x.to_ne_bytes()).collect();
            assert_eq!(book, points, "{}", format.name);
        }
    }

    #[test]
    fn parts_cover_all_rows_within_the_limit() {
        // `Q6_K`, and `IQ1_S` with its code book.
        for id in [14, 19] {
            let format = Format::from_id(id).expect("it has a kernel");
            let parts = parts(format, 1000, 512, 100_000).expect("a row fits");
            assert_eq!(parts.first().map(|part| part.start), Some(0));
            assert_eq!(parts.last().map(|part| part.end), Some(1000));
            for pair in parts.windows(2) {
                assert_eq!(pair[0].end, pair[1].start);
            }
            for part in parts {
                let planes = format.planes(part.len() * 2);
                assert!(planes.last().is_some_and(|&end| end <= 100_000));
            }
        }
    }
}
