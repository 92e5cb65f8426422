//! The messages of a chat, and their file.

use anyhow::{Context, Result, bail};
use fidelis_engine::atomic;
use fidelis_engine::text::Message;
use std::path::Path;

/// What was said so far.
pub(super) struct Conversation {
    messages: Vec<Message>,
}

impl Conversation {
    /// Nothing, but perhaps a system message.
    pub(super) fn new(system: Option<String>) -> Self {
        Self {
            messages: system
                .iter()
                .map(|text| Message::new("system", text))
                .collect(),
        }
    }

    /// The system message, if there is one.
    pub(super) fn system(&self) -> Option<&str> {
        let mut messages = self.messages.iter();
        let system = messages.find(|message| message.role == "system");
        system.map(|message| message.content.as_str())
    }

    pub(super) fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Forgets all but the system message.
    pub(super) fn clear(&mut self) {
        self.messages.retain(|message| message.role == "system");
    }

    pub(super) fn ask(&mut self, text: String) {
        self.messages.push(Message::new("user", &text));
    }

    pub(super) fn answer(&mut self, text: String) {
        self.messages.push(Message::new("assistant", &text));
    }

    /// Takes back the last question and what followed.
    pub(super) fn take_last_question(&mut self) -> Option<String> {
        let at = self
            .messages
            .iter()
            .rposition(|message| message.role == "user")?;
        let question = self.messages[at].content.clone();
        self.messages.truncate(at);
        Some(question)
    }

    /// Writes the messages as JSON; `path` is the old file or the whole new one.
    pub(super) fn save(&self, path: &Path) -> Result<()> {
        if path.as_os_str().is_empty() {
            bail!("/save needs a file's name");
        }
        let text = serde_json::to_string_pretty(&self.messages)?;
        atomic::write_file(path, |to| to.write_all(text.as_bytes()))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Reads what [`Self::save`] wrote.
    pub(super) fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let messages = serde_json::from_str(&text)
            .with_context(|| format!("{} is not a saved conversation", path.display()))?;
        Ok(Self { messages })
    }
}

impl From<Vec<Message>> for Conversation {
    fn from(messages: Vec<Message>) -> Self {
        Self { messages }
    }
}
