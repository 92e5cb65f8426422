//! Tiny models of random weights, made in memory: the same bytes for the same description, everywhere.
//!
//! They have every peculiarity of their architecture, so that each has a test: shared key and value heads, biases, norms of heads,
//! windows, caps, factors, fused and tied weights.

mod tensors;
mod vocabulary;

use fidelis_engine::gguf::{OwnedValue, Writer};
use fidelis_engine::shape::Shape;
use fidelis_simd::Format;
use fidelis_simd::encode::{EncodeError, encode_row};
use rand_core::Rng;
use rand_pcg::Pcg64Mcg;

/// What kind of model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Llama 2: neighbours rotate together, a head of its own.
    Llama,
    /// Llama 3: factors for its angles, the embedding as head.
    Llama3,
    /// Gemma 2: capped scores and logits, every other layer with a window.
    Gemma2,
    /// Gemma 3: norms of heads, five of six layers with a window and angles of their own.
    Gemma3,
    /// Qwen 2: biases on queries, keys and values.
    Qwen2,
    /// Qwen 3: norms of heads, and heads wider than the residual stream divided by their number.
    Qwen3,
    /// Phi 3: one weight for queries, keys and values, and one for gate and up.
    Phi3,
    /// Phi 3 with factors for short and for long contexts.
    Phi3Long,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Llama,
        Self::Llama3,
        Self::Gemma2,
        Self::Gemma3,
        Self::Qwen2,
        Self::Qwen3,
        Self::Phi3,
        Self::Phi3Long,
    ];

    /// GGUF's name of the architecture.
    pub fn architecture(self) -> &'static str {
        match self {
            Self::Llama | Self::Llama3 => "llama",
            Self::Gemma2 => "gemma2",
            Self::Gemma3 => "gemma3",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Phi3 | Self::Phi3Long => "phi3",
        }
    }

    fn is_gemma(self) -> bool {
        matches!(self, Self::Gemma2 | Self::Gemma3)
    }

    fn is_phi(self) -> bool {
        matches!(self, Self::Phi3 | Self::Phi3Long)
    }

    fn is_tied(self) -> bool {
        self.is_gemma() || matches!(self, Self::Llama3 | Self::Qwen3)
    }

    fn norms_heads(self) -> bool {
        matches!(self, Self::Gemma3 | Self::Qwen3)
    }
}

/// A tiny model's description.
#[derive(Clone, Debug, PartialEq)]
pub struct Tiny {
    /// What kind of model.
    pub kind: Kind,
    /// Blocks of attention and feed-forward.
    pub layers: usize,
    /// Elements of the residual stream.
    pub width: usize,
    /// Elements between the products of a feed-forward block.
    pub feed_forward: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Elements of a head.
    pub head: usize,
    /// Positions trained for.
    pub context: usize,
    /// How matrices are stored; vectors are `F32`.
    pub format: Format,
    /// Of the random numbers.
    pub seed: u64,
}

/// A file that can be changed before it is written.
#[derive(Clone, Debug)]
pub struct Contents {
    /// Keys and values, in the file's order.
    pub metadata: Vec<(String, OwnedValue)>,
    /// Tensors, in the file's order.
    pub tensors: Vec<Stored>,
}

/// A tensor of a file.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The name in the file.
    pub name: String,
    /// How values are stored.
    pub format: Format,
    /// Dimensions, fastest first.
    pub shape: Shape,
    /// Row after row.
    pub bytes: Vec<u8>,
}

impl Tiny {
    /// Rows of 64 to 192 elements in `F32`: fits formats with blocks of 32 as well.
    pub fn small(kind: Kind) -> Self {
        Self {
            kind,
            layers: match kind {
                Kind::Gemma3 => 7,
                Kind::Gemma2 => 3,
                _ => 2,
            },
            width: 64,
            feed_forward: 192,
            heads: 4,
            kv_heads: 2,
            head: match kind {
                Kind::Gemma2 | Kind::Gemma3 | Kind::Qwen3 => 32,
                _ => 16,
            },
            context: 512,
            format: Format::F32,
            seed: 1,
        }
    }

    /// Rows of 256 and 512 elements: fits every format.
    pub fn blocks(kind: Kind, format: Format) -> Self {
        Self {
            width: 256,
            feed_forward: 512,
            head: match kind {
                Kind::Gemma2 | Kind::Gemma3 | Kind::Qwen3 => 128,
                _ => 64,
            },
            format,
            ..Self::small(kind)
        }
    }

    /// The file's metadata and tensors.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if the format has no encoder or its blocks do not divide a row.
    pub fn contents(&self) -> Result<Contents, EncodeError> {
        let specified = self.tensors();
        let mut tensors = Vec::with_capacity(specified.len());
        for (index, (name, shape, values)) in specified.into_iter().enumerate() {
            let format = if shape.rows() > 1 {
                self.format
            } else {
                Format::F32
            };
            let mut random = Pcg64Mcg::new(u128::from(self.seed) << 64 | (index as u128) << 1 | 1);
            let mut bytes = Vec::new();
            for _ in 0..shape.rows() {
                let row: Vec<f32> = (0..shape.width())
                    .map(|_| values.draw(&mut random))
                    .collect();
                bytes.extend(encoded(format, &row)?);
            }
            tensors.push(Stored {
                name,
                format,
                shape,
                bytes,
            });
        }
        Ok(Contents {
            metadata: self.metadata(),
            tensors,
        })
    }

