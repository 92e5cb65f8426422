//! Tokens one after another that are each the likeliest, without waiting for them in between.

use crate::device::Gpu;
use crate::encode::{Form, await_words, faults, landing};
use crate::error::GpuError;
use crate::plan::Plan;
use std::collections::VecDeque;

/// Steps that are under way at once.
const UNDER_WAY: usize = 3;

impl Plan {
    /// Reads `token` at `position`, then the likeliest that follows, and so on, `count` in all; `next` is given each that was
    /// chosen, and says whether to go on. Gives how many it was given.
    ///
    /// The device is some steps ahead of `next`: what they wrote to the cache lies behind the positions read.
    ///
    /// # Errors
    ///
    /// [`GpuError`] for what contradicts the plan, and for what happens on the device.
    pub fn greedy(
        &mut self,
        gpu: &Gpu,
        token: u32,
        position: usize,
        count: usize,
        choices: usize,
        next: &mut dyn FnMut(u32) -> bool,
    ) -> Result<usize, GpuError> {
        let vocabulary = self.vocabulary.unwrap_or(0);
        let logits = self.graph.activations[self.graph.logits].width;
        let room = self.graph.context.saturating_sub(position);
        if token as usize >= vocabulary || choices > vocabulary || logits > vocabulary {
            let what = format!("token {token} and {choices} choices of {vocabulary} tokens");
            return Err(GpuError::invalid(what));
        }
        if position > self.read || !self.holds(position) || count > room {
            return Err(GpuError::invalid(format!(
                "{count} steps from position {position}, after {} were read",
                self.read
            )));
        }
        gpu.check("the device")?;
        let landings = (0..UNDER_WAY).map(|_| landing(gpu, 8));
        let landings = landings.collect::<Result<Vec<_>, _>>()?;
        gpu.queue
            .write_buffer(&self.tokens, 0, &token.to_le_bytes());
        let mut awaited = VecDeque::new();
        let (mut sent, mut given) = (0, 0);
        let mut going = true;
        while going && given < count {
            if sent < count && awaited.len() < UNDER_WAY {
                let form = Form {
                    count: 1,
                    position: position + sent,
                    wanted: (0, 1),
                    chosen: true,
                    logits: 0,
                };
                let mut encoder = gpu.device.create_command_encoder(&Default::default());
                self.pass(&mut encoder, &form);
                let landing = &landings[sent % UNDER_WAY];
                encoder.copy_buffer_to_buffer(&self.faults, 0, landing, 0, 4);
                encoder.copy_buffer_to_buffer(&self.chosen, 0, landing, 4, 4);
                encoder.copy_buffer_to_buffer(&self.chosen, 0, &self.tokens, 0, 4);
                let commands = encoder.finish();
                self.send_step(gpu, form.position, 1, &(0..1), choices);
                self.faulty = false;
                gpu.queue.submit([commands]);
                awaited.push_back(await_words(landing, 8));
                sent += 1;
                continue;
            }
            let Some(first) = awaited.pop_front() else {
                break;
            };
            let words = first.words(gpu)?;
            if let Err(error) = faults(words[0]) {
                self.faulty = true;
                return Err(error);
            }
            given += 1;
            self.read = position + given;
            going = next(words[1]);
        }
        Ok(given)
    }
}
