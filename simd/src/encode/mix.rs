//! Mixes: which tensor of a model is stored in which format.
//!
//! A mix has a base format; some tensors are given more bits, by what they are and how deep they
//! lie. The decisions are those of `llama-quantize`, for models without experts:
//!
//! ```text
//! not a matrix of weights, or a norm      as it is in the source
//! the matrix that gives the logits        Q6_K, but Q8_0 where that is the base or rows do not fit
//! attn_v (or the fused attn_qkv)          Q4_K_M, Q5_K_M: Q6_K in the chosen layers
//!                                         Q4_K_S: Q5_K in the first four
//! ffn_down                                Q4_K_M, Q5_K_M: Q6_K in the chosen layers
//!                                         Q4_K_S: Q5_K in the first eighth
//! anything else                           the base
//! ```
//!
//! The chosen layers are the first eighth, the last eighth and every third in between. A format
//! whose blocks a row does not fill gives way to one with blocks of 32, and that to `F16`.

use crate::Format;

macro_rules! mixes {
    ($($(#[$doc:meta])* $Name:ident = $id:literal, $base:ident;)+) => {
        /// A choice of formats for all tensors of a model.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(non_camel_case_types, reason = "the names are llama.cpp's")]
        pub enum Mix { $($(#[$doc])* $Name),+ }

        impl Mix {
            /// Every mix.
            pub const ALL: &[Self] = &[$(Self::$Name),+];

            /// llama.cpp's name of the mix.
            pub fn name(self) -> &'static str {
                match self { $(Self::$Name => stringify!($Name)),+ }
            }

            /// The number a file states as `general.file_type`.
            pub fn file_type(self) -> u32 {
                match self { $(Self::$Name => $id),+ }
            }

            /// The format of tensors that nothing is special about.
            pub fn base(self) -> Format {
                match self { $(Self::$Name => Format::$base),+ }
            }
        }
    };
}

mixes! {
    /// Floats of 32 bits.
    F32 = 0, F32;
    /// Halves.
    F16 = 1, F16;
    /// Upper halves of floats.
    BF16 = 32, BF16;
    /// 4 bits, simple blocks.
    Q4_0 = 2, Q4_0;
    /// 5 bits, simple blocks.
    Q5_0 = 8, Q5_0;
    /// 8 bits, simple blocks.
    Q8_0 = 7, Q8_0;
    /// 4 bits, a few tensors 5.
    Q4_K_S = 14, Q4_K;
    /// 4 bits, a few tensors 6.
    Q4_K_M = 15, Q4_K;
    /// 5 bits.
    Q5_K_S = 16, Q5_K;
    /// 5 bits, a few tensors 6.
    Q5_K_M = 17, Q5_K;
    /// 6 bits.
    Q6_K = 18, Q6_K;
}

impl Mix {
    /// The mix called `name`, in any case; `Q4_K` and `Q5_K` alone mean the larger of the two.
    pub fn named(name: &str) -> Option<Self> {
        let medium = |mix: &Self| mix.name().strip_suffix("_M");
        Self::ALL.iter().copied().find(|mix| {
            let names = [Some(mix.name()), medium(mix)];
            let mut names = names.into_iter().flatten();
            names.any(|own| own.eq_ignore_ascii_case(name))
        })
    }
}

impl std::fmt::Display for Mix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// What a mix needs to know of a model.
#[derive(Clone, Copy, Debug)]
pub struct ModelFacts<'a> {
    /// `general.architecture`.
    pub architecture: &'a str,
    /// Layers, `block_count`.
    pub layers: usize,
    /// Query heads of a layer.
    pub heads: usize,
    /// Key and value heads of a layer.
    pub kv_heads: usize,
}

/// What a mix needs to know of a tensor.
#[derive(Clone, Copy, Debug)]
pub struct TensorFacts<'a> {
    /// Its name in the file.
    pub name: &'a str,
    /// Its dimensions in the file's order: the width of a row first.
    pub shape: &'a [usize],
    /// The format it has in the source.
    pub format: Format,
}

/// What a tensor is for.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    TokenEmbedding,
    Output,
    Value,
    FeedForwardDown,
    Other,
}

/// Parts of names of matrices that are not quantised.
const KEPT: [&str; 3] = ["_norm.weight", "ffn_gate_inp.weight", ".position_embd"];
/// Names of matrices that are not quantised.
const KEPT_WHOLE: [&str; 2] = ["position_embd.weight", "token_types.weight"];

impl TensorFacts<'_> {
    fn role(&self) -> Role {
        let has = |part| self.name.contains(part);
        match self.name {
            "output.weight" => Role::Output,
            "token_embd.weight" | "per_layer_token_embd.weight" => Role::TokenEmbedding,
            _ if has("attn_qkv.weight") || has("attn_v.weight") => Role::Value,
            // The other attention matrices are looked for first, should a name have both parts.
            _ if has("attn_k.weight") || has("attn_q.weight") || has("attn_output.weight") => {
                Role::Other
            }
            _ if has("ffn_up") || has("ffn_gate") => Role::Other,
            _ if has("ffn_down") => Role::FeedForwardDown,
            _ => Role::Other,
        }
    }

    /// The layer, −1 if none: tensors are counted in this order, names breaking ties.
    fn layer(&self) -> i64 {
        let digits = self
            .name
            .strip_prefix("blk.")
            .and_then(|rest| rest.split('.').next());
        digits.and_then(|digits| digits.parse().ok()).unwrap_or(-1)
    }

    fn is_quantised(&self) -> bool {
        self.shape.iter().skip(1).any(|&size| size > 1)
            && self.name.ends_with("weight")
            && !KEPT.iter().any(|part| self.name.contains(part))
            && !KEPT_WHOLE.contains(&self.name)
    }
}

