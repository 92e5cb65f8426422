//! A recording against the reference: every operation on the recording's own inputs, element by element.
//!
//! What came before an operation does not matter to it: its inputs are taken as recorded, so each wrong operation is found by itself, however
//! many there are. Where inputs are not recorded, the comparison covers the whole segment from what is.

mod accept;
mod free;
mod operation;

pub use accept::{Accepted, Refusal, accept, same_ids};
pub use free::{Drift, PromptReport, compare_prompt, drift};
pub(crate) use operation::compared_elements;
pub use operation::{Compared, Element, Operation, compare_node, operations};

/// Whether two runs of a model agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything compared is within its bound.
    Agree,
    /// Something is beyond its bound.
    Diverge,
    /// Nothing was compared.
    Nothing,
}

impl Verdict {
    /// The verdict on operations; some must have been compared.
    pub fn of(operations: &[Operation]) -> Self {
        let compared = operations.iter().any(|op| op.compared.is_some());
        if operations.iter().any(Operation::is_wrong) {
            Self::Diverge
        } else if compared {
            Self::Agree
        } else {
            Self::Nothing
        }
    }

    /// What a program ends with.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Agree => 0,
            Self::Diverge => 2,
            Self::Nothing => 3,
        }
    }
}
