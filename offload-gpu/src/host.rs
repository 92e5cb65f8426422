//! What a host holds: a device with its weights, and plans.

#[cfg(test)]
mod lost;

use crate::describe::{self, Parts};
use crate::device::Gpu;
use crate::error::GpuError;
use crate::graph::Tier;
use crate::memory::{Shape, Weight};
use crate::plan::Plan;
use crate::run::{self, Outcome, Place, Values, Wanted};
use crate::store;
use fidelis_abi as abi;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// An open device with its weights.
pub(crate) struct Host {
    gpu: Arc<Gpu>,
    weights: HashMap<u64, Kept>,
    next: u64,
    plans: Arc<AtomicU64>,
}

/// A weight, and how many plans use it: one less than there are copies of `users`.
struct Kept {
    weight: Weight,
    users: Arc<()>,
}

/// A plan, and the device that it keeps alive.
pub(crate) struct Running {
    gpu: Arc<Gpu>,
    plan: Plan,
    held: Arc<AtomicU64>,
    /// Of its weights.
    _users: Vec<Arc<()>>,
}

/// How long the arrays of a step are.
pub(crate) struct Lengths {
    pub(crate) tokens: usize,
    pub(crate) input: usize,
    pub(crate) output: usize,
}

/// The arrays of a step.
pub(crate) struct StepParts<'a> {
    pub(crate) tokens: &'a [u32],
    pub(crate) input: &'a [f32],
    pub(crate) output: Option<&'a mut [f32]>,
    pub(crate) places: Vec<(u32, &'a mut [f32])>,
}

impl Host {
    pub(crate) fn open(index: usize) -> Result<Self, GpuError> {
        Ok(Self {
            gpu: Arc::new(Gpu::open_keeping(index, store::folder().as_deref())?),
            weights: HashMap::new(),
            next: 1,
            plans: Arc::default(),
        })
    }

    pub(crate) fn memory(&self) -> abi::Memory {
        let weights = self.weights.values().map(|w| w.weight.shape.bytes()).sum();
        let plans = self.plans.load(Ordering::Relaxed);
        abi::Memory {
            total: self.gpu.memory,
            available: self.gpu.memory,
            weights,
            plans,
        }
    }

    /// The memory that a description takes.
    pub(crate) fn needs(&self, parts: &Parts<'_>) -> Result<abi::Memory, GpuError> {
        let shapes = parts.shapes()?;
        let plans = Plan::measure(&parts.graph()?, &shapes)?;
        Ok(abi::Memory {
            weights: shapes.iter().map(Shape::bytes).sum(),
            plans,
            ..self.memory()
        })
    }

    /// Whether that is there, as far as is known.
    pub(crate) fn fits(&self, needed: &abi::Memory) -> Result<(), GpuError> {
        let bytes = needed.weights.saturating_add(needed.plans);
        if self.gpu.memory > 0 && bytes > self.gpu.memory {
            return Err(GpuError::Memory {
                bytes,
                available: self.gpu.memory,
                what: "weights, keys and values".to_owned(),
                why: format!("{} has {}", self.gpu.name, self.gpu.memory),
            });
        }
        Ok(())
    }

    pub(crate) fn weight(&mut self, weight: &abi::Weight) -> Result<u64, GpuError> {
        let made = Weight::reserve(&self.gpu, describe::shape(weight)?)?;
        let id = self.next;
        self.next += 1;
        let kept = Kept {
            weight: made,
            users: Arc::default(),
        };
        self.weights.insert(id, kept);
        Ok(id)
    }

    pub(crate) fn upload(
        &mut self,
        id: u64,
        first: u64,
        rows: u64,
        bytes: &[u8],
    ) -> Result<(), GpuError> {
        let kept = self.weights.get_mut(&id).ok_or_else(|| no_weight(id))?;
        let weight = &mut kept.weight;
        let expected = rows.checked_mul(weight.shape.row_bytes() as u64);
        if expected != Some(bytes.len() as u64) {
            let what = format!("{} bytes are not {rows} rows", bytes.len());
            return Err(GpuError::invalid(what));
        }
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        weight.upload(&self.gpu, first, bytes)
    }

    pub(crate) fn drop_weight(&mut self, id: u64) -> Result<(), GpuError> {
        let kept = self.weights.get(&id).ok_or_else(|| no_weight(id))?;
        if Arc::strong_count(&kept.users) > 1 {
            return Err(GpuError::invalid(format!("a plan uses weight {id}")));
        }
        self.weights.remove(&id);
        Ok(())
    }

    pub(crate) fn plan(&self, parts: &Parts<'_>) -> Result<(Running, abi::Planned), GpuError> {
        let shapes = parts.shapes()?;
        let (mut weights, mut users) = (Vec::with_capacity(shapes.len()), Vec::new());
        for (given, shape) in parts.weights.iter().zip(&shapes) {
            let kept = self.weights.get(&given.id);
            let kept = kept.ok_or_else(|| no_weight(given.id))?;
            let weight = &kept.weight;
            let has = weight.shape;
            if (has.format.id, has.rows, has.width) != (shape.format.id, shape.rows, shape.width) {
                let what = format!("weight {} was made with another shape", given.id);
                return Err(GpuError::invalid(what));
            }
            weights.push(weight.clone());
            users.push(Arc::clone(&kept.users));
        }
        let plan = Plan::new(&self.gpu, parts.graph()?, &weights)?;
        self.gpu.keep();
        let spare = plan.spare().map_or(u32::MAX, |spare| spare as u32);
        let planned = abi::Planned {
            bytes: plan.bytes,
            spare,
            reserved: 0,
        };
        self.plans.fetch_add(plan.bytes, Ordering::Relaxed);
        let running = Running {
            gpu: Arc::clone(&self.gpu),
            held: Arc::clone(&self.plans),
            _users: users,
            plan,
        };
        Ok((running, planned))
    }
}

