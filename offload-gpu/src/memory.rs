//! Weights on the device.

use crate::device::Gpu;
use crate::error::GpuError;
use crate::format::{self, Format};
use std::ops::Range;
use std::sync::PoisonError;

/// Bytes that are handed to the driver at a time.
const PIECE: usize = 16 << 20;

/// What a weight is, without its values.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// How it is stored.
    pub format: &'static Format,
    /// Rows; 1 of a vector.
    pub rows: usize,
    /// Elements of a row.
    pub width: usize,
}

impl Shape {
    /// `rows` rows of `width` elements in GGML's format `id`.
    ///
    /// # Errors
    ///
    /// [`GpuError`] if the format has no kernel, or a row is not whole blocks.
    pub fn new(id: u32, rows: usize, width: usize) -> Result<Self, GpuError> {
        let format = Format::from_id(id)?;
        let shape = Self {
            format,
            rows,
            width,
        };
        let whole = width.is_multiple_of(format.block_len) && rows > 0 && width > 0;
        let bytes = (width / format.block_len)
            .checked_mul(format.block_bytes)
            .and_then(|row| row.checked_mul(rows));
        if !whole || bytes.is_none_or(|bytes| bytes > 1 << 44) {
            let what = format!("{rows} rows of {width} in {}", format.name);
            return Err(GpuError::invalid(what));
        }
        Ok(shape)
    }

    /// Bytes of a row.
    pub fn row_bytes(&self) -> usize {
        self.width / self.format.block_len * self.format.block_bytes
    }

    /// Whether it is a vector of floats, which norms and biases read.
    pub fn is_vector(&self) -> bool {
        self.rows == 1 && self.format.is_float
    }

    /// Bytes on a device, of a weight in one part.
    pub fn bytes(&self) -> u64 {
        let vector = if self.is_vector() { 4 * self.width } else { 0 };
        (self.rows * self.row_bytes() + vector + self.format.book_bytes()) as u64
    }

    /// Whether a row's share of every plane is whole words, so that rows can be sent alone.
    fn has_whole_words(&self) -> bool {
        let mut fields = self.format.fields.iter();
        fields.all(|field| (self.blocks(1) * field).is_multiple_of(4))
    }

    fn blocks(&self, rows: usize) -> usize {
        rows * (self.width / self.format.block_len)
    }
}

/// Rows of a weight in one buffer.
#[derive(Clone, Debug)]
pub struct Part {
    /// Which rows.
    pub rows: Range<usize>,
    /// The buffer of their planes.
    pub buffer: wgpu::Buffer,
    /// Words before each plane, before what follows them, and all words.
    pub planes: Vec<usize>,
    pending: Option<Pending>,
}

/// Which rows a part still lacks, and its planes, if they can only be sent whole.
#[derive(Clone, Debug)]
struct Pending {
    words: Vec<u32>,
    has: Vec<bool>,
    begun: bool,
}

/// A weight.
#[derive(Clone, Debug)]
pub struct Weight {
    /// What it is.
    pub shape: Shape,
    /// Its rows, in order.
    pub parts: Vec<Part>,
    /// Its values as floats, if it is a vector.
    pub vector: Option<wgpu::Buffer>,
}

impl Weight {
    /// Takes the memory for a weight.
    ///
    /// # Errors
    ///
    /// [`GpuError`] if there is none.
    pub fn reserve(gpu: &Gpu, shape: Shape) -> Result<Self, GpuError> {
        let ranges = format::parts(shape.format, shape.rows, shape.width, gpu.binding_limit)?;
        let part = |rows: Range<usize>| {
            let starts = shape.format.planes(shape.blocks(rows.len()));
            let bytes = starts.last().copied().unwrap_or(0);
            Ok(Part {
                buffer: gpu.storage("weights", bytes as u64)?,
                planes: starts.iter().map(|start| start / 4).collect(),
                pending: Some(Pending {
                    words: vec![],
                    has: vec![false; rows.len()],
                    begun: false,
                }),
                rows,
            })
        };
        let vector = shape
            .is_vector()
            .then(|| gpu.storage("a vector", 4 * shape.width as u64));
        Ok(Self {
            parts: ranges.into_iter().map(part).collect::<Result<_, _>>()?,
            vector: vector.transpose()?,
            shape,
        })
    }

