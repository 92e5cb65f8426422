//! A conversation, a token at a time.

use fidelis_engine::backend::{BackendError, CpuBackend, CpuSettings};
use fidelis_engine::gguf::{Gguf, GgufError};
use fidelis_engine::model::{Model, ModelError};
use fidelis_engine::sample::Sampler;
use fidelis_engine::session::{Limits, Session, SessionError, Stop};
use fidelis_engine::text::{
    Bos, ChatTemplate, Message, Specials, Stream, TemplateError, TextError, Tokenizer,
};
use std::ops::ControlFlow;

/// Why there is no chat or no answer.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// The file is no GGUF file.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// The model is not known.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The vocabulary, or a text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The chat template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The file has no chat template.
    #[error("the file has no chat template")]
    NoTemplate,
    /// The memory for the model's state.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The answer broke off.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// A conversation with a model, whose answers are the likeliest tokens.
pub struct Chat<'a> {
    session: Session<'a>,
    tokenizer: &'a Tokenizer,
    template: ChatTemplate,
    messages: Vec<Message>,
    answer: Option<Answer<'a>>,
    /// Of the newest answer.
    newest: Newest,
}

/// An answer in the making.
struct Answer<'a> {
    /// The conversation so far, the answer's own tokens included.
    ids: Vec<u32>,
    /// How many of them are the prompt's.
    prompt: usize,
    stream: Stream<'a>,
    text: String,
}

/// The newest step of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Newest {
    /// The token that was chosen, the ending one included.
    pub token: u32,
    /// The running digest of the logits, as in a receipt: `d[n] = H(d[n−1] ‖ logits)`, from 32 zero bytes.
    pub digest: [u8; 32],
}

impl<'a> Chat<'a> {
    /// Prepares the model of a file for a conversation of `context` tokens.
    ///
    /// # Errors
    ///
    /// [`ChatError`] naming what of the file or the settings does not do.
    pub fn new(
        gguf: &Gguf<'a>,
        tokenizer: &'a Tokenizer,
        context: usize,
    ) -> Result<Self, ChatError> {
        let model = Model::read(gguf)?;
        let settings = CpuSettings {
            threads: 1,
            ..CpuSettings::new(context).map_err(BackendError::from)?
        };
        let backend = CpuBackend::new(&model.graph, &settings)?;
        let text = |id: Option<u32>| id.and_then(|id| tokenizer.token_text(id)).unwrap_or("");
        let template = ChatTemplate::read(gguf, text(tokenizer.bos()), text(tokenizer.eos()))?;
        Ok(Self {
            session: Session::new(backend, tokenizer, Sampler::greedy()),
            tokenizer,
            template: template.ok_or(ChatError::NoTemplate)?,
            messages: Vec::new(),
            answer: None,
            newest: Newest::default(),
        })
    }

    /// Says `text` to the model; [`Self::next_piece`] then gives the answer. An answer in the making is ended as it is.
    ///
    /// # Errors
    ///
    /// [`ChatError`] if the conversation cannot be written out; it then is as before.
    pub fn ask(&mut self, text: &str) -> Result<(), ChatError> {
        self.stop();
        self.messages.push(Message::new("user", text));
        let ids = self.conversation().inspect_err(|_| {
            self.messages.pop();
        })?;
        self.newest = Newest::default();
        self.answer = Some(Answer {
            prompt: ids.len(),
            ids,
            stream: Stream::new(self.tokenizer),
            text: String::new(),
        });
        Ok(())
    }

    fn conversation(&self) -> Result<Vec<u32>, ChatError> {
        let text = self.template.render(&self.messages, true)?;
        Ok(self.tokenizer.encode(&text, Specials::Parse, Bos::Auto)?)
    }

    /// One token more: the characters that it completes, often none; `None` if the answer has ended.
    ///
    /// # Errors
    ///
    /// [`ChatError`]; the answer then ends, and the question is taken back if nothing was said to it.
    pub fn next_piece(&mut self) -> Result<Option<String>, ChatError> {
        let Some(answer) = &mut self.answer else {
            return Ok(None);
        };
        let piece = next(&mut self.session, answer, &mut self.newest);
        match piece {
            Ok(Some(piece)) => Ok(Some(piece)),
            Ok(None) => {
                self.stop();
                Ok(None)
            }
            Err(error) => {
                self.stop();
                Err(error.into())
            }
        }
    }

    /// Ends the answer where it is.
    pub fn stop(&mut self) {
        let Some(answer) = self.answer.take() else {
            return;
        };
        let text = answer.text + &answer.stream.finish();
        if text.is_empty() {
            self.messages.pop();
        } else {
            self.messages.push(Message::new("assistant", &text));
        }
    }

    /// Forgets the conversation.
    pub fn clear(&mut self) {
        self.answer = None;
        self.messages.clear();
        self.session.clear();
    }

    /// The newest step of the newest answer.
    pub fn newest(&self) -> Newest {
        self.newest
    }

    /// What was said, answers that have ended included.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }
}

/// Lets the model go on by a token. All before it was read for the tokens before, so that only the last is read here.
fn next(
    session: &mut Session<'_>,
    answer: &mut Answer<'_>,
    newest: &mut Newest,
) -> Result<Option<String>, SessionError> {
    let limits = Limits {
        tokens: Some(1),
        ..Limits::default()
    };
    let has_begun = answer.ids.len() > answer.prompt;
    if has_begun && answer.ids.len() >= session.backend().context() {
        return Ok(None);
    }
    let mut reply = session.reply(&answer.ids, limits, |_, _| ControlFlow::Continue(()))?;
    let piece = reply.next().transpose()?;
    let chosen = match &piece {
        Some(piece) => Some(piece.token),
        None => reply
            .ended_with()
            .filter(|_| reply.stop() == Some(Stop::End)),
    };
    if let Some(token) = chosen {
        *newest = Newest {
            token,
            digest: digest(&newest.digest, reply.logits()),
        };
    }
    Ok(piece.map(|piece| {
        answer.ids.push(piece.token);
        let text = answer.stream.push(piece.token);
        answer.text.push_str(&text);
        text
    }))
}

/// The running digest after these logits.
fn digest(before: &[u8; 32], logits: &[f32]) -> [u8; 32] {
    let little: Vec<u8> = logits
        .iter()
        .flat_map(|logit| logit.to_le_bytes())
        .collect();
    let mut hasher = blake3::Hasher::new();
    hasher.update(before);
    hasher.update(&little);
    *hasher.finalize().as_bytes()
}
