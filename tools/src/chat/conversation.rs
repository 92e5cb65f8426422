//! The messages of a chat, and their file.

use anyhow::{Context, Result, bail};
use fidelis_engine::text::{Answer, Message};
use std::io::Write;
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
        let mut name = path.file_name().context("not a file's name")?.to_owned();
        name.push(".part");
        let temporary = path.with_file_name(name);
        let written = std::fs::File::create(&temporary).and_then(|mut file| {
            file.write_all(serde_json::to_string_pretty(&self.messages)?.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&temporary, path)
        });
        written.with_context(|| format!("cannot write {}", path.display()))
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
