//! Steps: the layers before on the CPU, the rest on the device.

use super::device::{Call, text_or};
use super::error::OffloadError;
use super::{OffloadBackend, Shown};
use crate::backend::{Backend, BackendError, Greedy, Logits, Observer, Step};
use fidelis_abi::Rows;

impl OffloadBackend<'_> {
    fn read(
        &mut self,
        step: &Step<'_>,
        mut observer: Option<&mut dyn Observer>,
    ) -> Result<&[f32], BackendError> {
        step.check(self.position, self.sizes.context, self.vocabulary)?;
        self.logits.clear();
        let batch = match step.logits {
            Logits::All => self.sizes.output_rows,
            _ => self.sizes.batch,
        };
        let start = self.position;
        let mut rest = step.tokens;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(batch));
            let rows = match step.logits {
                Logits::All => Rows::ALL,
                Logits::Last if later.is_empty() => Rows::LAST,
                _ => Rows::NONE,
            };
            let done = match &mut observer {
                None => self.batch(now, rows, None),
                Some(observer) => self.batch(now, rows, Some(*observer)),
            };
            if let Err(error) = done {
                self.back_to(start);
                return Err(error);
            }
            self.position += now.len();
            rest = later;
        }
        Ok(&self.logits)
    }

    /// Forgets what a failed step has read.
    fn back_to(&mut self, position: usize) {
        if !self.rewind(position) {
            // A window has moved on: both parts begin anew, which a caller sees by the position.
            self.reset();
        }
    }

    /// Whether the windows of the device's layers still hold what `position` sees.
    fn is_held(&self, position: usize) -> bool {
        let spare = self.device_part.planned().spare as usize;
        let Some(window) = self.smallest_window else {
            return true;
        };
        position == 0
            || position == self.position
            || self.most <= window.saturating_add(spare)
            || position.saturating_add(1).saturating_add(spare) >= self.most
    }

    /// Notes that the device reads from the present position up to `end`.
    fn reads_to(&mut self, end: usize) {
        self.most = if self.position == 0 {
            end
        } else {
            self.most.max(end)
        };
    }

    /// One batch: its logits are appended to those of the step.
    fn batch(
        &mut self,
        tokens: &[u32],
        rows: Rows,
        mut observer: Option<&mut dyn Observer>,
    ) -> Result<(), BackendError> {
        let wanted = match rows {
            Rows::ALL => tokens.len(),
            Rows::LAST => 1,
            _ => 0,
        };
        if let Some(observer) = &observer {
            self.check_shown(*observer)?;
        }
        self.reads_to(self.position + tokens.len());
        let input = match &mut observer {
            None => front(&mut self.cpu, tokens, self.position, None)?,
            Some(observer) => front(&mut self.cpu, tokens, self.position, Some(*observer))?,
        };
        let mut reads = Vec::new();
        let mut read = Vec::new();
        if let Some(observer) = &observer {
            for shown in self
                .shown
                .iter()
                .filter(|shown| observer.wants(&shown.name))
            {
                let rows = if shown.is_tail { wanted } else { tokens.len() };
                if rows > 0 {
                    reads.push((shown.activation, vec![0.0; rows * shown.width]));
                    read.push(shown);
                }
            }
        }
        let start = self.logits.len();
        self.logits.resize(start + wanted * self.output_width, 0.0);
        let call = Call {
            tokens,
            input,
            position: self.position,
            rows,
        };
        self.device_part
            .run(&call, &mut self.logits[start..], &mut reads)?;
        if let Some(observer) = observer {
            for (shown, (_, values)) in read.iter().zip(&reads) {
                show(observer, shown, values);
            }
            if wanted > 0 && observer.wants(&self.output) {
                let output = Shown {
                    name: self.output.clone(),
                    activation: 0,
                    width: self.output_width,
                    is_tail: true,
                };
                show(observer, &output, &self.logits[start..]);
            }
        }
        self.check_finite(start, tokens.len() - wanted)
    }

    /// Refuses to pass over an intermediate that the caller wants and the device keeps.
    fn check_shown(&self, observer: &dyn Observer) -> Result<(), OffloadError> {
        if self.sizes.observe {
            return Ok(());
        }
        let mut hidden = self.places.iter().map(|place| &place.checkpoint);
        match hidden.find(|name| **name != self.output && observer.wants(name)) {
            None => Ok(()),
            Some(checkpoint) => Err(OffloadError::NotShown {
                checkpoint: checkpoint.clone(),
            }),
        }
    }

    /// Looks at the logits from `start` on, whose first row is that of token `first` of the batch.
    fn check_finite(&self, start: usize, first: usize) -> Result<(), BackendError> {
        let logits = &self.logits[start..];
        match logits.iter().position(|logit| !logit.is_finite()) {
            None => Ok(()),
            Some(at) => Err(BackendError::NonFinite {
                checkpoint: self.output.clone(),
                token: self.position + first + at / self.output_width,
                element: at % self.output_width,
                value: logits[at].into(),
            }),
        }
    }

    /// Reads one token and chooses the next, without its logits.
    fn choose(&mut self, token: u32, choices: usize) -> Result<u32, BackendError> {
        let tokens = [token];
        let step = Step {
            tokens: &tokens,
            position: self.position,
            logits: Logits::None,
        };
        step.check(self.position, self.sizes.context, self.vocabulary)?;
        self.reads_to(self.position + 1);
        let input = front(&mut self.cpu, &tokens, self.position, None)?;
        let call = Call {
            tokens: &tokens,
            input,
            position: self.position,
            rows: Rows::LAST,
        };
        match self.device_part.choose(&call, choices) {
            Ok(chosen) => {
                self.position += 1;
                Ok(chosen)
            }
            Err(error) => {
                self.back_to(self.position);
                Err(error.into())
            }
        }
    }
}

