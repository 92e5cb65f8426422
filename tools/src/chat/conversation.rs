//! The messages of a chat, and their file.

use anyhow::{Context, Result, bail};
use fidelis_engine::atomic;
use fidelis_engine::text::{Answer, Message};
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

    /// Adds what is to be answered: a user's message, or a tool's result.
    pub(super) fn ask(&mut self, message: Message) {
        self.messages.push(message);
    }

    pub(super) fn answer(&mut self, answer: Answer) {
        let mut message = Message::new("assistant", &answer.text);
        message.tool_calls = answer.calls;
        self.messages.push(message);
    }

    /// Takes back what was last to be answered, and what followed.
    pub(super) fn take_last_question(&mut self) -> Option<Message> {
        let at = self
            .messages
            .iter()
            .rposition(|message| ["user", "tool"].contains(&message.role.as_str()))?;
        let question = self.messages[at].clone();
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
