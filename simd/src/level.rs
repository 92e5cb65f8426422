//! The levels, and the choice among them.

#[cfg(target_arch = "x86_64")]
#[path = "level/choice_x86.rs"]
mod choice;
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
#[path = "level/choice_aarch64.rs"]
mod choice;
#[cfg(not(any(
    target_arch = "x86_64",
    all(target_arch = "aarch64", target_endian = "little")
)))]
#[path = "level/choice_other.rs"]
mod choice;
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
mod neon;
mod portable;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use choice::Level;
pub(crate) use scalar::Scalar;

/// The environment variable that caps the level, by name.
pub const LEVEL_VARIABLE: &str = "FIDELIS_LEVEL";

/// A level was asked for that this machine lacks or nobody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSuchLevel {
    /// What was asked for.
    pub asked: String,
    /// What this machine can run.
    pub available: Vec<&'static str>,
}

impl std::error::Error for NoSuchLevel {}

impl std::fmt::Display for NoSuchLevel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "this machine cannot run the SIMD level {:?}; it has {}",
            self.asked,
            self.available.join(", ")
        )
    }
}

impl Level {
    /// The fastest level this machine can run.
    pub fn best() -> Self {
        *Self::available()
            .last()
            .expect("the portable level is always there")
    }

    /// The level called `name`.
    ///
    /// # Errors
    ///
    /// [`NoSuchLevel`] if this machine cannot run it.
    pub fn named(name: &str) -> Result<Self, NoSuchLevel> {
        let available = Self::available();
        available
            .iter()
            .copied()
            .find(|level| level.name() == name)
            .ok_or_else(|| NoSuchLevel {
                asked: name.to_owned(),
                available: available.iter().map(|level| level.name()).collect(),
            })
    }

    /// The level that [`LEVEL_VARIABLE`] names, or else the fastest.
    ///
    /// # Errors
    ///
    /// [`NoSuchLevel`] if this machine cannot run the one that is named.
    pub fn chosen() -> Result<Self, NoSuchLevel> {
        match std::env::var(LEVEL_VARIABLE) {
            Ok(name) if !name.is_empty() => Self::named(&name),
            _ => Ok(Self::best()),
        }
    }
}