    /// The file.
    ///
    /// # Errors
    ///
    /// As [`Self::contents`].
    pub fn bytes(&self) -> Result<Vec<u8>, EncodeError> {
        Ok(self.contents()?.bytes())
    }

    fn metadata(&self) -> Vec<(String, OwnedValue)> {
        let text = |text: &str| OwnedValue::Str(text.to_owned());
        let count = |n: usize| OwnedValue::U32(u32::try_from(n).expect("tiny"));
        let mut own = vec![
            ("block_count", count(self.layers)),
            ("context_length", count(self.context)),
            ("embedding_length", count(self.width)),
            ("feed_forward_length", count(self.feed_forward)),
            ("attention.head_count", count(self.heads)),
            ("attention.head_count_kv", count(self.kv_heads)),
            ("attention.key_length", count(self.head)),
            ("attention.value_length", count(self.head)),
            ("rope.dimension_count", count(self.head)),
            (
                "attention.layer_norm_rms_epsilon",
                OwnedValue::F32(if self.kind.is_gemma() { 1e-6 } else { 1e-5 }),
            ),
            ("rope.freq_base", OwnedValue::F32(self.base())),
        ];
        if self.kind.is_gemma() {
            own.push(("attention.sliding_window", count(8)));
        }
        if self.kind == Kind::Gemma2 {
            own.push(("attn_logit_softcapping", OwnedValue::F32(50.0)));
            own.push(("final_logit_softcapping", OwnedValue::F32(30.0)));
        }
        if self.kind == Kind::Phi3Long {
            let original = "rope.scaling.original_context_length";
            own.push((original, count(self.context / 2)));
            own.push(("rope.scaling.attn_factor", OwnedValue::F32(1.19)));
        }
        let architecture = self.kind.architecture();
        let general = [
            ("general.architecture".to_owned(), text(architecture)),
            (
                "general.name".to_owned(),
                text(&format!("tiny {:?}", self.kind)),
            ),
        ];
        let own = own
            .into_iter()
            .map(|(key, value)| (format!("{architecture}.{key}"), value));
        general
            .into_iter()
            .chain(own)
            .chain(vocabulary::metadata())
            .collect()
    }

    fn base(&self) -> f32 {
        match self.kind {
            Kind::Llama | Kind::Gemma2 | Kind::Phi3 | Kind::Phi3Long => 10_000.0,
            Kind::Llama3 => 500_000.0,
            Kind::Gemma3 | Kind::Qwen2 | Kind::Qwen3 => 1_000_000.0,
        }
    }
}

fn encoded(format: Format, row: &[f32]) -> Result<Vec<u8>, EncodeError> {
    let bytes = format
        .bytes_of(row.len())
        .ok_or(EncodeError::PartialBlock {
            format,
            values: row.len(),
        })?;
    let mut out = vec![0; bytes];
    encode_row(format, row, &mut out)?;
    Ok(out)
}

/// How a tensor's values are drawn: evenly between two numbers.
#[derive(Clone, Copy, Debug)]
struct Values {
    from: f32,
    to: f32,
}

impl Values {
    fn draw(self, random: &mut Pcg64Mcg) -> f32 {
        // 24 bits: every step is exact, so is the product with a power of two.
        let unit = (random.next_u32() >> 8) as f32 / (1 << 24) as f32;
        self.from + (self.to - self.from) * unit
    }
}

impl Contents {
    /// Sets a key, in its place if it is there.
    pub fn set(&mut self, key: &str, value: OwnedValue) -> &mut Self {
        match self.metadata.iter_mut().find(|(at, _)| at == key) {
            Some((_, old)) => *old = value,
            None => self.metadata.push((key.to_owned(), value)),
        }
        self
    }

    /// Removes a key.
    ///
    /// # Panics
    ///
    /// If it is not there.
    pub fn unset(&mut self, key: &str) -> &mut Self {
        let at = self.metadata.iter().position(|(at, _)| at == key);
        self.metadata.remove(at.expect("the key is there"));
        self
    }

    /// Adds a tensor of ones in `F32`.
    pub fn add(&mut self, name: &str, shape: Shape) -> &mut Self {
        self.tensors.push(Stored {
            name: name.to_owned(),
            format: Format::F32,
            shape,
            bytes: 1.0_f32.to_le_bytes().repeat(shape.len()),
        });
        self
    }

    /// Removes a tensor.
    ///
    /// # Panics
    ///
    /// If it is not there.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        let at = self.tensors.iter().position(|tensor| tensor.name == name);
        self.tensors.remove(at.expect("the tensor is there"));
        self
    }

    /// Puts a tensor of ones in `F32` in another's place.
    ///
    /// # Panics
    ///
    /// If that is not there.
    pub fn reshape(&mut self, name: &str, shape: Shape) -> &mut Self {
        self.remove(name).add(name, shape)
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        for (key, value) in &self.metadata {
            writer.set(key, value.clone());
        }
        for tensor in &self.tensors {
            let bytes = &tensor.bytes;
            writer.tensor(&tensor.name, tensor.format, tensor.shape, move |to| {
                to.write_all(bytes)
            });
        }
        let mut out = Vec::new();
        writer
            .write(&mut out)
            .expect("memory takes everything, and every tensor has its bytes");
        out
    }
}
