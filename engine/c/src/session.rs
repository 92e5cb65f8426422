//! A conversation that keeps its model.

use crate::failure::Failure;
use crate::ffi::{FIDELIS_ABORTED, FIDELIS_FORGOTTEN, fidelis_form};
use crate::model::Holder;
use crate::sampler::Chooser;
use crate::template::Template;
use fidelis_engine::backend::budget::{self, Free};
use fidelis_engine::backend::{CpuBackend, CpuSettings, Observer};
use fidelis_engine::model::Model;
use fidelis_engine::sample::Sampler;
use fidelis_engine::session::{Limits, Paused, Saved, Session, Stop};
use fidelis_engine::text::{Bos, Message, Specials};
use self_cell::self_cell;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

/// Asked whether to go on.
pub(crate) type Abort = Box<dyn Fn() -> bool + Send>;

/// Bytes that a session may take, and what may be chosen to that end.
pub(crate) struct Budget {
    pub(crate) bytes: usize,
    pub(crate) free: Free,
}

/// What borrows from the model.
struct State<'a> {
    session: Session<'a>,
    answer: Option<Answer<'a>>,
}

/// An answer in the making.
struct Answer<'a> {
    paused: Paused<'a>,
    chooser: Option<Chooser>,
}

self_cell!(
    struct Cell {
        owner: Arc<Holder>,
        #[not_covariant]
        dependent: State,
    }
);

/// What is asked of an answer.
pub(crate) struct Wishes {
    pub(crate) limits: Limits,
    /// What it keeps to.
    pub(crate) constraint: Option<(fidelis_form, String)>,
}

/// A piece of an answer.
pub(crate) struct Part {
    pub(crate) token: Option<u32>,
    pub(crate) text: String,
    /// Why the answer ended; then this is what was held back.
    pub(crate) stop: Option<Stop>,
}

/// A session, its settings, and what was read last.
pub(crate) struct Conversation {
    cell: Cell,
    pub(crate) settings: CpuSettings,
    source: Option<String>,
    template: Option<Template>,
    pub(crate) abort: Option<Abort>,
    /// Of the newest token that was fed; empty if anything else was done since.
    logits: Vec<f32>,
}

impl Conversation {
    /// A session that has read nothing.
    pub(crate) fn new(
        model: Arc<Holder>,
        mut settings: CpuSettings,
        budget: Option<Budget>,
        template: Option<String>,
    ) -> Result<Self, Failure> {
        if let Some(Budget { bytes, free }) = budget {
            let graph = Model::read_for_context(&model.parts().gguf, settings.context)?.graph;
            settings = budget::fit(&graph, &settings, free, bytes)?;
        }
        let compiled = template
            .as_deref()
            .map(|source| Template::of(model.parts(), Some(source)))
            .transpose()?;
        let cell = Cell::try_new(model, |model| {
            let parts = model.parts();
            let graph = Model::read_for_context(&parts.gguf, settings.context)?.graph;
            let backend = CpuBackend::new(&graph, &settings)?;
            Ok::<_, Failure>(State {
                session: Session::new(backend, &parts.tokenizer, Sampler::greedy()),
                answer: None,
            })
        })?;
        Ok(Self {
            cell,
            settings,
            source: template,
            template: compiled,
            abort: None,
            logits: Vec::new(),
        })
    }

    pub(crate) fn model(&self) -> &Arc<Holder> {
        self.cell.borrow_owner()
    }

    /// Tokens read.
    pub(crate) fn position(&self) -> usize {
        self.cell
            .with_dependent(|_, state| state.session.history().len())
    }

