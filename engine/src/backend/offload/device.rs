//! An open device with its plan: the plug-in's functions behind safe ones.

use super::error::{OffloadError, Place};
use super::library::Plugin;
use super::translate::{Part, weight};
use fidelis_abi::{
    Api, Device, Greedy, Memory, Message, Outcome, Plan, Planned, Profile, Read, Rows, Status,
    Step, Text,
};
use std::ptr::{self, NonNull};

/// Bytes that are uploaded at once, so that progress shows.
const PIECE: usize = 16 << 20;

/// A text of the plug-in on one line.
pub(super) fn text(text: &Text) -> String {
    let text = text.as_str().trim();
    if text.is_empty() {
        return "it does not say why".to_owned();
    }
    text.replace(|c: char| c.is_control(), " ")
}

/// What a status means; `places` names the operations of the description that the call was about.
pub(super) fn check(
    call: &'static str,
    status: Status,
    message: &Message,
    places: &[Place],
) -> Result<(), OffloadError> {
    let place = || places.get(message.op as usize).cloned();
    let text = text(&message.text);
    Err(match status {
        Status::OK => return Ok(()),
        Status::INVALID => OffloadError::Invalid { call, text },
        Status::NO_DEVICE => OffloadError::NoDevice,
        Status::UNSUPPORTED => OffloadError::Unsupported {
            place: place(),
            text,
        },
        Status::OUT_OF_MEMORY => OffloadError::Memory {
            needed: message.needed,
            available: message.available,
            fits: None,
            layers: 0,
        },
        Status::DEVICE_LOST | Status::TIMED_OUT => OffloadError::Lost { text },
        Status::NON_FINITE => OffloadError::NonFinite { place: place() },
        Status::PANICKED => OffloadError::Panicked { call, text },
        Status::INTERNAL => OffloadError::Failed { call, text },
        Status(status) => OffloadError::UnknownStatus { call, status, text },
    })
}

/// What one call of a plan reads.
#[derive(Clone, Copy)]
pub(super) struct Call<'c> {
    /// Token ids; not looked at where there is an input.
    pub(super) tokens: &'c [u32],
    /// What the layers before computed, `[tokens, width]`.
    pub(super) input: Option<&'c [f32]>,
    /// The position of the first token.
    pub(super) position: usize,
    /// Which rows of the output are wanted.
    pub(super) rows: Rows,
}

/// An open device with what was made there; everything is freed with it.
pub(super) struct OpenDevice {
    api: &'static Api,
    device: NonNull<Device>,
    plan: Option<NonNull<Plan>>,
    planned: Planned,
    places: Vec<Place>,
    /// Nothing more may be asked of it.
    is_lost: bool,
}

// SAFETY: by the contract a device and its plans may be used from one thread after another.
unsafe impl Send for OpenDevice {}

impl OpenDevice {
    /// Opens the device at this place of the list.
    pub(super) fn open(plugin: &Plugin, index: u32) -> Result<Self, OffloadError> {
        plugin.device(index)?;
        let (mut device, mut message) = (ptr::null_mut(), Message::empty());
        // SAFETY: both results are ours and live through the call.
        let status = unsafe { (plugin.api.open)(index, &raw mut device, &raw mut message) };
        check("open", status, &message, &[]).map_err(|error| match error {
            OffloadError::Unsupported { text, .. } | OffloadError::Failed { text, .. } => {
                OffloadError::CannotOpen { index, text }
            }
            error => error,
        })?;
        let device = NonNull::new(device).ok_or(OffloadError::Broken {
            call: "open",
            what: "the device is null",
        })?;
        Ok(Self {
            api: plugin.api,
            device,
            plan: None,
            planned: Planned::default(),
            places: vec![],
            is_lost: false,
        })
    }

    /// Notes that the device is of no use any more.
    fn checked(
        &mut self,
        call: &'static str,
        status: Status,
        message: &Message,
        places: &[Place],
    ) -> Result<(), OffloadError> {
        let done = check(call, status, message, places);
        self.is_lost |= done.as_ref().is_err_and(OffloadError::is_fatal);
        done
    }

    fn ready(&self) -> Result<(), OffloadError> {
        if self.is_lost {
            Err(OffloadError::IsLost)
        } else {
            Ok(())
        }
    }

    /// Its memory.
    pub(super) fn memory(&mut self) -> Result<Memory, OffloadError> {
        self.ready()?;
        let (mut memory, mut message) = (Memory::default(), Message::empty());
        // SAFETY: the device is open, and the results are ours.
        let status =
            unsafe { (self.api.memory)(self.device.as_ptr(), &raw mut memory, &raw mut message) };
        self.checked("memory", status, &message, &[])?;
        Ok(memory)
    }

