//! One call of a plan, and what comes back.

/// Which tokens of a step the output is wanted of.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rows(pub u32);

impl Rows {
    /// Of none: the step only remembers.
    pub const NONE: Self = Self(0);
    /// Of the last.
    pub const LAST: Self = Self(1);
    /// Of every one; their number is at most [`crate::Description::output_rows`].
    pub const ALL: Self = Self(2);
}

/// Some tokens that follow those that the plan has read.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// `count` token ids, each below the rows of the embedding; null if the description has an input.
    pub tokens: *const u32,
    /// The input `[count, width]`; null if the description has none.
    pub input: *const f32,
    /// Where the wanted rows of the output go, `[rows, width]`; null if they are not wanted by the host, which
    /// makes sense only with [`Self::ARGMAX`] or [`Rows::NONE`].
    pub output: *mut f32,
    /// Tokens: at least 1, at most [`crate::Description::batch`].
    pub count: u32,
    /// The position of the first: how many were read before. Less than that goes back, as far as
    /// [`crate::Planned::spare`] allows; what was read from there on is forgotten.
    pub position: u32,
    /// Which rows of the output are wanted.
    pub rows: Rows,
    /// [`Self::ARGMAX`] or 0.
    pub flags: u32,
    /// With [`Self::ARGMAX`], how many elements of a row are eligible: those beyond are padding. At least 1.
    pub choices: u32,
    /// Zero.
    pub reserved: u32,
}

impl Step {
    /// The index of the largest element of the last row is wanted as [`Outcome::token`]; rows are not [`Rows::NONE`].
    /// An eligible element that is not finite is [`crate::Status::NON_FINITE`]: a host that does not see the row cannot tell.
    pub const ARGMAX: u32 = 1;
}

/// An observed activation that is wanted of a step.
///
/// It has a row for every token of the step; but one that is computed after the last [`crate::OpKind::ATTEND`] of the
/// description has rows only for the tokens that [`Step::rows`] names.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Read {
    /// Where the values go, `[rows, width]`.
    pub host: *mut f32,
    /// Values that fit there: exactly those that there are.
    pub length: u64,
    /// The activation.
    pub activation: u32,
    /// Zero.
    pub reserved: u32,
}

/// What comes back besides the output.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// With [`Step::ARGMAX`], the index of the largest eligible element of the last row, of equal ones the first.
    pub token: u32,
    /// Zero.
    pub reserved: u32,
    /// Nanoseconds that the device worked; 0: not measured.
    pub nanoseconds: u64,
}

/// Tokens chosen one after another on the device: every one is the largest of its logits.
///
/// The same as so many steps of one token with [`Step::ARGMAX`], except that the token does not come back in between.
/// A plug-in may prepare and run steps ahead of a token that ends the answer; the host goes on from what it was given.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Greedy {
    /// Token ids that end it; the one that did is the last one given.
    pub ends: *const u32,
    /// Where the chosen tokens go: room for `count`.
    pub tokens: *mut u32,
    /// Token ids that end it: how many.
    pub end_count: u32,
    /// The first token to read.
    pub token: u32,
    /// Its position.
    pub position: u32,
    /// Tokens to choose, at most; at least 1. `position + count` is at most the context.
    pub count: u32,
    /// How many logits are eligible: those beyond are padding.
    pub choices: u32,
    /// Zero.
    pub reserved: u32,
}

const _: () = {
    assert!(size_of::<Step>() == 3 * size_of::<*const u32>() + 24);
    assert!(size_of::<Outcome>() == 16);
    assert!(size_of::<Greedy>() == 2 * size_of::<*const u32>() + 24);
};
