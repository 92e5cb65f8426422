//! A plan on a device, and what it is asked to do.

use super::OpenDevice;
use crate::backend;
use crate::backend::offload::error::OffloadError;
use crate::backend::offload::translate::Part;
use fidelis_abi::{Greedy, Message, Outcome, Plan, Planned, Profile, Read, Rows, Step};
use std::ptr::{self, NonNull};

/// What one call of a plan reads.
#[derive(Clone, Copy)]
pub(in crate::backend::offload) struct Call<'c> {
    /// Token ids; not looked at where there is an input.
    pub(in crate::backend::offload) tokens: &'c [u32],
    /// What the layers before computed, `[tokens, width]`.
    pub(in crate::backend::offload) input: Option<&'c [f32]>,
    /// The position of the first token.
    pub(in crate::backend::offload) position: usize,
    /// Which rows of the output are wanted.
    pub(in crate::backend::offload) rows: Rows,
}

impl OpenDevice {
    /// Makes a part ready to run, with the weights of these ids.
    pub(in crate::backend::offload) fn plan(
        &mut self,
        part: &Part<'_, '_>,
        ids: &[u64],
    ) -> Result<(), OffloadError> {
        self.ready()?;
        let weights = part.weights(ids);
        let description = part.description(&weights);
        let (mut plan, mut planned) = (ptr::null_mut(), Planned::default());
        let mut message = Message::empty();
        // SAFETY: as for `supports`; the weights were uploaded.
        let status = unsafe {
            (self.api.plan)(
                self.device.as_ptr(),
                &raw const description,
                &raw mut plan,
                &raw mut planned,
                &raw mut message,
            )
        };
        self.checked("plan", status, &message, &part.places)?;
        let plan = NonNull::new(plan).ok_or(OffloadError::Broken {
            call: "plan",
            what: "the plan is null",
        })?;
        self.plan = Some(plan);
        self.planned = planned;
        self.places.clone_from(&part.places);
        Ok(())
    }

    /// What is known of the plan.
    pub(in crate::backend::offload) fn planned(&self) -> Planned {
        self.planned
    }

    fn planned_plan(&self) -> Result<NonNull<Plan>, OffloadError> {
        self.ready()?;
        self.plan.ok_or(OffloadError::IsLost)
    }

    /// What the plan's numbers mean.
    pub(in crate::backend::offload) fn profile(&mut self) -> Result<Profile, OffloadError> {
        let plan = self.planned_plan()?;
        let (mut profile, mut message) = (Profile::empty(), Message::empty());
        // SAFETY: the plan is there, and the results are ours.
        let status =
            unsafe { (self.api.profile)(plan.as_ptr(), &raw mut profile, &raw mut message) };
        self.checked("profile", status, &message, &[])?;
        Ok(profile)
    }

    /// Runs a step. The output and what is read are filled with NaN before, so that what is not written shows.
    pub(in crate::backend::offload) fn run(
        &mut self,
        call: &Call<'_>,
        output: &mut [f32],
        reads: &mut [(u32, Vec<f32>)],
    ) -> Result<(), OffloadError> {
        output.fill(f32::NAN);
        for (_, values) in &mut *reads {
            values.fill(f32::NAN);
        }
        let mut step = step(call);
        if !output.is_empty() {
            step.output = output.as_mut_ptr();
        }
        self.step(&step, reads).map(|_| ())
    }

    /// Reads the call's token and chooses the largest of the first `choices` elements of its output.
    pub(in crate::backend::offload) fn choose(
        &mut self,
        call: &Call<'_>,
        choices: usize,
    ) -> Result<u32, OffloadError> {
        let mut step = step(call);
        step.flags = Step::ARGMAX;
        step.choices = choices as u32;
        let token = self.step(&step, &mut [])?.token;
        self.known("run", token, choices)
    }

    fn step(
        &mut self,
        step: &Step,
        reads: &mut [(u32, Vec<f32>)],
    ) -> Result<Outcome, OffloadError> {
        let plan = self.planned_plan()?;
        let reads: Vec<Read> = reads
            .iter_mut()
            .map(|(activation, values)| Read {
                host: values.as_mut_ptr(),
                length: values.len() as u64,
                activation: *activation,
                reserved: 0,
            })
            .collect();
        let (mut outcome, mut message) = (Outcome::default(), Message::empty());
        // SAFETY: the plan is there; tokens, input, output and reads are borrowed by the callers through the call, and as long as the
        // contract says.
        let status = unsafe {
            (self.api.run)(
                plan.as_ptr(),
                step,
                reads.as_ptr(),
                reads.len() as u32,
                &raw mut outcome,
                &raw mut message,
            )
        };
        let places = std::mem::take(&mut self.places);
        let done = self.checked("run", status, &message, &places);
        self.places = places;
        done.map(|()| outcome)
    }

    /// A token that may be fed back.
    fn known(
        &mut self,
        call: &'static str,
        token: u32,
        choices: usize,
    ) -> Result<u32, OffloadError> {
        if (token as usize) < choices {
            return Ok(token);
        }
        self.is_lost = true;
        Err(OffloadError::Broken {
            call,
            what: "it chose a token that is none",
        })
    }

    /// Whether the plan chooses tokens by itself.
    pub(in crate::backend::offload) fn is_greedy(&self) -> bool {
        self.api.greedy.is_some()
    }

    /// Lets the plan choose tokens; none if it cannot.
    pub(in crate::backend::offload) fn greedy(
        &mut self,
        greedy: &backend::Greedy<'_>,
        position: usize,
    ) -> Result<Vec<u32>, OffloadError> {
        let plan = self.planned_plan()?;
        let Some(choose) = self.api.greedy else {
            return Ok(vec![]);
        };
        let mut tokens = vec![u32::MAX; greedy.count];
        let record = Greedy {
            ends: greedy.ends.as_ptr(),
            tokens: tokens.as_mut_ptr(),
            end_count: greedy.ends.len() as u32,
            token: greedy.token,
            position: position as u32,
            count: greedy.count as u32,
            choices: greedy.choices as u32,
            reserved: 0,
        };
        let (mut produced, mut message) = (0, Message::empty());
        // SAFETY: the plan is there; ends and tokens live through the call and are as long as said.
        let status = unsafe {
            choose(
                plan.as_ptr(),
                &raw const record,
                &raw mut produced,
                &raw mut message,
            )
        };
        let places = std::mem::take(&mut self.places);
        let done = self.checked("greedy", status, &message, &places);
        self.places = places;
        done?;
        tokens.truncate(produced as usize);
        if tokens.is_empty() {
            self.is_lost = true;
            return Err(OffloadError::Broken {
                call: "greedy",
                what: "it chose no token",
            });
        }
        for &token in &tokens {
            self.known("greedy", token, greedy.choices)?;
        }
        Ok(tokens)
    }
}

fn step(call: &Call<'_>) -> Step {
    Step {
        tokens: if call.input.is_some() {
            ptr::null()
        } else {
            call.tokens.as_ptr()
        },
        input: call.input.map_or(ptr::null(), <[f32]>::as_ptr),
        output: ptr::null_mut(),
        count: call.tokens.len() as u32,
        position: call.position as u32,
        rows: call.rows,
        flags: 0,
        choices: 0,
        reserved: 0,
    }
}