    /// Whether all rows are there.
    pub fn is_complete(&self) -> bool {
        self.parts.iter().all(|part| part.pending.is_none())
    }

    /// Brings rows from `first` on to the device; where rows share words, they are sent when their part is whole.
    ///
    /// # Errors
    ///
    /// [`GpuError`] if they are not whole rows of the weight, come a second time, or cannot be sent.
    pub fn upload(&mut self, gpu: &Gpu, first: usize, bytes: &[u8]) -> Result<(), GpuError> {
        let (shape, row_bytes) = (self.shape, self.shape.row_bytes());
        let count = bytes.len() / row_bytes;
        let end = first.checked_add(count).filter(|&end| end <= shape.rows);
        let (Some(end), true) = (end, bytes.len().is_multiple_of(row_bytes)) else {
            return Err(GpuError::invalid(format!(
                "{} bytes from row {first} are no rows of {} bytes of {}",
                bytes.len(),
                row_bytes,
                shape.rows
            )));
        };
        for part in &mut self.parts {
            let rows = first.max(part.rows.start)..end.min(part.rows.end);
            if !rows.is_empty() {
                let bytes = &bytes[(rows.start - first) * row_bytes..][..rows.len() * row_bytes];
                part.fill(gpu, shape, rows, bytes)?;
            }
        }
        match &self.vector {
            Some(vector) if count == 1 => {
                let values = shape.format.floats(bytes).unwrap_or_default();
                send(gpu, vector, bytemuck::cast_slice(&values))
            }
            _ => Ok(()),
        }
    }
}

impl Part {
    fn fill(
        &mut self,
        gpu: &Gpu,
        shape: Shape,
        rows: Range<usize>,
        bytes: &[u8],
    ) -> Result<(), GpuError> {
        let again = || GpuError::invalid(format!("row {} comes a second time", rows.start));
        let pending = self.pending.as_mut().ok_or_else(again)?;
        let local = rows.start - self.rows.start..rows.end - self.rows.start;
        for has in &mut pending.has[local.clone()] {
            if std::mem::replace(has, true) {
                return Err(again());
            }
        }
        let format = shape.format;
        let before = shape.blocks(local.start);
        let is_whole = pending.has.iter().all(|&has| has);
        if shape.has_whole_words() {
            if !std::mem::replace(&mut pending.begun, true) && format.book_bytes() > 0 {
                let start = 4 * self.planes[format.fields.len()] as u64;
                gpu.queue.write_buffer(&self.buffer, start, &format.book());
            }
            send_rows(gpu, shape, &self.buffer, &self.planes, before, bytes)?;
        } else {
            if !std::mem::replace(&mut pending.begun, true) {
                pending.words = format.room(&self.planes);
            }
            format.split(bytes, &self.planes, before, &mut pending.words);
            if is_whole {
                send(gpu, &self.buffer, bytemuck::cast_slice(&pending.words))?;
            }
        }
        if is_whole {
            self.pending = None;
        }
        Ok(())
    }
}

/// Sends whole rows behind `before` blocks: a piece at a time is split into memory that is used again, so that the system gives it
/// once, and each plane's stretch goes to its place.
fn send_rows(
    gpu: &Gpu,
    shape: Shape,
    buffer: &wgpu::Buffer,
    planes: &[usize],
    before: usize,
    bytes: &[u8],
) -> Result<(), GpuError> {
    let (format, row_bytes) = (shape.format, shape.row_bytes());
    let mut words = gpu.pieces.lock().unwrap_or_else(PoisonError::into_inner);
    let mut before = before;
    for piece in bytes.chunks((PIECE / row_bytes).max(1) * row_bytes) {
        let blocks = piece.len() / format.block_bytes;
        let starts = format.planes(blocks);
        let here: Vec<usize> = starts.iter().map(|start| start / 4).collect();
        let needed = here[format.fields.len()];
        if words.len() < needed {
            words.resize(needed, 0);
        }
        format.split(piece, &here, 0, &mut words);
        let split: &[u8] = bytemuck::cast_slice(&words);
        for ((field, plane), start) in format.fields.iter().zip(planes).zip(starts) {
            let to = 4 * plane + field * before;
            gpu.queue
                .write_buffer(buffer, to as u64, &split[start..][..field * blocks]);
        }
        // Without this the driver's own memory grows with the weight.
        gpu.queue.submit([]);
        before += blocks;
    }
    gpu.check("weights")
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
