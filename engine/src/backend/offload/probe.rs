//! What a plug-in says to a host that breaks the contract, call by call.

mod steps;

use super::error::OffloadError;
use super::library::Plugin;
use super::loader;
use fidelis_abi::{
    Activation, Api, Description, Device, Memory, Message, NONE, Op, OpKind, Plan, Planned, Status,
    Tier, VERSION, Weight,
};
use std::ptr;

/// A promise of the contract, and whether a plug-in keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// What was asked.
    pub what: &'static str,
    /// What came back.
    pub found: String,
    /// Whether that is what the contract says.
    pub is_kept: bool,
}

const INVALID: &[Status] = &[Status::INVALID];
const NEITHER: &[Status] = &[Status::INVALID, Status::UNSUPPORTED];
const OK: &[Status] = &[Status::OK];

/// Rows and elements of the one weight.
const ROWS: usize = 4;
const WIDTH: usize = 8;
/// Tokens of a step, and positions.
const BATCH: u32 = 2;
const CONTEXT: u32 = 4;
const SCALE: f32 = 2.5;

impl Plugin {
    /// Calls the functions of an open device with what the contract forbids, and with what it allows at the edges. Nothing
    /// that it leaves undefined is asked.
    ///
    /// # Errors
    ///
    /// [`OffloadError`] if the device cannot be opened.
    pub fn promises(&self, index: u32) -> Result<Vec<Promise>, OffloadError> {
        self.device(index)?;
        let mut probe = Probe {
            api: self.api,
            device: ptr::null_mut(),
            plan: ptr::null_mut(),
            all: vec![],
        };
        probe.versions(self)?;
        let (api, mut message) = (self.api, Message::empty());
        // SAFETY: both results are ours and live through the call.
        let status = unsafe { (api.open)(index, &raw mut probe.device, &raw mut message) };
        super::device::check("open", status, &message, &[])?;
        if probe.device.is_null() {
            return Err(OffloadError::Broken {
                call: "open",
                what: "the device is null",
            });
        }
        // Ends where the device may not be used any more.
        let _ = probe
            .nothing()
            .and_then(|()| probe.weights())
            .and_then(|id| {
                probe.descriptions(id)?;
                probe.plan(id)?;
                probe.steps()?;
                probe.rights(id)
            });
        Ok(probe.done())
    }
}

struct Probe {
    api: &'static Api,
    device: *mut Device,
    plan: *mut Plan,
    all: Vec<Promise>,
}

/// The records that a description points to.
struct Records {
    ops: [Op; 1],
    activations: [Activation; 1],
    weights: [Weight; 1],
}

impl Records {
    fn new(id: u64) -> Self {
        Self {
            ops: [Op {
                kind: OpKind::EMBED,
                out: 0,
                weight: 0,
                scale: SCALE.into(),
                ..Op::empty()
            }],
            activations: [Activation {
                width: WIDTH as u32,
                flags: Activation::OBSERVED,
            }],
            weights: [Weight {
                id,
                rows: ROWS as u64,
                width: WIDTH as u64,
                format: 0,
                reserved: 0,
            }],
        }
    }

    fn description(&self) -> Description {
        Description {
            ops: self.ops.as_ptr(),
            activations: self.activations.as_ptr(),
            weights: self.weights.as_ptr(),
            ropes: ptr::null(),
            caches: ptr::null(),
            op_count: 1,
            activation_count: 1,
            weight_count: 1,
            rope_count: 0,
            cache_count: 0,
            context: CONTEXT,
            batch: BATCH,
            output_rows: BATCH,
            input: NONE,
            output: 0,
            tier: Tier::ANY,
            reserved: 0,
        }
    }
}

/// The device may not be used any more, or what comes next makes no sense.
struct Over;

impl Probe {
    fn say(&mut self, what: &'static str, found: String, is_kept: bool) {
        self.all.push(Promise {
            what,
            found,
            is_kept,
        });
    }

    /// Notes a status.
    fn status(&mut self, what: &'static str, found: Status, wanted: &[Status]) -> Result<(), Over> {
        self.say(what, format!("status {}", found.0), wanted.contains(&found));
        match found {
            Status::PANICKED | Status::DEVICE_LOST | Status::TIMED_OUT => Err(Over),
            _ => Ok(()),
        }
    }

    fn versions(&mut self, plugin: &Plugin) -> Result<(), OffloadError> {
        let path = || plugin.path().to_owned();
        let entry = loader::entry(plugin.path())
            .map_err(|source| OffloadError::NotLibrary {
                path: path(),
                source,
            })?
            .ok_or_else(|| OffloadError::MissingSymbol {
                path: path(),
                symbol: "fidelis_offload_entry",
            })?;
        for (what, version) in [
            ("a host of version 0 gets no table", 0),
            ("a host of the next version gets no table", VERSION + 1),
            ("a host of the last version gets no table", u32::MAX),
        ] {
            // SAFETY: the entry may be called from any thread with any version.
            let table = unsafe { entry(version) };
            self.say(what, format!("{table:?}"), table.is_null());
        }
        // SAFETY: as above.
        let again = unsafe { entry(VERSION) };
        let same = ptr::eq(again, self.api);
        self.say("the table is the same every time", same.to_string(), same);
        Ok(())
    }

