//! What can be wrong with a file.

use super::value::Kind;
use crate::shape::Shape;
use fidelis_simd::Format;
use std::io;
use std::path::PathBuf;

/// Why a file is not a usable GGUF file.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    /// The system could not open or map the file.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system could not write the file.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The end of a file went away while it was mapped, or could not be read.
    #[error("{} was cut short while it was in use, or cannot be read any more", path.display())]
    CutShort {
        /// The file.
        path: PathBuf,
    },
    /// A directory where a file should be.
    #[error("{} is a directory, not a file", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// A part of a split file is missing.
    #[error("part {} is missing; {} belongs to a file split in {count}", path.display(), first.display())]
    MissingPart {
        /// The part that is not there.
        path: PathBuf,
        /// The part that was given.
        first: PathBuf,
        /// Parts in all.
        count: u32,
    },
    /// Another part than the first was given.
    #[error("{} is part {part} of {count}; give the first part", path.display())]
    NotFirstPart {
        /// What was given.
        path: PathBuf,
        /// Its number, from 1.
        part: u32,
        /// Parts in all.
        count: u32,
    },
    /// The bytes are something else.
    #[error("this is not a GGUF file but {what}")]
    Foreign {
        /// What it looks like.
        what: &'static str,
    },
    /// Written on a big-endian machine.
    #[error(
        "this GGUF file is big-endian (version bytes {version:#010x}); only little-endian files are read"
    )]
    BigEndian {
        /// The version as read.
        version: u32,
    },
    /// An unknown version.
    #[error("GGUF version {version} is not 2 or 3")]
    Version {
        /// The version.
        version: u32,
    },
    /// The file ends inside `what`.
    #[error("the file ends at byte {end}, inside {what} that begins at byte {at}")]
    Truncated {
        /// What should be there.
        what: &'static str,
        /// Where it begins.
        at: usize,
        /// Bytes in all.
        end: usize,
    },
    /// A count that the bytes left cannot hold.
    #[error("byte {at}: {count} {what} cannot fit the {left} bytes that are left")]
    Count {
        /// What is counted.
        what: &'static str,
        /// The count.
        count: u64,
        /// Where it stands.
        at: usize,
        /// Bytes after it.
        left: usize,
    },
    /// A string that is not UTF-8.
    #[error("byte {at}: {what} is not UTF-8")]
    Utf8 {
        /// Which string.
        what: &'static str,
        /// Where it begins.
        at: usize,
    },
    /// An unknown type of value.
    #[error("byte {at}: {id} is not a type of metadata value (key {key})")]
    Kind {
        /// The number.
        id: u32,
        /// The key whose value it is.
        key: String,
        /// Where it stands.
        at: usize,
    },
    /// Arrays in arrays in arrays.
    #[error("key {key}: arrays are nested more than {limit} deep")]
    Depth {
        /// The key.
        key: String,
        /// How deep they may be.
        limit: usize,
    },
    /// The same key twice.
    #[error("key {key} appears twice")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// The same tensor twice.
    #[error("tensor {tensor} appears twice")]
    DuplicateTensor {
        /// The tensor.
        tensor: String,
    },
    /// A value of another type than its key asks for.
    #[error("key {key} is {found}, not {wanted}")]
    WrongKind {
        /// The key.
        key: String,
        /// What it should be.
        wanted: &'static str,
        /// What it is.
        found: Kind,
    },
    /// An alignment that is not a power of two.
    #[error("general.alignment is {alignment}, not a power of two")]
    Alignment {
        /// The value.
        alignment: u64,
    },
    /// No or too many dimensions.
    #[error("tensor {tensor} has {count} dimensions; 1 to 4 are possible")]
    Dimensions {
        /// The tensor.
        tensor: String,
        /// How many.
        count: u32,
    },
    /// A dimension of zero or a product beyond the address space.
    #[error("tensor {tensor} has the impossible shape {dims:?}")]
    ImpossibleShape {
        /// The tensor.
        tensor: String,
        /// Its dimensions.
        dims: Vec<u64>,
    },
    /// A type of tensor that is not read.
    #[error("tensor {tensor} has GGML type {id}, which is not a weight format that is read")]
    Format {
        /// The tensor.
        tensor: String,
        /// The number.
        id: u32,
    },
    /// A tensor's rows do not fill whole blocks.
    #[error("tensor {tensor}: rows of {} do not fill blocks of {} ({format})", shape.width(), format.block_len())]
    PartialBlock {
        /// The tensor.
        tensor: String,
        /// Its shape.
        shape: Shape,
        /// Its format.
        format: Format,
    },
    /// A tensor's offset is not aligned.
    #[error("tensor {tensor} begins at offset {offset}, which is not a multiple of {alignment}")]
    Unaligned {
        /// The tensor.
        tensor: String,
        /// Where it begins in the data.
        offset: u64,
        /// The file's alignment.
        alignment: u64,
    },
    /// A tensor's bytes lie beyond the end.
    #[error("tensor {tensor} needs bytes {start} to {end} of the file, which has {len}")]
    OutOfFile {
        /// The tensor.
        tensor: String,
        /// Its first byte.
        start: u64,
        /// The byte after its last.
        end: u64,
        /// Bytes in all.
        len: usize,
    },
    /// Two tensors share bytes.
    #[error("tensors {first} and {second} overlap at byte {at} of the data")]
    Overlap {
        /// One.
        first: String,
        /// The other.
        second: String,
        /// Where the second begins.
        at: u64,
    },
    /// What is to be written does not fit what was announced.
    #[error("tensor {tensor}: {found} bytes were given for {wanted}")]
    Written {
        /// The tensor.
        tensor: String,
        /// Bytes given.
        found: usize,
        /// Bytes its shape and format need.
        wanted: usize,
    },
}
