//! Broken and hostile files: an error that names what is wrong, never a panic.

use fidelis_engine::gguf::{File, Gguf, GgufError, Kind, OwnedValue, Writer};
use fidelis_engine::shape::Shape;
use fidelis_simd::Format;
use rand_core::Rng;
use rand_pcg::Pcg64Mcg;

/// Mutations; Miri, which looks at every access, takes a thousand times as long.
const MUTATIONS: usize = if cfg!(miri) { 60 } else { 200_000 };

/// A small whole file: a key of every kind and two tensors.
fn file() -> Vec<u8> {
    let mut writer = Writer::default();
    let values = [
        ("a.u8", OwnedValue::U8(200)),
        ("a.i8", OwnedValue::I8(-5)),
        ("a.u16", OwnedValue::U16(60_000)),
        ("a.i16", OwnedValue::I16(-300)),
        ("a.u32", OwnedValue::U32(4_000_000_000)),
        ("a.i32", OwnedValue::I32(-70_000)),
        ("a.f32", OwnedValue::F32(1.5)),
        ("a.bool", OwnedValue::Bool(true)),
        ("a.str", OwnedValue::Str("grüße".to_owned())),
        ("a.u64", OwnedValue::U64(1 << 40)),
        ("a.i64", OwnedValue::I64(-1)),
        ("a.f64", OwnedValue::F64(0.5)),
        ("a.strings", OwnedValue::strings(["x", "", "yz"])),
        (
            "a.nested",
            OwnedValue::Array(
                Kind::Array,
                vec![OwnedValue::i32s(&[1, 2]), OwnedValue::f32s(&[0.5])],
            ),
        ),
    ];
    for (key, value) in values {
        writer.set(key, value);
    }
    writer.tensor("first", Format::F32, Shape::matrix(4, 3), |to| {
        to.write_all(&[7; 48])
    });
    writer.tensor("second", Format::Q8_0, Shape::vector(32), |to| {
        to.write_all(&[9; 34])
    });
    let mut bytes = Vec::new();
    writer.write(&mut bytes).expect("memory takes everything");
    bytes
}

#[test]
fn what_is_written_is_read() {
    let bytes = file();
    let gguf = Gguf::read(&bytes).expect("a whole file");
    assert_eq!(gguf.version(), 3);
    assert_eq!(gguf.u32("a.u8").expect("an integer"), Some(200));
    assert_eq!(gguf.str("a.str").expect("a string"), Some("grüße"));
    assert_eq!(gguf.bool("a.bool").expect("a truth value"), Some(true));
    assert_eq!(gguf.f32("a.f64").expect("a number"), Some(0.5));
    assert_eq!(gguf.u32("absent").expect("no error"), None);
    let strings = gguf
        .array("a.strings")
        .expect("an array")
        .and_then(|array| array.strings());
    assert_eq!(strings, Some(vec!["x", "", "yz"]));
    let tensor = gguf.tensor("second").expect("a tensor");
    assert_eq!(
        (tensor.format, tensor.shape, tensor.bytes),
        (Format::Q8_0, Shape::vector(32), &[9; 34][..])
    );
    let error = gguf.u32("a.i64").expect_err("negative").to_string();
    assert_eq!(error, "key a.i64 is i64, not an unsigned 32-bit integer");
}

#[test]
fn a_version_2_file_written_by_hand_is_read() {
    let mut bytes = b"GGUF\x02\0\0\0".to_vec();
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(pair("key", 4, &42_u32.to_le_bytes()));
    bytes.extend(entry("t", &[2], 0, 0));
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    bytes.extend(1.0_f32.to_le_bytes());
    bytes.extend((-2.0_f32).to_le_bytes());
    let gguf = Gguf::read(&bytes).expect("a whole file");
    assert_eq!(
        (gguf.version(), gguf.u32("key").expect("an integer")),
        (2, Some(42))
    );
    assert_eq!(gguf.tensors()[0].bytes, [0, 0, 128, 63, 0, 0, 0, 192]);
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let bytes = file();
    // The padding after the last tensor, 30 bytes, may be missing.
    for len in (0..bytes.len() - 30).step_by(if cfg!(miri) { 17 } else { 1 }) {
        assert!(Gguf::read(&bytes[..len]).is_err(), "cut at {len}");
    }
}

#[test]
fn flipped_bytes_never_panic() {
    let whole = file();
    let mut random = Pcg64Mcg::new(7);
    for _ in 0..MUTATIONS {
        let mut bytes = whole.clone();
        for _ in 0..1 + random.next_u32() % 3 {
            let at = random.next_u32() as usize % bytes.len();
            bytes[at] = random.next_u32() as u8;
        }
        if let Ok(gguf) = Gguf::read(&bytes) {
            for tensor in gguf.tensors() {
                assert_eq!(tensor.bytes.len(), tensor.row_bytes() * tensor.shape.rows());
            }
        }
    }
}

/// A header of these counts, then these bytes.
fn header(tensors: u64, keys: u64, rest: &[u8]) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend(tensors.to_le_bytes());
    bytes.extend(keys.to_le_bytes());
    bytes.extend(rest);
    bytes
}