fn no_weight(id: u64) -> GpuError {
    GpuError::invalid(format!("there is no weight {id}"))
}

impl Drop for Running {
    fn drop(&mut self) {
        self.held.fetch_sub(self.plan.bytes, Ordering::Relaxed);
    }
}

impl Running {
    pub(crate) fn profile(&self) -> abi::Profile {
        let exact = self.gpu.abilities.doubles && !self.gpu.abilities.flushes;
        let flushes = if self.gpu.abilities.flushes {
            abi::Profile::FLUSHES
        } else {
            0
        };
        match self.plan.graph.tier {
            Tier::Fast => abi::Profile {
                tier: abi::Tier::FAST,
                decode: abi::Inputs::BYTES,
                prefill: abi::Inputs::BYTES,
                prefill_from: u32::MAX,
                // One sum per row, a term and a minimum for every 32.
                chain: 2 * 4096 / 32,
                flags: flushes | if exact { abi::Profile::SAME_BITS } else { 0 },
                text: abi::Text::new(if exact {
                    "activations as bytes, every sum in the processor's order: its bits"
                } else {
                    "activations as bytes, every sum in the processor's order"
                }),
            },
            Tier::F32 => abi::Profile {
                // A lane's groups of 32, four sums each; then four sums, then sixteen lanes.
                chain: 8 * 4096 / 32 / 16 + 2 + 4,
                flags: flushes | abi::Profile::CONTRACTS,
                text: abi::Text::new("weights decoded to floats, activations in floats"),
                ..abi::Profile::empty()
            },
        }
    }

    /// How long the arrays of a step must be.
    pub(crate) fn lengths(&self, step: &abi::Step) -> Result<Lengths, GpuError> {
        let (graph, count) = (&self.plan.graph, step.count as usize);
        if count == 0 || count > graph.batch {
            let what = format!("a step of {count} tokens; 1 to {} fit", graph.batch);
            return Err(GpuError::invalid(what));
        }
        let rows = match wanted(step.rows)? {
            Wanted::None => 0,
            Wanted::Last => 1,
            Wanted::All => count,
        };
        let input = graph.input.map_or(0, |id| graph.activations[id].width);
        Ok(Lengths {
            tokens: if self.plan.vocabulary.is_some() {
                count
            } else {
                0
            },
            input: count * input,
            output: rows * graph.activations[graph.logits].width,
        })
    }

    pub(crate) fn run(
        &mut self,
        step: &abi::Step,
        parts: StepParts<'_>,
    ) -> Result<abi::Outcome, GpuError> {
        let wants_token = step.flags & abi::Step::ARGMAX != 0;
        let mut token = 0;
        let input = self.plan.graph.input;
        let writes: Vec<Values<'_>> = input
            .map(|activation| Values {
                activation,
                values: parts.input,
            })
            .into_iter()
            .collect();
        let places = parts.places.into_iter().map(|(activation, values)| Place {
            activation: activation as usize,
            values,
        });
        let mut places: Vec<Place<'_>> = places.collect();
        let mut outcome = Outcome {
            logits: parts.output.filter(|output| !output.is_empty()),
            chosen: wants_token.then_some(&mut token),
        };
        let step = run::Step {
            tokens: parts.tokens,
            count: step.count as usize,
            position: step.position as usize,
            wanted: wanted(step.rows)?,
            choices: step.choices as usize,
        };
        self.plan
            .run(&self.gpu, &step, &writes, &mut places, &mut outcome)?;
        Ok(abi::Outcome {
            token,
            ..abi::Outcome::default()
        })
    }

    /// Chooses tokens one after another; `produced` counts them.
    pub(crate) fn greedy(
        &mut self,
        greedy: &abi::Greedy,
        ends: &[u32],
        tokens: &mut [u32],
        produced: &mut u32,
    ) -> Result<(), GpuError> {
        let mut token = greedy.token;
        for (i, place) in tokens.iter_mut().enumerate() {
            let step = run::Step {
                tokens: &[token],
                count: 1,
                position: greedy.position as usize + i,
                wanted: Wanted::Last,
                choices: greedy.choices as usize,
            };
            let mut chosen = 0;
            let mut outcome = Outcome {
                logits: None,
                chosen: Some(&mut chosen),
            };
            self.plan
                .run(&self.gpu, &step, &[], &mut [], &mut outcome)?;
            (*place, token) = (chosen, chosen);
            *produced = i as u32 + 1;
            if ends.contains(&token) {
                break;
            }
        }
        Ok(())
    }
}

fn wanted(rows: abi::Rows) -> Result<Wanted, GpuError> {
    match rows {
        abi::Rows::NONE => Ok(Wanted::None),
        abi::Rows::LAST => Ok(Wanted::Last),
        abi::Rows::ALL => Ok(Wanted::All),
        abi::Rows(other) => Err(GpuError::invalid(format!("{other} names no rows"))),
    }
}