    /// Bytes of memory besides the model's file.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.cell
            .with_dependent(|_, state| state.session.backend().memory_bytes())
    }

    /// The ids of a text to go on from.
    pub(crate) fn prompt(&self, text: &str) -> Result<Vec<u32>, Failure> {
        let tokenizer = &self.model().parts().tokenizer;
        Ok(tokenizer.encode(text, Specials::Parse, Bos::Auto)?)
    }

    /// A conversation as text, open for the next answer.
    pub(crate) fn render(&mut self, messages: &[Message]) -> Result<String, Failure> {
        let template = match self.template.take() {
            Some(template) => template,
            None => Template::of(self.model().parts(), self.source.as_deref())?,
        };
        let text = template.render(messages);
        self.template = Some(template);
        text
    }

    /// Reads a prompt and begins an answer.
    pub(crate) fn begin(
        &mut self,
        prompt: &[u32],
        wishes: Wishes,
        chooser: Option<Chooser>,
    ) -> Result<(), Failure> {
        let Wishes { limits, constraint } = wishes;
        let model = self.model();
        if let Some(chooser) = &chooser {
            chooser.check(model)?;
        }
        self.check_tokens(prompt)?;
        let constraint = constraint
            .map(|(form, text)| {
                let tokenizer = &model.parts().tokenizer;
                model.searched.constraint(tokenizer, form, &text)
            })
            .transpose()?;
        self.logits.clear();
        let abort = &self.abort;
        self.cell.with_dependent_mut(|_, state| {
            state.answer = None;
            goes_on(abort)?;
            let paused = choosing(&mut state.session, chooser.as_ref(), |session| {
                let reply = session.reply(prompt, limits, |_, _| flow(abort));
                let reply = reply?;
                Ok(match constraint {
                    None => reply.pause(),
                    Some(constraint) => reply.constrained(constraint).pause(),
                })
            })?;
            state.answer = Some(Answer { paused, chooser });
            Ok(())
        })
    }

    /// The next piece of the answer.
    pub(crate) fn next(&mut self) -> Result<Part, Failure> {
        let abort = &self.abort;
        self.cell.with_dependent_mut(|_, state| {
            if state.answer.is_none() {
                return Err(Failure::invalid("no answer is being made"));
            }
            goes_on(abort)?;
            // It must be there to go on if the sampler is busy.
            if let Some(Some(chooser)) = state.answer.as_ref().map(|answer| &answer.chooser) {
                drop(chooser.lock()?);
            }
            let Some(Answer { paused, chooser }) = state.answer.take() else {
                return Err(Failure::invalid("no answer is being made"));
            };
            let (part, paused) = choosing(&mut state.session, chooser.as_ref(), |session| {
                let mut reply = session.resume(paused);
                Ok(match reply.next() {
                    Some(Ok(piece)) => {
                        let part = Part {
                            token: Some(piece.token),
                            text: piece.text,
                            stop: None,
                        };
                        (part, Some(reply.pause()))
                    }
                    Some(Err(error)) => return Err(error.into()),
                    None => {
                        let stop = Some(reply.stop().unwrap_or(Stop::End));
                        let (token, text) = (None, reply.finish());
                        (Part { token, text, stop }, None)
                    }
                })
            })?;
            state.answer = paused.map(|paused| Answer { paused, chooser });
            Ok(part)
        })
    }

    /// Ends the answer, if there is one.
    pub(crate) fn end(&mut self) {
        self.cell.with_dependent_mut(|_, state| state.answer = None);
    }

    /// Reads tokens after those read.
    pub(crate) fn feed(&mut self, tokens: &[u32]) -> Result<(), Failure> {
        self.check_tokens(tokens)?;
        self.logits.clear();
        let abort = &self.abort;
        self.logits = self.cell.with_dependent_mut(|_, state| {
            state.answer = None;
            goes_on(abort)?;
            let logits = state.session.feed(tokens, |_, _| flow(abort));
            logits.map(<[f32]>::to_vec).map_err(Failure::from)
        })?;
        Ok(())
    }

    /// The same; gives what the last layer's norm made of the last token.
    pub(crate) fn embed(&mut self, tokens: &[u32]) -> Result<Vec<f32>, Failure> {
        let Some((last, before)) = tokens.split_last() else {
            return Err(Failure::invalid("there are no tokens to read"));
        };
        self.check_tokens(tokens)?;
        let (position, context) = (self.position(), self.settings.context);
        // Nothing is read rather than all but the last.
        if position + tokens.len() > context {
            return Err(Failure::new(
                crate::ffi::FIDELIS_CONTEXT_FULL,
                format!(
                    "the context of {context} is full: {position} positions are read, {} more do not fit",
                    tokens.len()
                ),
            ));
        }
        if !before.is_empty() {
            self.feed(before)?;
        }
        self.logits.clear();
        let abort = &self.abort;
        let mut state = Hidden(Vec::new());
        self.logits = self.cell.with_dependent_mut(|_, dependent| {
            dependent.answer = None;
            goes_on(abort)?;
            let logits = dependent.session.observe(*last, &mut state);
            logits.map(<[f32]>::to_vec).map_err(Failure::from)
        })?;
        Ok(state.0)
    }

    /// The logits of the newest token that was fed, or that the answer's newest token was chosen from; one per token of the vocabulary.
    pub(crate) fn logits(&self) -> Result<Vec<f32>, Failure> {
        let known = self.model().parts().tokenizer.vocabulary_len();
        let logits = self.cell.with_dependent(|_, state| match &state.answer {
            Some(_) => state.session.logits().to_vec(),
            None => self.logits.clone(),
        });
        if logits.is_empty() {
            return Err(Failure::invalid(
                "there are no logits: no token was read since",
            ));
        }
        // Rows of the head beyond the vocabulary are padding.
        Ok(logits[..known.min(logits.len())].to_vec())
    }

    /// Forgets from `position` on.
    pub(crate) fn rewind(&mut self, position: usize) -> Result<(), Failure> {
        let read = self.position();
        if position > read {
            return Err(Failure::invalid(format!(
                "position {position} is beyond the {read} that were read"
            )));
        }
        let done = self
            .cell
            .with_dependent_mut(|_, state| state.session.rewind(position));
        if !done {
            return Err(Failure::new(
                FIDELIS_FORGOTTEN,
                format!("a sliding window no longer holds what position {position} sees"),
            ));
        }
        self.end();
        self.logits.clear();
        Ok(())
    }

    /// Forgets everything.
    pub(crate) fn reset(&mut self) {
        self.end();
        self.logits.clear();
        self.cell
            .with_dependent_mut(|_, state| state.session.clear());
    }

    /// Writes what was read, and where the sampler is, to a file.
    pub(crate) fn save(&mut self, path: &Path, chooser: Option<&Chooser>) -> Result<(), Failure> {
        if let Some(chooser) = chooser {
            chooser.check(self.model())?;
        }
        let digest = *self.model().digest();
        self.cell.with_dependent_mut(|_, state| {
            choosing(&mut state.session, chooser, |session| {
                Ok(session.save(path, &digest, &[])?)
            })
        })
    }

    /// Goes on where a file was saved; a sampler becomes what it was there.
    pub(crate) fn restore(
        &mut self,
        path: &Path,
        chooser: Option<&Chooser>,
    ) -> Result<(), Failure> {
        if let Some(chooser) = chooser {
            chooser.check(self.model())?;
        }
        let saved = Saved::open(path)?;
        let digest = *self.model().digest();
        self.cell.with_dependent_mut(|_, state| {
            choosing(&mut state.session, chooser, |session| {
                let restored = match chooser {
                    Some(_) => session.restore(&saved, &digest),
                    None => session.restore_text(&saved, &digest),
                };
                restored.map_err(Failure::from)
            })
        })?;
        self.end();
        self.logits.clear();
        Ok(())
    }

    fn check_tokens(&self, tokens: &[u32]) -> Result<(), Failure> {
        let known = self.model().parts().config.vocabulary;
        match tokens.iter().find(|&&token| token as usize >= known) {
            None => Ok(()),
            Some(token) => Err(Failure::invalid(format!(
                "token {token} is not below the vocabulary's {known}"
            ))),
        }
    }
}

