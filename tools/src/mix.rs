//! Which format each tensor of a quantised file gets: llama.cpp's mixes and fallbacks.

use fidelis_engine::shape::Shape;
use fidelis_simd::Format;

/// A format for most tensors, with better ones where errors hurt most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mix {
    /// The same for every matrix but the head.
    All(Format),
    /// Few layers better.
    Small(Format),
    /// Half of the layers better.
    Medium(Format),
}

impl Mix {
    /// A mix by llama.cpp's name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "Q4_K_S" => Some(Self::Small(Format::Q4_K)),
            "Q4_K_M" | "Q4_K" => Some(Self::Medium(Format::Q4_K)),
            "Q5_K_S" => Some(Self::All(Format::Q5_K)),
            "Q5_K_M" | "Q5_K" => Some(Self::Medium(Format::Q5_K)),
            plain => Format::named(plain).map(Self::All),
        }
    }

    /// `general.file_type`, if llama.cpp has a number for the mix.
    pub(crate) fn file_type(self) -> Option<u32> {
        Some(match self {
            Self::All(Format::F32) => 0,
            Self::All(Format::F16) => 1,
            Self::All(Format::Q4_0) => 2,
            Self::All(Format::Q4_1) => 3,
            Self::All(Format::Q8_0) => 7,
            Self::All(Format::Q5_0) => 8,
            Self::All(Format::Q5_1) => 9,
            Self::All(Format::Q2_K) => 10,
            Self::All(Format::Q3_K) => 11,
            Self::Small(Format::Q4_K) => 14,
            Self::Medium(Format::Q4_K) => 15,
            Self::All(Format::Q5_K) => 16,
            Self::Medium(Format::Q5_K) => 17,
            Self::All(Format::Q6_K) => 18,
            Self::All(Format::IQ4_NL) => 25,
            Self::All(Format::IQ4_XS) => 30,
            Self::All(Format::BF16) => 32,
            _ => return None,
        })
    }

    /// The format of most matrices.
    pub(crate) fn base(self) -> Format {
        match self {
            Self::All(format) | Self::Small(format) | Self::Medium(format) => format,
        }
    }

    /// The format of tensor `name` of a model with so many layers; `tied`: there is no `output.weight`.
    pub(crate) fn format(self, name: &str, shape: Shape, layers: usize, tied: bool) -> Format {
        let is_matrix = shape.rows() > 1 && name.ends_with(".weight") && !name.contains("_norm");
        if !is_matrix {
            return Format::F32;
        }
        fallback(self.wanted(name, layers, tied), shape.width())
    }

    fn wanted(self, name: &str, layers: usize, tied: bool) -> Format {
        let base = self.base();
        if base.is_float() {
            return base;
        }
        if name == "output.weight" || (tied && name == "token_embd.weight") {
            return if base == Format::Q8_0 {
                base
            } else {
                Format::Q6_K
            };
        }
        let layer = name
            .strip_prefix("blk.")
            .and_then(|rest| rest.split('.').next()?.parse().ok())
            .unwrap_or(0);
        let sensitive = name.contains(".attn_v.") || name.contains(".ffn_down.");
        match self {
            Self::Medium(_) if sensitive && more_bits(layer, layers) => Format::Q6_K,
            Self::Medium(Format::Q4_K) if name.contains(".attn_qkv.") => Format::Q5_K,
            Self::Medium(Format::Q5_K) if name.contains(".attn_qkv.") => Format::Q6_K,
            Self::Small(_) if name.contains(".attn_v.") && layer < 4 => Format::Q5_K,
            Self::Small(_) if name.contains(".ffn_down.") && layer < layers / 8 => Format::Q5_K,
            _ => base,
        }
    }
}

/// The first and last eighth of the layers, and every third between.
fn more_bits(layer: usize, layers: usize) -> bool {
    layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2
}

/// What rows that fill no blocks of 256, or of 32, get instead.
fn fallback(format: Format, width: usize) -> Format {
    if width % format.block_len() == 0 {
        return format;
    }
    let smaller = match format {
        Format::Q2_K | Format::Q3_K | Format::IQ4_XS => Format::IQ4_NL,
        Format::Q4_K => Format::Q5_0,
        Format::Q5_K => Format::Q5_1,
        Format::Q6_K => Format::Q8_0,
        _ => Format::F16,
    };
    if width % smaller.block_len() == 0 {
        smaller
    } else {
        Format::F16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn better(mix: Mix, tensor: &str, width: usize, layers: usize) -> Vec<usize> {
        let format = |layer: usize| {
            mix.format(
                &format!("blk.{layer}.{tensor}.weight"),
                Shape::matrix(width, 256),
                layers,
                false,
            )
        };
        let base = mix.format(
            &format!("blk.0.attn_q.weight"),
            Shape::matrix(width, 256),
            layers,
            false,
        );
        (0..layers).filter(|&layer| format(layer) != base).collect()
    }

    // As llama-quantize decides for the public TinyLlama 1.1B and Gemma 3 1B files.
    #[test]
    fn the_better_layers_are_those_of_the_public_files() {
        let medium = Mix::Medium(Format::Q4_K);
        assert_eq!(
            better(medium, "attn_v", 2048, 22),
            [0, 1, 4, 7, 10, 13, 16, 19, 20, 21]
        );
        assert_eq!(
            better(medium, "ffn_down", 2048, 22),
            [0, 1, 4, 7, 10, 13, 16, 19, 20, 21]
        );
        assert_eq!(
            better(medium, "attn_v", 1152, 26),
            [0, 1, 2, 5, 8, 11, 14, 17, 20, 22, 23, 24, 25]
        );
        let gemma = |name: &str, width| medium.format(name, Shape::matrix(width, 256), 26, true);
        assert_eq!(gemma("token_embd.weight", 1152), Format::Q8_0);
        assert_eq!(gemma("blk.0.attn_q.weight", 1152), Format::Q5_0);
        assert_eq!(gemma("blk.0.attn_v.weight", 1152), Format::Q8_0);
        assert_eq!(gemma("blk.3.attn_v.weight", 1152), Format::Q5_0);
        assert_eq!(gemma("blk.0.attn_output.weight", 1024), Format::Q4_K);
        assert_eq!(gemma("blk.0.ffn_down.weight", 6912), Format::Q6_K);
        assert_eq!(
            medium.format("output.weight", Shape::matrix(2048, 32000), 22, false),
            Format::Q6_K
        );
        assert_eq!(
            medium.format("token_embd.weight", Shape::matrix(2048, 32000), 22, false),
            Format::Q4_K
        );
    }
}
