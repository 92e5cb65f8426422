//! What a layer remembers: rings of keys and values, head by head.

use super::super::BackendError;
use super::shared::Shared;
use crate::graph::Cache;
use fidelis_simd::Real;
use fidelis_simd::attend::{CHUNK, CacheFormat, KEY_BLOCK, KeyValues};
use std::io::{self, Write};
use std::ops::Range;

/// One layer's keys and values.
pub(super) struct LayerMemory {
    format: CacheFormat,
    shape: Cache,
    /// Positions of the ring, whole chunks.
    positions: usize,
    /// Positions below are not held: they were not in the file that the rest came from.
    first: usize,
    /// Bytes of one head's keys, and of its values.
    head_bytes: [usize; 2],
    keys: Shared<u8>,
    values: Shared<u8>,
}

/// How large a layer's memory is.
pub(super) struct LayerSize {
    /// Positions of the ring, whole chunks.
    positions: usize,
    /// Bytes of one head's keys, and of its values.
    head_bytes: [usize; 2],
    heads: usize,
}

impl LayerSize {
    /// For `context` positions read `batch` at a time.
    pub(super) fn new(
        shape: &Cache,
        format: CacheFormat,
        context: usize,
        batch: usize,
    ) -> Result<Self, BackendError> {
        if !shape.key_width.is_multiple_of(format.multiple()) {
            return Err(BackendError::CacheWidth {
                width: shape.key_width,
                format,
            });
        }
        // A ring holds a window and a batch, whose ends may both lie inside chunks.
        let needed = shape.window.map_or(context, |window| {
            context.min(window.saturating_add(batch).saturating_add(CHUNK))
        });
        // A context that no memory holds must be refused, not wrap to one that fits.
        let positions = needed.checked_next_multiple_of(CHUNK).unwrap_or(usize::MAX);
        Ok(Self {
            positions,
            head_bytes: [
                (positions / KEY_BLOCK).saturating_mul(format.key_block_bytes(shape.key_width)),
                positions.saturating_mul(format.value_bytes(shape.value_width)),
            ],
            heads: shape.heads,
        })
    }

    /// Bytes of the keys of all heads, and of their values.
    fn parts(&self) -> [usize; 2] {
        self.head_bytes
            .map(|bytes| bytes.saturating_mul(self.heads))
    }

    /// Bytes in all.
    pub(super) fn bytes(&self) -> usize {
        let [keys, values] = self.parts();
        keys.saturating_add(values)
    }
}

impl LayerMemory {
    /// Memory for `context` positions read `batch` at a time.
    pub(super) fn new(
        shape: &Cache,
        format: CacheFormat,
        context: usize,
        batch: usize,
    ) -> Result<Self, BackendError> {
        let size = LayerSize::new(shape, format, context, batch)?;
        let have = |bytes: usize| {
            Shared::try_new(bytes).ok_or(BackendError::Memory {
                bytes,
                what: "keys and values",
            })
        };
        let [keys, values] = size.parts();
        Ok(Self {
            format,
            positions: size.positions,
            first: 0,
            head_bytes: size.head_bytes,
            keys: have(keys)?,
            values: have(values)?,
            shape: shape.clone(),
        })
    }

    /// Bytes in all.
    pub(super) fn bytes(&self) -> usize {
        self.keys.len() + self.values.len()
    }

    /// The positions that the one at `position` sees.
    pub(super) fn sees(&self, position: usize) -> Range<usize> {
        let first = self
            .shape
            .window
            .map_or(0, |window| (position + 1).saturating_sub(window));
        first..position + 1
    }

    /// Whether, after `read` positions, everything that position `at` sees is still held.
    pub(super) fn holds(&self, at: usize, read: usize) -> bool {
        self.sees(at).start >= self.first_held(read)
    }

    /// The first position that is still held after `read` positions.
    pub(super) fn first_held(&self, read: usize) -> usize {
        self.first.max(read.saturating_sub(self.positions))
    }

    /// Forgets everything.
    pub(super) fn reset(&mut self) {
        self.first = 0;
    }

    /// What is remembered, and for how wide keys and values.
    pub(super) fn shape(&self) -> &Cache {
        &self.shape
    }

