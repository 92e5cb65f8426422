//! Weights on the device.

use crate::device::Gpu;
use crate::error::GpuError;
use crate::format::{self, Format};
use std::ops::Range;

/// Bytes that are handed to the driver at a time.
const PIECE: usize = 16 << 20;

/// Rows of a weight in one buffer.
#[derive(Clone, Debug)]
pub struct Part {
    /// Which rows.
    pub rows: Range<usize>,
    /// The buffer of their planes.
    pub buffer: wgpu::Buffer,
    /// Words before each plane.
    pub planes: Vec<usize>,
}

/// A weight.
#[derive(Clone, Debug)]
pub struct Weight {
    /// How it is stored.
    pub format: &'static Format,
    /// Rows; 1 of a vector.
    pub rows: usize,
    /// Elements of a row.
    pub width: usize,
    /// Its rows, in order.
    pub parts: Vec<Part>,
    /// Its values as floats, if it is a vector.
    pub vector: Option<wgpu::Buffer>,
}

impl Weight {
    /// Bytes on the device.
    pub fn bytes(&self) -> u64 {
        let parts: u64 = self.parts.iter().map(|part| part.buffer.size()).sum();
        parts + self.vector.as_ref().map_or(0, wgpu::Buffer::size)
    }

    /// Brings a weight of `rows` rows of `width` elements to the device.
    ///
    /// # Errors
    ///
    /// [`GpuError`] if the format has no kernel, the bytes are not that many rows, or there is no memory.
    pub fn upload(
        gpu: &Gpu,
        id: u32,
        rows: usize,
        width: usize,
        bytes: &[u8],
    ) -> Result<Self, GpuError> {
        let format = Format::from_id(id)?;
        let wanted = width
            .is_multiple_of(format.block_len)
            .then(|| (width / format.block_len).checked_mul(format.block_bytes))
            .flatten()
            .and_then(|row| row.checked_mul(rows));
        if wanted != Some(bytes.len()) || bytes.is_empty() {
            return Err(GpuError::invalid(format!(
                "{} bytes are not {rows} rows of {width} in {}",
                bytes.len(),
                format.name
            )));
        }
        let row_bytes = bytes.len() / rows;
        let mut parts = vec![];
        for rows in format::parts(format, rows, width, gpu.binding_limit)? {
            let blocks = rows.len() * (width / format.block_len);
            let starts = format.planes(blocks);
            let words = format.split(&bytes[rows.start * row_bytes..rows.end * row_bytes]);
            let buffer = gpu.storage("weights", 4 * words.len() as u64)?;
            send(gpu, &buffer, bytemuck::cast_slice(&words))?;
            let planes = starts.iter().map(|start| start / 4).collect();
            parts.push(Part {
                rows,
                buffer,
                planes,
            });
        }
        let vector = match (rows, format.floats(bytes)) {
            (1, Some(values)) => {
                let buffer = gpu.storage("a vector", 4 * values.len() as u64)?;
                send(gpu, &buffer, bytemuck::cast_slice(&values))?;
                Some(buffer)
            }
            _ => None,
        };
        Ok(Self {
            format,
            rows,
            width,
            parts,
            vector,
        })
    }
}

/// Writes a buffer from its beginning, piece by piece, so that the driver's own memory stays small.
fn send(gpu: &Gpu, buffer: &wgpu::Buffer, bytes: &[u8]) -> Result<(), GpuError> {
    for (i, piece) in bytes.chunks(PIECE).enumerate() {
        gpu.queue.write_buffer(buffer, (i * PIECE) as u64, piece);
        if piece.len() == PIECE {
            gpu.queue.submit([]);
        }
    }
    gpu.check("weights")
}