    /// Whether the device can run a part of a graph, and the memory that takes.
    pub(super) fn supports(&mut self, part: &Part<'_, '_>) -> Result<Memory, OffloadError> {
        self.ready()?;
        let weights = part.weights(&[]);
        let description = part.description(&weights);
        let (mut memory, mut message) = (Memory::default(), Message::empty());
        // SAFETY: the device is open; the description's pointers are to `part` and `weights`, which live through the call.
        let status = unsafe {
            (self.api.supports)(
                self.device.as_ptr(),
                &raw const description,
                &raw mut memory,
                &raw mut message,
            )
        };
        self.checked("supports", status, &message, &part.places)?;
        Ok(memory)
    }

    /// Uploads the weights of a part and gives their ids; after an error none are left.
    pub(super) fn upload(
        &mut self,
        part: &Part<'_, '_>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Vec<u64>, OffloadError> {
        self.ready()?;
        let (mut ids, total, mut done) = (Vec::new(), part.bytes(), 0);
        progress(0, total);
        for tensor in &part.tensors {
            let uploaded = self.weight(tensor).and_then(|id| {
                ids.push(id);
                self.rows(tensor, id, &mut |bytes| {
                    done += bytes;
                    progress(done, total);
                })
            });
            if let Err(error) = uploaded {
                self.drop_weights(&ids);
                return Err(error);
            }
        }
        Ok(ids)
    }

    /// Makes room for a weight.
    fn weight(&mut self, tensor: &crate::tensor::Tensor<'_>) -> Result<u64, OffloadError> {
        let record = weight(tensor, 0);
        let (mut id, mut message) = (0, Message::empty());
        // SAFETY: the device is open, and everything else is ours.
        let status = unsafe {
            (self.api.weight)(
                self.device.as_ptr(),
                &raw const record,
                &raw mut id,
                &raw mut message,
            )
        };
        let place = Place {
            what: format!("{} of {}", tensor.format, tensor.shape),
            checkpoint: tensor.name.to_owned(),
        };
        // Whatever operation the plug-in names, there is one weight in question.
        message.op = 0;
        self.checked("weight", status, &message, &[place])?;
        Ok(id)
    }

    /// Uploads a weight's rows in pieces; `sent` is told their bytes.
    fn rows(
        &mut self,
        tensor: &crate::tensor::Tensor<'_>,
        id: u64,
        sent: &mut dyn FnMut(u64),
    ) -> Result<(), OffloadError> {
        let row = tensor.row_bytes().max(1);
        let piece = (PIECE / row).max(1);
        let mut first = 0;
        for bytes in tensor.bytes.chunks(piece * row) {
            let rows = (bytes.len() / row) as u64;
            let mut message = Message::empty();
            // SAFETY: the device is open, and the bytes are borrowed through the call.
            let status = unsafe {
                (self.api.upload)(
                    self.device.as_ptr(),
                    id,
                    first,
                    rows,
                    bytes.as_ptr(),
                    bytes.len() as u64,
                    &raw mut message,
                )
            };
            self.checked("upload", status, &message, &[])?;
            first += rows;
            sent(bytes.len() as u64);
        }
        Ok(())
    }

    fn drop_weights(&mut self, ids: &[u64]) {
        for &id in ids {
            // SAFETY: the device is open, and no plan uses the weight; the message may be null.
            let _ = unsafe { (self.api.drop_weight)(self.device.as_ptr(), id, ptr::null_mut()) };
        }
    }

    /// Makes a part ready to run, with the weights of these ids.
    pub(super) fn plan(&mut self, part: &Part<'_, '_>, ids: &[u64]) -> Result<(), OffloadError> {
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
    pub(super) fn planned(&self) -> Planned {
        self.planned
    }

    fn planned_plan(&self) -> Result<NonNull<Plan>, OffloadError> {
        self.ready()?;
        self.plan.ok_or(OffloadError::IsLost)
    }

    /// What the plan's numbers mean.
    pub(super) fn profile(&mut self) -> Result<Profile, OffloadError> {
        let plan = self.planned_plan()?;
        let (mut profile, mut message) = (Profile::empty(), Message::empty());
        // SAFETY: the plan is there, and the results are ours.
        let status =
            unsafe { (self.api.profile)(plan.as_ptr(), &raw mut profile, &raw mut message) };
        self.checked("profile", status, &message, &[])?;
        Ok(profile)
    }

    /// Runs a step. The output and what is read are filled with NaN before, so that what is not written shows.
    pub(super) fn run(
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
    pub(super) fn choose(&mut self, call: &Call<'_>, choices: usize) -> Result<u32, OffloadError> {
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
    pub(super) fn is_greedy(&self) -> bool {
        self.api.greedy.is_some()
    }

    /// Lets the plan choose tokens; none if it cannot.
    pub(super) fn greedy(
        &mut self,
        greedy: &super::super::Greedy<'_>,
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

impl Drop for OpenDevice {
    fn drop(&mut self) {
        if let Some(plan) = self.plan {
            // SAFETY: the plan is there and not used again.
            unsafe { (self.api.drop_plan)(plan.as_ptr()) };
        }
        // SAFETY: the device is open, its plan is dropped, and it is not used again.
        unsafe { (self.api.close)(self.device.as_ptr()) };
    }
}