    /// Writes some positions, all of them held, head by head: keys, then values.
    pub(super) fn export(&self, positions: Range<usize>, out: &mut dyn Write) -> io::Result<()> {
        let format = self.format;
        let mut key = vec![0; format.single_bytes(self.shape.key_width)];
        let value_bytes = format.single_bytes(self.shape.value_width);
        for head in 0..self.shape.heads {
            // SAFETY: only a step writes, and it has the machine for itself.
            let ring = unsafe { self.head(head) };
            for slot in positions.clone().map(|position| position % self.positions) {
                let block = slot / KEY_BLOCK * format.key_block_bytes(ring.key_width);
                format.take_key(&ring.keys[block..], slot % KEY_BLOCK, &mut key);
                out.write_all(&key)?;
            }
            for slot in positions.clone().map(|position| position % self.positions) {
                let row = slot * format.value_bytes(ring.value_width);
                out.write_all(&ring.values[row..][..value_bytes])?;
            }
        }
        Ok(())
    }

    /// Takes positions that [`Self::export`] wrote, the last ones of them that the ring holds; forgets all others.
    pub(super) fn import(&mut self, positions: Range<usize>, bytes: &[u8]) {
        let format = self.format;
        let [key_bytes, value_bytes] =
            [self.shape.key_width, self.shape.value_width].map(|width| format.single_bytes(width));
        let block_bytes = format.key_block_bytes(self.shape.key_width);
        let row_bytes = format.value_bytes(self.shape.value_width);
        self.first = positions
            .start
            .max(positions.end.saturating_sub(self.positions));
        let skipped = self.first - positions.start;
        let count = positions.len();
        for head in 0..self.shape.heads {
            let (keys, values) =
                bytes[head * count * (key_bytes + value_bytes)..].split_at(count * key_bytes);
            let keys = keys.chunks_exact(key_bytes).skip(skipped);
            let values = values.chunks_exact(value_bytes).skip(skipped);
            for ((position, key), value) in (self.first..positions.end).zip(keys).zip(values) {
                let slot = position % self.positions;
                let block = head * self.head_bytes[0] + slot / KEY_BLOCK * block_bytes;
                let block = &mut self.keys.all_mut()[block..][..block_bytes];
                format.put_key(block, slot % KEY_BLOCK, key);
                let row = head * self.head_bytes[1] + slot * row_bytes;
                self.values.all_mut()[row..][..value_bytes].copy_from_slice(value);
            }
        }
    }

    /// What a key or a value must stay below to be remembered.
    pub(super) fn limit(&self) -> f64 {
        match self.format {
            // What rounds to the largest half.
            CacheFormat::F16 => 65_520.0,
            _ => f64::INFINITY,
        }
    }

    /// Writes the keys and values of a position, all heads.
    ///
    /// # Safety
    ///
    /// Nobody else reads or writes the [`KEY_BLOCK`] positions around it.
    pub(super) unsafe fn remember<R: Real>(&self, position: usize, key: &[R], value: &[R]) {
        let slot = position % self.positions;
        let [block_bytes, row_bytes] = [
            self.format.key_block_bytes(self.shape.key_width),
            self.format.value_bytes(self.shape.value_width),
        ];
        let heads = key
            .chunks_exact(self.shape.key_width)
            .zip(value.chunks_exact(self.shape.value_width));
        for (head, (key, value)) in heads.enumerate() {
            let block = head * self.head_bytes[0] + slot / KEY_BLOCK * block_bytes;
            // SAFETY: the block belongs to the positions that the caller has for itself.
            let block = unsafe { self.keys.write(block, block_bytes) };
            self.format.write_key(block, slot % KEY_BLOCK, key);
            // SAFETY: the row belongs to the position that the caller has for itself.
            let row = unsafe {
                self.values
                    .write(head * self.head_bytes[1] + slot * row_bytes, row_bytes)
            };
            self.format.write_value(row, value);
        }
    }

    /// The ring of one head.
    ///
    /// # Safety
    ///
    /// Nobody writes the layer's memory while the result lives.
    pub(super) unsafe fn head(&self, head: usize) -> KeyValues<'_> {
        let [keys, values] = self.head_bytes;
        KeyValues {
            format: self.format,
            key_width: self.shape.key_width,
            value_width: self.shape.value_width,
            positions: self.positions,
            // SAFETY: nobody writes, says the caller.
            keys: unsafe { self.keys.read(head * keys, keys) },
            // SAFETY: nobody writes, says the caller.
            values: unsafe { self.values.read(head * values, values) },
        }
    }
}