/// The format for each of a model's `tensors`, in their order.
///
/// All tensors of the model must be given: decisions depend on how many there are of a kind.
pub fn assign(mix: Mix, model: &ModelFacts<'_>, tensors: &[TensorFacts<'_>]) -> Vec<Format> {
    let mut formats: Vec<Format> = tensors.iter().map(|tensor| tensor.format).collect();
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by_key(|&i| (tensors[i].layer(), tensors[i].name));
    let mut chooser = Chooser {
        mix,
        layers: model.layers,
        is_70b: model.layers == 80
            && match model.architecture {
                "llama" => model.heads != model.kv_heads,
                architecture => architecture == "qwen2",
            },
        is_tied: !tensors.iter().any(|tensor| tensor.role() == Role::Output),
        values: tensors
            .iter()
            .filter(|tensor| tensor.role() == Role::Value)
            .count(),
        value: 0,
        down: 0,
    };
    for i in order {
        if !tensors[i].is_quantised() {
            continue;
        }
        let width = tensors[i].shape[0];
        formats[i] = if mix.base().is_float() {
            mix.base()
        } else {
            fitting(chooser.wanted(tensors[i].role(), width), width)
        };
    }
    formats
}

/// Counts tensors of a kind while choosing.
struct Chooser {
    mix: Mix,
    layers: usize,
    is_70b: bool,
    is_tied: bool,
    /// How many value matrices there are.
    values: usize,
    /// How many of them have been seen.
    value: usize,
    /// How many down matrices have been seen.
    down: usize,
}

impl Chooser {
    /// The format for the next tensor, whether or not its rows fit.
    fn wanted(&mut self, role: Role, width: usize) -> Format {
        let base = self.mix.base();
        match role {
            Role::Output => self.logits(width),
            Role::TokenEmbedding if self.is_tied => self.logits(width),
            Role::Value => {
                let format = match self.mix {
                    Mix::Q4_K_M | Mix::Q5_K_M if is_chosen(self.value, self.values) => Format::Q6_K,
                    Mix::Q4_K_S if self.value < 4 => Format::Q5_K,
                    _ => base,
                };
                self.value += 1;
                // Eight heads share these values: they are small and matter.
                if self.is_70b && format == Format::Q4_K {
                    Format::Q5_K
                } else {
                    format
                }
            }
            Role::FeedForwardDown => {
                let format = match self.mix {
                    Mix::Q4_K_M | Mix::Q5_K_M if is_chosen(self.down, self.layers) => Format::Q6_K,
                    Mix::Q4_K_S if self.down < self.layers / 8 => Format::Q5_K,
                    _ => base,
                };
                self.down += 1;
                format
            }
            Role::TokenEmbedding | Role::Other => base,
        }
    }

    /// The format of the matrix that gives the logits.
    fn logits(&self, width: usize) -> Format {
        let base = self.mix.base();
        if base == Format::Q8_0 || !width.is_multiple_of(base.block_len()) {
            Format::Q8_0
        } else {
            Format::Q6_K
        }
    }
}

/// Whether layer `index` of `count` is one of those with more bits.
fn is_chosen(index: usize, count: usize) -> bool {
    let eighth = count / 8;
    index < eighth || index >= 7 * count / 8 || (index - eighth) % 3 == 2
}

/// `format`, or what takes its place for rows of `width`.
fn fitting(format: Format, width: usize) -> Format {
    let fits = |format: Format| width.is_multiple_of(format.block_len());
    let smaller = match format {
        format if fits(format) => format,
        Format::Q4_K => Format::Q5_0,
        Format::Q5_K => Format::Q5_1,
        Format::Q6_K => Format::Q8_0,
        format => format,
    };
    if fits(smaller) { smaller } else { Format::F16 }
}