/// Lets `chooser` choose, or the likeliest token be taken, while `act` runs.
fn choosing<'a, T>(
    session: &mut Session<'a>,
    chooser: Option<&Chooser>,
    act: impl FnOnce(&mut Session<'a>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut choice = chooser.map(Chooser::lock).transpose()?;
    if let Some(choice) = &mut choice {
        session.swap_sampler(&mut choice.sampler);
    }
    let result = act(session);
    if let Some(choice) = &mut choice {
        session.swap_sampler(&mut choice.sampler);
    }
    if result.is_err() {
        // What the back end no longer has is not read either.
        let held = session.backend().position();
        session.rewind(held);
    }
    result
}

fn flow(abort: &Option<Abort>) -> ControlFlow<()> {
    match abort {
        Some(abort) if abort() => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    }
}

fn goes_on(abort: &Option<Abort>) -> Result<(), Failure> {
    match flow(abort) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Failure::new(FIDELIS_ABORTED, "the caller broke off")),
    }
}

/// Keeps the last hidden state.
struct Hidden(Vec<f32>);

impl Observer for Hidden {
    fn wants(&self, name: &str) -> bool {
        name == "output_norm"
    }

    fn saw(&mut self, _: &str, shape: &[usize], values: &[f64]) {
        let width = shape.last().copied().unwrap_or(0).min(values.len());
        let last = &values[values.len() - width..];
        self.0 = last.iter().map(|&value| value as f32).collect();
    }
}

const _: () = {
    const fn is_sent<T: Send>() {}
    is_sent::<Conversation>();
};
