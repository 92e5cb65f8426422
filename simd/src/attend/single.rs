//! A position's key and value by themselves, as a file holds them, whatever the cache interleaves or pads.
//!
//! ```text
//! f64, f32, f16   element ┼ element ┼ …               little-endian
//! q8_0            scale ┼ 32 bytes ┼ scale ┼ 32 …     a scale is an f32; elements beyond the width are 0
//! ```

use super::KEY_BLOCK;
use super::cache::{CacheFormat, KEY_GROUP, SCALE, VALUE_GROUP};

impl CacheFormat {
    /// Bytes of one key of `width` elements by itself, or of one value.
    pub fn single_bytes(self, width: usize) -> usize {
        match self {
            Self::F64 => width * 8,
            Self::F32 => width * 4,
            Self::F16 => width * 2,
            Self::Q8_0 => width.div_ceil(32) * VALUE_GROUP,
        }
    }

    /// Copies the key of position `lane` out of a block; `key` is [`Self::single_bytes`] long.
    pub fn take_key(self, block: &[u8], lane: usize, key: &mut [u8]) {
        match self {
            Self::F64 => take::<8>(block, lane, key),
            Self::F32 => take::<4>(block, lane, key),
            Self::F16 => take::<2>(block, lane, key),
            Self::Q8_0 => {
                let groups = block.chunks_exact(KEY_GROUP);
                for (group, key) in groups.zip(key.chunks_exact_mut(VALUE_GROUP)) {
                    let (scales, quants) = group.split_at(KEY_BLOCK * SCALE);
                    let (scale, bytes) = key.split_at_mut(SCALE);
                    take::<SCALE>(scales, lane, scale);
                    take::<1>(quants, lane, bytes);
                }
            }
        }
    }

    /// Copies a key that [`Self::take_key`] gave to position `lane` of a block.
    pub fn put_key(self, block: &mut [u8], lane: usize, key: &[u8]) {
        match self {
            Self::F64 => put::<8>(block, lane, key),
            Self::F32 => put::<4>(block, lane, key),
            Self::F16 => put::<2>(block, lane, key),
            Self::Q8_0 => {
                let groups = block.chunks_exact_mut(KEY_GROUP);
                for (group, key) in groups.zip(key.chunks_exact(VALUE_GROUP)) {
                    let (scales, quants) = group.split_at_mut(KEY_BLOCK * SCALE);
                    let (scale, bytes) = key.split_at(SCALE);
                    put::<SCALE>(scales, lane, scale);
                    put::<1>(quants, lane, bytes);
                }
            }
        }
    }
}

/// Every 16th element of `N` bytes, from `lane` on.
fn take<const N: usize>(block: &[u8], lane: usize, key: &mut [u8]) {
    let elements = block.chunks_exact(N * KEY_BLOCK);
    for (from, to) in elements.zip(key.as_chunks_mut::<N>().0) {
        to.copy_from_slice(&from[N * lane..][..N]);
    }
}

/// The reverse of [`take`].
fn put<const N: usize>(block: &mut [u8], lane: usize, key: &[u8]) {
    let elements = block.chunks_exact_mut(N * KEY_BLOCK);
    for (to, from) in elements.zip(key.as_chunks::<N>().0) {
        to[N * lane..][..N].copy_from_slice(from);
    }
}

#[cfg(test)]
mod tests {
    use super::{CacheFormat, KEY_BLOCK};

    /// Elements that no two positions share.
    fn key(lane: usize, width: usize) -> Vec<f64> {
        (0..width)
            .map(|d| (lane * width + d) as f64 / 8.0 - 40.0)
            .collect()
    }

    #[test]
    fn a_key_that_is_taken_out_and_put_elsewhere_reads_as_before() {
        for format in [
            CacheFormat::F64,
            CacheFormat::F32,
            CacheFormat::F16,
            CacheFormat::Q8_0,
        ] {
            for width in [32, 64, 96] {
                let mut block = vec![0; format.key_block_bytes(width)];
                for lane in 0..KEY_BLOCK {
                    format.write_key(&mut block, lane, &key(lane, width));
                }
                let mut turned = vec![0xff; block.len()];
                let mut single = vec![0; format.single_bytes(width)];
                for lane in 0..KEY_BLOCK {
                    format.take_key(&block, lane, &mut single);
                    format.put_key(&mut turned, KEY_BLOCK - 1 - lane, &single);
                }
                for lane in 0..KEY_BLOCK {
                    let found: Vec<f64> = format.read_key(&turned, KEY_BLOCK - 1 - lane, width);
                    let expected: Vec<f64> = format.read_key(&block, lane, width);
                    assert_eq!(found, expected, "{format} {width} {lane}");
                }
            }
        }
    }

    #[test]
    fn a_key_by_itself_is_its_elements_in_order() {
        let mut block = vec![0; CacheFormat::F32.key_block_bytes(5)];
        CacheFormat::F32.write_key(&mut block, 3, &[1.0_f32, -2.0, 0.5, 8.0, 0.0]);
        let mut single = vec![0; CacheFormat::F32.single_bytes(5)];
        CacheFormat::F32.take_key(&block, 3, &mut single);
        let expected: Vec<u8> = [1.0_f32, -2.0, 0.5, 8.0, 0.0]
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect();
        assert_eq!(single, expected);
    }
}