/// A tensor's entry.
fn entry(name: &str, dims: &[u64], kind: u32, offset: u64) -> Vec<u8> {
    let mut bytes = (name.len() as u64).to_le_bytes().to_vec();
    bytes.extend(name.as_bytes());
    bytes.extend((dims.len() as u32).to_le_bytes());
    dims.iter().for_each(|dim| bytes.extend(dim.to_le_bytes()));
    bytes.extend(kind.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes
}

/// A key with a value of a kind.
fn pair(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
    let mut bytes = (key.len() as u64).to_le_bytes().to_vec();
    bytes.extend(key.as_bytes());
    bytes.extend(kind.to_le_bytes());
    bytes.extend(value);
    bytes
}

fn refused(bytes: &[u8], wanted: &str) {
    let error = Gguf::read(bytes).expect_err(wanted).to_string();
    assert!(error.contains(wanted), "{error:?} does not say {wanted:?}");
}

#[test]
fn what_is_no_gguf_file_is_called_by_its_name() {
    refused(b"", "an empty file");
    refused(b"PK\x03\x04....", "PyTorch");
    refused(b"<!DOCTYPE html>", "web page");
    refused(b"version https://git-lfs.github.com/spec/v1", "Git LFS");
    refused(b"\x40\0\0\0\0\0\0\0{\"a\":{}}", "safetensors");
    refused(b"tjgg\x01\0\0\0", "before GGUF");
    refused(b"GGUF\0\0\0\x03", "big-endian");
    refused(b"GGUF\x09\0\0\0", "version 9");
    refused(b"GGUF\x09", "ends at byte 5");
}

#[test]
fn every_lie_in_the_metadata_is_named() {
    refused(
        &header(u64::MAX, 0, &[]),
        "18446744073709551615 tensors cannot fit",
    );
    refused(&header(0, 1 << 60, &[]), "metadata keys cannot fit");
    refused(
        &header(0, 1, &(1_u64 << 63).to_le_bytes().repeat(3)),
        "9223372036854775808 a metadata key cannot fit",
    );
    refused(
        &header(0, 1, &pair("k", 99, &[0; 16])),
        "99 is not a type of metadata value (key k)",
    );
    let nested = [
        9_u32.to_le_bytes().as_slice(),
        1_u64.to_le_bytes().as_slice(),
    ]
    .concat()
    .repeat(9);
    refused(
        &header(0, 1, &pair("deep", 9, &nested)),
        "key deep: arrays are nested more than 4 deep",
    );
    refused(
        &header(0, 2, &[pair("k", 7, &[1]), pair("k", 7, &[1])].concat()),
        "key k appears twice",
    );
    refused(
        &header(0, 1, &pair("general.alignment", 4, &0_u32.to_le_bytes())),
        "general.alignment is 0",
    );
    refused(
        &header(0, 1, &pair("general.alignment", 4, &24_u32.to_le_bytes())),
        "general.alignment is 24",
    );
    refused(
        &header(0, 1, &pair("k", 8, &[1, 0, 0, 0, 0, 0, 0, 0, 0xff])),
        "is not UTF-8",
    );
}

#[test]
fn every_lie_about_a_tensor_is_named() {
    let tensors = |entries: &[Vec<u8>]| {
        let mut bytes = header(entries.len() as u64, 0, &entries.concat());
        bytes.resize(bytes.len().next_multiple_of(32) + 64, 0);
        bytes
    };
    let one = |dims: &[u64], kind, offset| tensors(&[entry("t", dims, kind, offset)]);
    refused(&one(&[], 0, 0), "tensor t has 0 dimensions");
    refused(&one(&[1; 5], 0, 0), "tensor t has 5 dimensions");
    refused(
        &one(&[4, 0], 0, 0),
        "tensor t has the impossible shape [4, 0]",
    );
    refused(&one(&[1 << 40, 1 << 40], 0, 0), "impossible shape");
    refused(&one(&[4], 77, 0), "tensor t has GGML type 77");
    refused(
        &one(&[100], 12, 0),
        "rows of 100 do not fill blocks of 256 (Q4_K)",
    );
    refused(&one(&[4], 0, 5), "tensor t begins at offset 5");
    refused(&one(&[4], 0, 1 << 50), "tensor t needs bytes");
    refused(&one(&[4000], 0, 0), "tensor t needs bytes");
    refused(
        &tensors(&[entry("a", &[10], 0, 0), entry("b", &[4], 0, 32)]),
        "tensors a and b overlap at byte 32",
    );
    refused(
        &tensors(&[entry("a", &[4], 0, 0), entry("a", &[4], 0, 32)]),
        "tensor a appears twice",
    );
}

#[test]
#[cfg_attr(miri, ignore = "Miri maps no files")]
fn a_split_file_is_read_whole_and_a_missing_part_is_named() {
    let folder = std::env::temp_dir().join(format!("fidelis-split-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let part = |number: u32, name: &str| {
        let path = folder.join(format!("m-{number:05}-of-00002.gguf"));
        let mut writer = Writer::default();
        writer.set("general.name", OwnedValue::Str(format!("part {number}")));
        writer.tensor(name, Format::F32, Shape::vector(2), |to| {
            to.write_all(&[0; 8])
        });
        writer.write_file(&path).expect("a writable folder");
        path
    };
    let first = part(1, "a");
    let missing = File::open(&first).expect_err("a part is missing");
    assert!(
        matches!(missing, GgufError::MissingPart { count: 2, .. }),
        "{missing}"
    );
    let second = part(2, "b");
    let file = File::open(&first).expect("both parts");
    let gguf = file.gguf().expect("both headers");
    assert_eq!(gguf.str("general.name").expect("a string"), Some("part 1"));
    assert!(gguf.tensor("a").is_some() && gguf.tensor("b").is_some());
    let wrong = File::open(&second).expect_err("not the first");
    assert!(
        matches!(wrong, GgufError::NotFirstPart { part: 2, .. }),
        "{wrong}"
    );
    std::fs::remove_dir_all(&folder).expect("our own folder");
}
