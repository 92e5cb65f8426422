//! The weight formats of GGUF files, by name and number.

use std::fmt;

macro_rules! formats {
    ($($(#[$doc:meta])* $Name:ident = $id:literal, $text:literal, $len:literal per $bytes:literal;)+) => {
        /// How the values of a tensor are stored.
        ///
        /// Numbers and names are GGML's.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(non_camel_case_types, reason = "the names are GGML's")]
        pub enum Format { $($(#[$doc])* $Name),+ }

        impl Format {
            /// Every format, in the order of GGML's numbers.
            pub const ALL: &[Self] = &[$(Self::$Name),+];

            /// The format with GGML's number `id`.
            pub fn from_id(id: u32) -> Option<Self> {
                match id { $($id => Some(Self::$Name),)+ _ => None }
            }

            /// GGML's number of the format.
            pub fn id(self) -> u32 {
                match self { $(Self::$Name => $id),+ }
            }

            /// GGML's name of the format.
            pub fn name(self) -> &'static str {
                match self { $(Self::$Name => $text),+ }
            }

            /// Values in a block.
            pub fn block_len(self) -> usize {
                match self { $(Self::$Name => $len),+ }
            }

            /// Bytes in a block.
            pub fn block_bytes(self) -> usize {
                match self { $(Self::$Name => $bytes),+ }
            }
        }
    };
}

formats! {
    /// 32-bit floats.
    F32 = 0, "F32", 1 per 4;
    /// 16-bit floats with 5 bits of exponent.
    F16 = 1, "F16", 1 per 2;
    /// 4 bits, a scale per 32.
    Q4_0 = 2, "Q4_0", 32 per 18;
    /// 4 bits, a scale and a minimum per 32.
    Q4_1 = 3, "Q4_1", 32 per 20;
    /// 5 bits, a scale per 32.
    Q5_0 = 6, "Q5_0", 32 per 22;
    /// 5 bits, a scale and a minimum per 32.
    Q5_1 = 7, "Q5_1", 32 per 24;
    /// 8 bits, a scale per 32.
    Q8_0 = 8, "Q8_0", 32 per 34;
    /// 2 bits, 4-bit scales and minima per 16.
    Q2_K = 10, "Q2_K", 256 per 84;
    /// 3 bits, 6-bit scales per 16.
    Q3_K = 11, "Q3_K", 256 per 110;
    /// 4 bits, 6-bit scales and minima per 32.
    Q4_K = 12, "Q4_K", 256 per 144;
    /// 5 bits, 6-bit scales and minima per 32.
    Q5_K = 13, "Q5_K", 256 per 176;
    /// 6 bits, 8-bit scales per 16.
    Q6_K = 14, "Q6_K", 256 per 210;
    /// 2.06 bits: a lattice point and signs for every 8.
    IQ2_XXS = 16, "IQ2_XXS", 256 per 66;
    /// 2.31 bits: a lattice point and signs for every 8.
    IQ2_XS = 17, "IQ2_XS", 256 per 74;
    /// 3.06 bits: a lattice point for every 4, signs for every 8.
    IQ3_XXS = 18, "IQ3_XXS", 256 per 98;
    /// 1.56 bits: a ternary lattice point for every 8.
    IQ1_S = 19, "IQ1_S", 256 per 50;
    /// 4 bits through a table of 16 levels, a scale per 32.
    IQ4_NL = 20, "IQ4_NL", 32 per 18;
    /// 3.44 bits: a lattice point for every 4.
    IQ3_S = 21, "IQ3_S", 256 per 110;
    /// 2.56 bits: a lattice point for every 8.
    IQ2_S = 22, "IQ2_S", 256 per 82;
    /// 4.25 bits through a table of 16 levels, 6-bit scales per 32.
    IQ4_XS = 23, "IQ4_XS", 256 per 136;
    /// 1.75 bits: a ternary lattice point for every 8.
    IQ1_M = 29, "IQ1_M", 256 per 56;
    /// 16-bit floats with 8 bits of exponent.
    BF16 = 30, "BF16", 1 per 2;
    /// Ternary, 5 values in a byte.
    TQ1_0 = 34, "TQ1_0", 256 per 54;
    /// Ternary, 2 bits a value.
    TQ2_0 = 35, "TQ2_0", 256 per 66;
    /// 4-bit floats, a power of two per 32.
    MXFP4 = 39, "MXFP4", 32 per 17;
    /// 4-bit floats, an 8-bit float scale per 16.
    NVFP4 = 40, "NVFP4", 64 per 36;
}

impl Format {
    /// The format called `name`, in any case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|format| format.name().eq_ignore_ascii_case(name))
    }

    /// Bytes of `len` values, if they fill whole blocks.
    pub fn bytes_of(self, len: usize) -> Option<usize> {
        len.is_multiple_of(self.block_len())
            .then(|| len / self.block_len() * self.block_bytes())
    }

    /// Whether values are floats rather than integers with a scale.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F16 | Self::BF16)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
