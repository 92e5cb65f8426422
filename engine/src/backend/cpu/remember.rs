//! Keys and values to and from a file.

use super::machine::Machine;
use super::memory::LayerMemory;
use crate::backend::remembered::{RememberError, Remembered, RememberedLayer, angles};
use fidelis_simd::Real;
use std::io::{self, Write};

impl<R: Real> Machine<'_, R> {
    /// Describes the first `position` positions.
    pub(super) fn remembered(&self, position: usize) -> Result<Remembered, RememberError> {
        if position > self.position || !self.holds(position) {
            return Err(RememberError::NotHeld {
                position,
                read: self.position,
            });
        }
        Ok(self.describe(position))
    }

    fn describe(&self, position: usize) -> Remembered {
        let layer = |memory: &LayerMemory| {
            let first = memory.first_held(self.written).min(position);
            RememberedLayer::new(memory.shape(), first)
        };
        Remembered {
            tier: self.settings().tier.to_string(),
            cache: self.settings().cache.to_string(),
            angles: angles(&self.graph),
            position,
            layers: self.memory.iter().map(layer).collect(),
        }
    }

    /// Writes what was described.
    pub(super) fn export(&self, remembered: &Remembered, out: &mut dyn Write) -> io::Result<()> {
        for (memory, layer) in self.memory.iter().zip(&remembered.layers) {
            memory.export(layer.first..remembered.position, out)?;
        }
        Ok(())
    }

    /// Forgets everything and takes what was written.
    pub(super) fn import(
        &mut self,
        remembered: &Remembered,
        mut bytes: &[u8],
    ) -> Result<(), RememberError> {
        let format = self.settings().cache;
        remembered.check(&self.describe(0), format, self.context(), bytes.len())?;
        self.reset();
        for (memory, layer) in self.memory.iter_mut().zip(&remembered.layers) {
            let each =
                format.single_bytes(layer.key_width) + format.single_bytes(layer.value_width);
            let positions = layer.first..remembered.position;
            let (now, later) = bytes.split_at(positions.len() * layer.heads * each);
            memory.import(positions, now);
            bytes = later;
        }
        (self.position, self.written) = (remembered.position, remembered.position);
        Ok(())
    }
}
