//! The steps of an answer: recorded, and compared with a replay.

use super::digest::{Digest, LogitChain, Values};
use super::{Receipt, ReceiptError, StopRecord};
use fidelis_engine::sample::SampleError;
use fidelis_engine::session::{Limits, Piece, Reply, Session, SessionError, Stop};
use fidelis_engine::text::Tokenizer;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// One choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What was chosen.
    pub token: u32,
    /// The running digest of the logits, up to those it was chosen from.
    pub logits: Digest,
}

/// The first thing that differs; steps count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// The logits.
    #[error(
        "step {step} of {steps}: the logits have digest {found}, but {expected} in the receipt"
    )]
    Logits {
        /// Where.
        step: usize,
        /// Of how many.
        steps: usize,
        /// In the receipt.
        expected: Digest,
        /// In the replay.
        found: Digest,
    },
    /// The token, chosen from the same logits.
    #[error(
        "step {step} of {steps}: the logits agree, but token {found} {found_text:?} is chosen, and {expected} {expected_text:?} in the receipt"
    )]
    Token {
        /// Where.
        step: usize,
        /// Of how many.
        steps: usize,
        /// In the receipt.
        expected: u32,
        /// As the vocabulary spells it.
        expected_text: String,
        /// In the replay.
        found: u32,
        /// As the vocabulary spells it.
        found_text: String,
    },
    /// The replay has fewer steps or more, or ends for another reason.
    #[error(
        "after step {step} of {steps}: the replay {}, and in the receipt it {}",
        ends(*found),
        ends(*expected)
    )]
    End {
        /// Steps that agree.
        step: usize,
        /// Steps of the receipt.
        steps: usize,
        /// In the receipt; `None`: it goes on.
        expected: Option<StopRecord>,
        /// In the replay.
        found: Option<StopRecord>,
    },
}

fn ends(stop: Option<StopRecord>) -> String {
    stop.map_or_else(
        || "goes on".to_owned(),
        |stop| format!("ends ({})", stop.name()),
    )
}

/// The running digest of an answer in the making.
#[derive(Debug, Default)]
pub struct Recorder {
    chain: LogitChain,
}

impl Recorder {
    /// The step that `reply` has just taken, given what it gave; `None` if it chose no token.
    pub fn step(&mut self, reply: &Reply<'_, '_>, piece: Option<&Piece>) -> Option<Step> {
        let token = match piece {
            Some(piece) => piece.token,
            None => reply.ended_with()?,
        };
        let logits = match reply.exact_logits() {
            Some(exact) => Values::F64(exact),
            None => Values::F32(reply.logits()),
        };
        let logits = self.chain.add(logits);
        Some(Step { token, logits })
    }
}

/// Runs `reply` to its end and gives its steps; `each` sees every piece and stops it by `false`.
///
/// # Errors
///
/// What the session or `each` gives.
pub fn record<E: From<SessionError>>(
    reply: &mut Reply<'_, '_>,
    mut each: impl FnMut(&Piece) -> Result<bool, E>,
) -> Result<Vec<Step>, E> {
    let mut recorder = Recorder::default();
    let mut steps = Vec::new();
    loop {
        let piece = reply.next().transpose()?;
        steps.extend(recorder.step(reply, piece.as_ref()));
        match piece {
            Some(piece) if each(&piece)? => {}
            _ => return Ok(steps),
        }
    }
}

/// Answers the receipt's prompt again and compares every step; `progress` is told how many agree.
///
/// The session has the receipt's model, profile, context and sampler, and has read nothing.
///
/// # Errors
///
/// [`ReceiptError::Senseless`] if there is nothing to compare, [`ReceiptError::Sampler`] if its sampler can choose
/// nothing, [`ReceiptError::Differs`] with the first difference, or what keeps the session from running.
pub fn replay(
    receipt: &Receipt,
    session: &mut Session<'_>,
    tokenizer: &Tokenizer,
    mut progress: impl FnMut(usize),
) -> Result<(), ReceiptError> {
    receipt.check_sense()?;
    let mut recorder = Recorder::default();
    let mut reply = session.reply(&receipt.prompt, Limits::from(&receipt.limits), |_, _| {
        ControlFlow::Continue(())
    })?;
    let steps = receipt.steps.len();
    for (index, expected) in receipt.steps.iter().enumerate() {
        let piece = reply.next().transpose().map_err(failed)?;
        let Some(found) = recorder.step(&reply, piece.as_ref()) else {
            return Err(end(index, steps, None, reply.stop()));
        };
        compare(index + 1, steps, expected, &found, tokenizer)?;
        progress(index + 1);
        // A token that ends the answer is its last.
        if reply.stop().is_some() && index + 1 < steps {
            return Err(end(index + 1, steps, None, reply.stop()));
        }
    }
    if receipt.stop == StopRecord::Interrupted {
        // Whoever interrupts an answer does so before it ends by itself.
        return match reply.stop() {
            None => Ok(()),
            stop => Err(end(steps, steps, Some(receipt.stop), stop)),
        };
    }
    let goes_on = reply.stop().is_none() && {
        let piece = reply.next().transpose().map_err(failed)?;
        recorder.step(&reply, piece.as_ref()).is_some()
    };
    let stop = if goes_on { None } else { reply.stop() };
    if stop.map(|stop| StopRecord::from(Some(stop))) == Some(receipt.stop) {
        Ok(())
    } else {
        Err(end(steps, steps, Some(receipt.stop), stop))
    }
}

/// Why the replay cannot go on.
fn failed(error: SessionError) -> ReceiptError {
    match error {
        // A back end gives finite logits, so it is the receipt's biases that forbid every token.
        SessionError::Sample(error @ SampleError::Impossible) => ReceiptError::Sampler(error),
        error => ReceiptError::Session(error),
    }
}

fn end(
    step: usize,
    steps: usize,
    expected: Option<StopRecord>,
    stop: Option<Stop>,
) -> ReceiptError {
    ReceiptError::Differs(Difference::End {
        step,
        steps,
        expected,
        found: stop.map(|stop| StopRecord::from(Some(stop))),
    })
}

fn compare(
    step: usize,
    steps: usize,
    expected: &Step,
    found: &Step,
    tokenizer: &Tokenizer,
) -> Result<(), Difference> {
    let text = |token| tokenizer.token_text(token).unwrap_or_default().to_owned();
    if found.logits != expected.logits {
        return Err(Difference::Logits {
            step,
            steps,
            expected: expected.logits,
            found: found.logits,
        });
    }
    if found.token != expected.token {
        return Err(Difference::Token {
            step,
            steps,
            expected: expected.token,
            expected_text: text(expected.token),
            found: found.token,
            found_text: text(found.token),
        });
    }
    Ok(())
}
