//! Conversations in files.

use super::Open;
use super::conversation::Conversation;
use crate::load::Source;
use anyhow::{Context, Result, bail};
use fidelis_engine::session::{ModelDigest, Saved};
use std::cell::OnceCell;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// What saving needs besides the conversation.
pub(super) struct Sessions<'c> {
    source: &'c Source,
    /// Of the model's file: to read all of it takes a while, so only when it is needed.
    model: OnceCell<ModelDigest>,
}

impl<'c> Sessions<'c> {
    pub(super) fn new(source: &'c Source) -> Self {
        Self {
            source,
            model: OnceCell::new(),
        }
    }

    fn model(&self) -> &ModelDigest {
        self.model
            .get_or_init(|| ModelDigest::of(&self.source.parts()))
    }
}

impl Open<'_, '_> {
    /// Goes on with the conversation of `--session`, if it is there.
    pub(super) fn resume(&mut self) -> Result<()> {
        let Some(path) = &self.options.session else {
            return Ok(());
        };
        let failed = || format!("cannot use {} as a session", path.display());
        // What cannot be saved must be said before anything is answered.
        self.session.backend().remembered(0).with_context(failed)?;
        if !path.try_exists().with_context(failed)? {
            return Ok(());
        }
        self.restore(path)?;
        let wanted = self.options.system()?;
        if wanted.is_some() && wanted.as_deref() != self.conversation.system() {
            bail!(
                "{} has another system message; start a session of its own",
                path.display()
            );
        }
        Ok(())
    }

    /// Keeps the conversation in the file of `--session`.
    pub(super) fn keep(&self) -> Result<()> {
        match &self.options.session {
            Some(path) => self.save_session(path),
            None => Ok(()),
        }
    }

    /// Writes messages to a file whose name ends with `.json`, and everything to any other.
    pub(super) fn save(&self, path: &Path) -> Result<()> {
        if path.as_os_str().is_empty() {
            bail!("/save needs a file's name");
        }
        let messages = self.conversation.messages().len();
        let is_json = |end: &std::ffi::OsStr| end.eq_ignore_ascii_case("json");
        if path.extension().is_some_and(is_json) {
            self.conversation.save(path)?;
            eprintln!("saved {messages} messages");
        } else {
            self.save_session(path)?;
            let read = self.session.history().len();
            eprintln!("saved {messages} messages and {read} tokens");
        }
        Ok(())
    }

    /// Goes on with what [`Self::save`] wrote, whatever the file's name.
    pub(super) fn load(&mut self, path: &Path) -> Result<()> {
        let mut start = Vec::new();
        File::open(path)
            .and_then(|file| file.take(8).read_to_end(&mut start))
            .with_context(|| format!("cannot read {}", path.display()))?;
        if Saved::is_one(&start) {
            return self.restore(path);
        }
        self.conversation = Conversation::load(path)?;
        eprintln!("loaded {} messages", self.conversation.messages().len());
        Ok(())
    }

    fn save_session(&self, path: &Path) -> Result<()> {
        let messages = self.conversation.messages();
        self.session
            .save(path, self.sessions.model(), messages)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    fn restore(&mut self, path: &Path) -> Result<()> {
        let failed = || format!("cannot go on with {}", path.display());
        let saved = Saved::open(path).with_context(failed)?;
        let description = saved.description();
        let model = self.sessions.model();
        let settings = &description.sampler.settings;
        let goes_on = self.options.sampling.allows(settings, self.tokenizer)?;
        if goes_on {
            self.session.restore(&saved, model).with_context(failed)?;
        } else {
            self.session
                .restore_text(&saved, model)
                .with_context(failed)?;
            eprintln!("the flags ask for another sampler, which begins anew");
        }
        self.conversation = Conversation::from(description.messages.clone());
        eprintln!(
            "going on with {} messages and {} tokens",
            self.conversation.messages().len(),
            saved.tokens().len()
        );
        Ok(())
    }
}
