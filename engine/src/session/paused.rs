//! An answer apart from its session, for callers that cannot hold a borrow from one token to the next.

use super::ahead::Ahead;
use super::{Limits, Reply, Session, Stop};
use crate::text::Stream;

/// An answer in the making that does not borrow its session.
pub struct Paused<'a> {
    logits: Vec<f32>,
    stream: Stream<'a>,
    held: String,
    limits: Limits,
    produced: usize,
    pending: Option<u32>,
    ahead: Option<Ahead>,
    ended_with: Option<u32>,
    stop: Option<Stop>,
}

impl Paused<'_> {
    /// The logits that the newest token was chosen from, or will be before the first; one per row of the head.
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }
}

impl<'a> Reply<'_, 'a> {
    /// Lets go of the session; [`Session::resume`] goes on.
    pub fn pause(self) -> Paused<'a> {
        Paused {
            logits: self.logits,
            stream: self.stream,
            held: self.held,
            limits: self.limits,
            produced: self.produced,
            pending: self.pending,
            ahead: self.ahead,
            ended_with: self.ended_with,
            stop: self.stop,
        }
    }
}

impl<'a> Session<'a> {
    /// Goes on with an answer of this session.
    ///
    /// Nothing else may have been read, rewound or cleared since; the answer goes on from what is read, and makes no sense otherwise.
    pub fn resume(&mut self, paused: Paused<'a>) -> Reply<'_, 'a> {
        Reply {
            session: self,
            logits: paused.logits,
            stream: paused.stream,
            held: paused.held,
            limits: paused.limits,
            produced: paused.produced,
            pending: paused.pending,
            ahead: paused.ahead,
            ended_with: paused.ended_with,
            stop: paused.stop,
        }
    }
}
