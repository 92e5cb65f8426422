//! A model's file: its header, every value and tensor, and what they mean.

use fidelis_engine::gguf::{Array, Gguf, Value};
use fidelis_engine::model::Model;
use fidelis_engine::tensor::Tensor;
use fidelis_engine::text::{ChatTemplate, Tokenizer};
use fidelis_simd::Level;
use fidelis_simd::dense::Dequantise;
use std::hint::black_box;

/// Reads `bytes` as a GGUF file.
pub fn gguf(bytes: &[u8]) {
    let Ok(gguf) = Gguf::read(bytes) else {
        return;
    };
    for (_, value) in gguf.metadata() {
        look(value);
    }
    for tensor in gguf.tensors() {
        decode(tensor);
    }
    let _ = black_box(Model::read(&gguf));
    let _ = black_box(Model::read_for_context(&gguf, 1 << 20));
    let _ = black_box(ChatTemplate::read(&gguf, "", "").is_ok());
    let _ = black_box(Tokenizer::read(&gguf).is_ok());
}

fn look(value: &Value<'_>) {
    black_box((value.as_u64(), value.as_f64(), value.kind()));
    if let Value::Array(array) = value {
        elements(array);
    }
}

fn elements(array: &Array<'_>) {
    black_box((array.strings(), array.f32s(), array.u32s()));
    let mut found = 0;
    for value in array.values() {
        look(&value);
        found += 1;
    }
    assert_eq!(
        found,
        array.len(),
        "an array that was read has its elements"
    );
}

/// The first and the last row.
fn decode(tensor: &Tensor<'_>) {
    let level = Level::named("scalar").expect("always there");
    for row in [0, tensor.shape.rows() - 1] {
        let mut values = vec![0.0; tensor.shape.width()];
        Dequantise {
            format: tensor.format,
            row: tensor.row(row),
            out: &mut values,
        }
        .on(level);
        black_box(values);
    }
}