/// What the layers before the device's compute, `[tokens, width]`; `None` if there are none.
fn front<'c>(
    cpu: &'c mut Option<super::CpuBackend<'_>>,
    tokens: &[u32],
    position: usize,
    observer: Option<&mut (dyn Observer + '_)>,
) -> Result<Option<&'c [f32]>, BackendError> {
    let Some(cpu) = cpu else { return Ok(None) };
    let step = Step {
        tokens,
        position,
        logits: Logits::All,
    };
    let rows = match observer {
        None => cpu.forward(&step)?,
        Some(observer) => cpu.forward_observed(&step, observer)?,
    };
    Ok(Some(rows))
}

fn show(observer: &mut dyn Observer, shown: &Shown, values: &[f32]) {
    let values: Vec<f64> = values.iter().map(|&value| value.into()).collect();
    observer.saw(
        &shown.name,
        &[values.len() / shown.width, shown.width],
        &values,
    );
}

impl Backend for OffloadBackend<'_> {
    fn forward(&mut self, step: &Step<'_>) -> Result<&[f32], BackendError> {
        self.read(step, None)
    }

    fn forward_observed(
        &mut self,
        step: &Step<'_>,
        observer: &mut dyn Observer,
    ) -> Result<&[f32], BackendError> {
        self.read(step, Some(observer))
    }

    fn greedy(&mut self, greedy: &Greedy<'_>) -> Result<Option<Vec<u32>>, BackendError> {
        if greedy.count == 0 {
            return Err(BackendError::NoTokens);
        }
        let choices = greedy.choices.min(self.output_width);
        let greedy = &Greedy { choices, ..*greedy };
        let all = vec![greedy.token; greedy.count];
        let step = Step {
            tokens: &all,
            position: self.position,
            logits: Logits::None,
        };
        step.check(self.position, self.sizes.context, self.vocabulary)?;
        if self.cpu.is_none() && self.device_part.is_greedy() {
            self.reads_to(self.position + greedy.count);
            let tokens = self.device_part.greedy(greedy, self.position)?;
            self.position += tokens.len();
            return Ok(Some(tokens));
        }
        let (mut tokens, mut token) = (Vec::new(), greedy.token);
        while tokens.len() < greedy.count {
            token = self.choose(token, choices)?;
            tokens.push(token);
            if greedy.ends.contains(&token) {
                break;
            }
        }
        Ok(Some(tokens))
    }

    fn position(&self) -> usize {
        self.position
    }

    fn context(&self) -> usize {
        self.sizes.context
    }

    fn batch(&self) -> usize {
        self.sizes.batch
    }

    fn rewind(&mut self, position: usize) -> bool {
        let possible = position <= self.position && self.is_held(position);
        if !possible || !self.cpu.as_mut().is_none_or(|cpu| cpu.rewind(position)) {
            return false;
        }
        self.position = position;
        true
    }

    fn reset(&mut self) {
        self.position = 0;
        if let Some(cpu) = &mut self.cpu {
            cpu.reset();
        }
    }

    fn memory_bytes(&self) -> usize {
        let device = usize::try_from(self.device_part.planned().bytes).unwrap_or(usize::MAX);
        let cpu = self.cpu.as_ref().map_or(0, super::CpuBackend::memory_bytes);
        device.saturating_add(cpu)
    }

    fn machine(&self) -> String {
        let device = text_or(&self.device.name, "a device without a name");
        let numbers = text_or(&self.profile.text, "numbers not described");
        match &self.cpu {
            None => format!("{device} ({numbers})"),
            Some(cpu) => format!(
                "{device} ({numbers}), the last {} layers; {}",
                self.layers,
                Backend::machine(cpu)
            ),
        }
    }
}
