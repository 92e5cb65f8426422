//! Steps that a plan refuses, and the one that works after all that.

use super::{BATCH, CONTEXT, INVALID, OK, Over, Probe, ROWS, SCALE, WIDTH};
use fidelis_abi::{Memory, Outcome, Read, Rows, Status, Step};
use std::ptr;

impl Probe {
    /// Runs a step of ids; all its rows are wanted.
    fn run(&mut self, tokens: &[u32], count: u32, position: u32) -> (Status, Vec<f32>) {
        let mut output = vec![f32::NAN; count as usize * WIDTH];
        let step = Step {
            tokens: tokens.as_ptr(),
            input: ptr::null(),
            output: output.as_mut_ptr(),
            count,
            position,
            rows: Rows::ALL,
            flags: 0,
            choices: 0,
            reserved: 0,
        };
        let mut outcome = Outcome::default();
        // SAFETY: the plan is there; there are as many ids, and as much room, as the step says.
        let status = unsafe {
            (self.api.run)(
                self.plan,
                &raw const step,
                ptr::null(),
                0,
                &raw mut outcome,
                ptr::null_mut(),
            )
        };
        (status, output)
    }

    pub(super) fn steps(&mut self) -> Result<(), Over> {
        let ids = [1, 2, 3, 0];
        for (what, count, position, wanted) in [
            ("a step of no tokens is refused", 0, 0, INVALID),
            (
                "a step larger than the batch is refused",
                BATCH + 1,
                0,
                INVALID,
            ),
            ("a step after what was read is refused", 1, 2, INVALID),
            ("a step after the context is refused", 1, CONTEXT, INVALID),
            ("a step at no position is refused", 1, u32::MAX, INVALID),
        ] {
            let (status, _) = self.run(&ids, count, position);
            self.status(what, status, wanted)?;
        }
        let (status, _) = self.run(&[ROWS as u32], 1, 0);
        self.status("an id without a row is refused", status, INVALID)?;
        let status = self.read(7, WIDTH);
        self.status("no activation is not read", status, INVALID)?;
        let status = self.read(0, WIDTH - 1);
        self.status(
            "an activation of another length is not read",
            status,
            INVALID,
        )?;
        let status = self.read(0, WIDTH);
        self.status("an activation is read", status, OK)
    }

    /// Runs id 3 at position 0 and reads an activation.
    fn read(&mut self, activation: u32, length: usize) -> Status {
        let (mut values, tokens) = ([f32::NAN; WIDTH], [3]);
        let step = Step {
            tokens: tokens.as_ptr(),
            input: ptr::null(),
            output: ptr::null_mut(),
            count: 1,
            position: 0,
            rows: Rows::LAST,
            flags: 0,
            choices: 0,
            reserved: 0,
        };
        let read = Read {
            host: values.as_mut_ptr(),
            length: length as u64,
            activation,
            reserved: 0,
        };
        let mut outcome = Outcome::default();
        // SAFETY: the plan is there; there is room for the values.
        unsafe {
            (self.api.run)(
                self.plan,
                &raw const step,
                &raw const read,
                1,
                &raw mut outcome,
                ptr::null_mut(),
            )
        }
    }

    /// After all that was refused, everything still works.
    pub(super) fn rights(&mut self, id: u64) -> Result<(), Over> {
        let (status, output) = self.run(&[3, 1], 2, 0);
        self.status("after all that a step runs", status, OK)?;
        let right: Vec<f32> = [3, 1]
            .iter()
            .flat_map(|row| (0..WIDTH).map(move |i| (row * WIDTH + i) as f32 * SCALE))
            .collect();
        let found = format!("{:?}", &output[..2]);
        self.say("and gives the right values", found, output == right);
        // SAFETY: the plan is there and not used again.
        unsafe { (self.api.drop_plan)(self.plan) };
        self.plan = ptr::null_mut();
        // SAFETY: the device is open.
        let status = unsafe { (self.api.drop_weight)(self.device, id, ptr::null_mut()) };
        self.status("a weight that no plan uses is dropped", status, OK)?;
        let mut memory = Memory::default();
        // SAFETY: the device is open, and the result is ours.
        let status = unsafe { (self.api.memory)(self.device, &raw mut memory, ptr::null_mut()) };
        self.status("memory is known at the end", status, OK)?;
        let Memory { weights, plans, .. } = memory;
        let found = format!("{weights} bytes of weights, {plans} of plans");
        self.say("nothing is left in use", found, weights == 0 && plans == 0);
        Ok(())
    }
}