    fn nothing(&mut self) -> Result<(), Over> {
        let mut device = ptr::null_mut();
        // SAFETY: the result is ours; a message may be null.
        let status = unsafe { (self.api.open)(u32::MAX - 1, &raw mut device, ptr::null_mut()) };
        self.status(
            "a device that is not in the list is not opened",
            status,
            &[Status::NO_DEVICE],
        )?;
        // SAFETY: by the contract null does nothing.
        unsafe {
            (self.api.close)(ptr::null_mut());
            (self.api.drop_plan)(ptr::null_mut());
        }
        let mut memory = Memory::default();
        // SAFETY: the device is open, and the result is ours.
        let status = unsafe { (self.api.memory)(self.device, &raw mut memory, ptr::null_mut()) };
        self.status("memory is known after null was freed", status, OK)
    }

    fn weight(&mut self, weight: &Weight) -> (Status, u64) {
        let mut id = 0;
        // SAFETY: the device is open, and all else lives through the call.
        let status =
            unsafe { (self.api.weight)(self.device, weight, &raw mut id, ptr::null_mut()) };
        (status, id)
    }

    fn upload(&mut self, id: u64, first: u64, rows: u64, bytes: &[u8]) -> Status {
        let mut message = Message::empty();
        // SAFETY: the device is open, and the bytes are as many as said.
        unsafe {
            (self.api.upload)(
                self.device,
                id,
                first,
                rows,
                bytes.as_ptr(),
                bytes.len() as u64,
                &raw mut message,
            )
        }
    }

    fn weights(&mut self) -> Result<u64, Over> {
        let right = Records::new(0).weights[0];
        let unknown = Weight {
            format: 9999,
            ..right
        };
        let (status, _) = self.weight(&unknown);
        self.status("a weight of no known format is refused", status, NEITHER)?;
        let (status, id) = self.weight(&right);
        self.status("a weight is made", status, OK)?;
        self.say("its id is not 0", id.to_string(), id != 0);
        // Aligned to nothing.
        let bytes: Vec<u8> = [0_u8]
            .into_iter()
            .chain((0..ROWS * WIDTH).flat_map(|i| (i as f32).to_le_bytes()))
            .collect();
        let (bytes, row) = (&bytes[1..], 4 * WIDTH);
        let status = self.upload(id ^ 0x5555_0000, 0, 1, &bytes[..row]);
        self.status("rows of no weight are refused", status, INVALID)?;
        let status = self.upload(id, ROWS as u64, 1, &bytes[..row]);
        self.status("a row after the last is refused", status, INVALID)?;
        let status = self.upload(id, 0, 1, &bytes[..row - 4]);
        self.status("a row cut off is refused", status, INVALID)?;
        let status = self.upload(id, u64::MAX, 1, &bytes[..row]);
        self.status("a row that overflows is refused", status, INVALID)?;
        let status = self.upload(id, 1, 3, &bytes[row..]);
        self.status("the last rows come first, aligned to nothing", status, OK)?;
        let status = self.upload(id, 0, 1, &bytes[..row]);
        self.status("the first row comes last", status, OK)?;
        // SAFETY: the device is open.
        let status =
            unsafe { (self.api.drop_weight)(self.device, id ^ 0x5555_0000, ptr::null_mut()) };
        self.status("no weight is not dropped", status, INVALID)?;
        Ok(id)
    }

    fn supports(&mut self, description: &Description) -> Status {
        let (mut memory, mut message) = (Memory::default(), Message::empty());
        // SAFETY: the device is open; what the description points to lives through the call.
        unsafe { (self.api.supports)(self.device, description, &raw mut memory, &raw mut message) }
    }

    fn descriptions(&mut self, id: u64) -> Result<(), Over> {
        type Change = fn(&mut Op);
        let cases: [(&'static str, Change); 4] = [
            ("an operation of no kind is refused", |op| {
                op.kind = OpKind(99);
            }),
            ("a result that is no activation is refused", |op| {
                op.out = 7;
            }),
            ("a weight that is not there is refused", |op| {
                op.weight = 7;
            }),
            ("an operand that nothing writes is refused", |op| {
                (op.kind, op.a, op.cap, op.weight) = (OpKind::SOFT_CAP, 0, 1.0, NONE);
            }),
        ];
        for (what, change) in cases {
            let mut records = Records::new(id);
            change(&mut records.ops[0]);
            let status = self.supports(&records.description());
            self.status(what, status, NEITHER)?;
        }
        let records = Records::new(id);
        let empty = Description {
            op_count: 0,
            ..records.description()
        };
        let status = self.supports(&empty);
        self.status("no operations are refused", status, INVALID)?;
        let status = self.supports(&records.description());
        self.status("an embedding in F32 is supported", status, OK)
    }

    fn plan(&mut self, id: u64) -> Result<(), Over> {
        let records = Records::new(id ^ 0x5555_0000);
        let (mut plan, mut planned) = (ptr::null_mut(), Planned::default());
        let mut make = |description: &Description| {
            // SAFETY: the device is open; what the description points to lives through the call.
            unsafe {
                (self.api.plan)(
                    self.device,
                    description,
                    &raw mut plan,
                    &raw mut planned,
                    ptr::null_mut(),
                )
            }
        };
        let unknown = make(&records.description());
        let made = make(&Records::new(id).description());
        self.plan = if made == Status::OK {
            plan
        } else {
            ptr::null_mut()
        };
        self.status("a plan of no weight is refused", unknown, INVALID)?;
        self.status("a plan is made", made, OK)?;
        if self.plan.is_null() {
            return Err(Over);
        }
        // SAFETY: the device is open.
        let status = unsafe { (self.api.drop_weight)(self.device, id, ptr::null_mut()) };
        self.status("a weight in use is not dropped", status, INVALID)
    }

    fn done(self) -> Vec<Promise> {
        // SAFETY: null does nothing; the plan and then the device are not used again.
        unsafe {
            (self.api.drop_plan)(self.plan);
            (self.api.close)(self.device);
        }
        self.all
    }
}
