//! An answer apart from its session, for callers that cannot hold a borrow from one token to the next.

use super::ahead::Ahead;
use super::{Limits, Reply, Session, Stop};
use crate::constrain::Guide;
use crate::text::Stream;

/// An answer in the making that does not borrow its session.
pub struct Paused<'a> {
    stream: Stream<'a>,
    held: String,
    limits: Limits,
    produced: usize,
    pending: Option<u32>,
    ahead: Option<Ahead>,
    guide: Option<Box<dyn Guide>>,
    allowed: Vec<f32>,
    ended_with: Option<u32>,
    stop: Option<Stop>,
}

impl<'a> Reply<'_, 'a> {
    /// Lets go of the session; [`Session::resume`] goes on.
    pub fn pause(self) -> Paused<'a> {
        Paused {
            stream: self.stream,
            held: self.held,
            limits: self.limits,
            produced: self.produced,
            pending: self.pending,
            ahead: self.ahead,
            guide: self.guide,
            allowed: self.allowed,
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
            stream: paused.stream,
            held: paused.held,
            limits: paused.limits,
            produced: paused.produced,
            pending: paused.pending,
            ahead: paused.ahead,
            guide: paused.guide,
            allowed: paused.allowed,
            ended_with: paused.ended_with,
            stop: paused.stop,
        }
    }
}
