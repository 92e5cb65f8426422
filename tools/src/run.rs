//! `fidelis run`: one prompt in, text out.

use crate::constrain::ConstraintOptions;
use crate::draft::{self, DraftOptions};
use crate::load::{Loaded, ModelOptions, Source};
use crate::prompt_cache::PromptCacheOptions;
use crate::receipt::{Claim, ReceiptOptions, numerics};
use crate::sampling::SamplingOptions;
use crate::tokenize::{read_stdin, text};
use crate::tools::{self, ToolOptions, Tools};
use crate::{interrupt, output, progress};
use anyhow::{Context, Result, bail};
use clap::Args;
use fidelis_conformance::receipt::{self, Digest, ModelDigests, StopRecord};
use fidelis_engine::backend::Backend;
use fidelis_engine::session::{Limits, Piece, Session, SessionError, Stop};
use fidelis_engine::text::{Bos, Message, Specials};
use std::io;
use std::path::PathBuf;
use std::time::Instant;

#[derive(Args)]
pub(crate) struct Run {
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    sampling: SamplingOptions,
    #[command(flatten)]
    constraint: ConstraintOptions,
    #[command(flatten)]
    receipt: ReceiptOptions,
    #[command(flatten)]
    cache: PromptCacheOptions,
    #[command(flatten)]
    draft: DraftOptions,
    /// The prompt; stdin if neither this nor --file is given.
    #[arg(short, long)]
    prompt: Option<String>,
    /// A file with the prompt; `-` is stdin.
    #[arg(short, long)]
    file: Option<PathBuf>,
    /// Tokens to produce; −1: until the model ends.
    #[arg(short = 'n', long = "predict", visible_alias = "n-predict", default_value_t = -1, allow_negative_numbers = true)]
    predict: i64,
    /// The prompt is a user's message: apply the chat template.
    #[arg(long, visible_alias = "chat")]
    conversation: bool,
    /// The prompt is text to go on from (the default).
    #[arg(long, conflicts_with = "conversation")]
    no_conversation: bool,
    #[command(flatten)]
    tools: ToolOptions,
    /// A system message, with --conversation.
    #[arg(long)]
    system_prompt: Option<String>,
    /// End the answer at this text.
    #[arg(short, long)]
    reverse_prompt: Vec<String>,
    /// Treat `\n`, `\t` and the like in --prompt as what they stand for.
    #[arg(short, long)]
    escape: bool,
    /// Leave the prompt as it is (the default).
    #[arg(long, hide = true)]
    no_escape: bool,
    /// Do not repeat the prompt (the default).
    #[arg(long, hide = true)]
    no_display_prompt: bool,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// Show the prompt's tokens on stderr.
    #[arg(long)]
    verbose_prompt: bool,
    /// Print times to stderr.
    #[arg(long, visible_alias = "perf")]
    show_timings: bool,
}

/// `\n`, `\t`, `\r`, `\\`, `\'` and `\"` as what they stand for.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some(quoted @ ('\\' | '\'' | '"')) => out.push(quoted),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

impl Run {
    fn prompt(&self) -> Result<String> {
        let prompt = match (&self.prompt, &self.file) {
            (Some(_), Some(_)) => bail!("give the prompt by --prompt or --file, not both"),
            (Some(prompt), None) if self.escape => unescape(prompt),
            (Some(prompt), None) => prompt.clone(),
            (None, Some(path)) if path.as_os_str() != "-" => text(
                std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?,
                &path.display().to_string(),
            )?,
            _ => read_stdin()?,
        };
        if prompt.is_empty() {
            bail!("the prompt is empty");
        }
        Ok(prompt)
    }

    /// Writes to stdout; `false` if the reader went away, and a receipt is still to be written.
    fn say(&self, text: &str) -> io::Result<bool> {
        match output::text(text) {
            Err(error)
                if error.kind() == io::ErrorKind::BrokenPipe && self.receipt.receipt.is_some() =>
            {
                Ok(false)
            }
            done => done.map(|()| true),
        }
    }

    /// Where the flags want it; but a receipt holds the CPU's bits.
    fn backend<'a>(
        &self,
        loaded: &Loaded<'a>,
        source: &'a Source,
    ) -> Result<Box<dyn Backend + 'a>> {
        let Loaded { model, options, .. } = loaded;
        if self.receipt.receipt.is_none() {
            return options.backend(model, source);
        }
        match options.device.wanted()? {
            Some(wanted) if wanted.is_named => {
                bail!("a receipt holds the CPU's bits; those of another device are not replayed")
            }
            Some(_) => eprintln!("on the CPU, for a receipt holds its bits"),
            None => {}
        }
        Ok(Box::new(options.cpu_backend(model, source)?))
    }

    pub(crate) fn execute(&self) -> Result<()> {
        let key = self.receipt.prepare()?;
        if self.predict == 0 && self.receipt.receipt.is_some() {
            bail!("a receipt of no token holds nothing to compare; ask for more than -n 0");
        }
        if self.constraint.is_given() && self.receipt.receipt.is_some() {
            bail!(
                "a receipt does not hold the constraint, so nothing could replay it; give --receipt or the constraint, not both"
            );
        }
        let prompt = self.prompt()?;
        let start = Instant::now();
        let source = self.model.source()?;
        let gguf = source.gguf()?;
        let loaded = Loaded::read(&gguf, &self.model)?;
        let tools = self.tools.read(loaded.template.as_ref())?;
        if tools.is_some() && !self.conversation {
            bail!("--tools needs --conversation: it is the chat template that tells of them");
        }
        let ids = self.encode(&loaded, &prompt, tools.as_ref())?;
        let constraint = self.constraint.constraint(&loaded.tokenizer)?;
        if self.verbose_prompt {
            for &id in &ids {
                eprintln!(
                    "{id:6} -> {:?}",
                    loaded.tokenizer.token_text(id).unwrap_or_default()
                );
            }
        }
        let sampler = self.sampling.sampler(&loaded.tokenizer)?;
        let sampling = sampler.settings().clone();
        let backend = self.backend(&loaded, &source)?;
        let draft_source = self.draft.source()?;
        let draft_gguf = draft_source.as_ref().map(Source::gguf).transpose()?;
        let session = Session::boxed(backend, &loaded.tokenizer, sampler);
        let mut session = self.draft.add(
            session,
            draft_gguf.as_ref(),
            &loaded.tokenizer,
            &loaded.options,
        )?;
        let cache = self.cache.open(&source, &mut session)?;
        let loading = start.elapsed().as_secs_f64();
        let limits = Limits {
            tokens: usize::try_from(self.predict).ok(),
            stop_strings: self.reverse_prompt.clone(),
            ignore_end: self.sampling.ignore_eos,
        };
        let rendered = self.conversation.then_some(loaded.template_text.as_ref());
        // Before the run: what is digested must not be a file that was written over meanwhile.
        let claim = self.receipt.receipt.as_deref().map(|path| {
            let claim = Claim {
                numerics: numerics(&loaded.options),
                model: ModelDigests::new(&source.parts(), &gguf),
                prompt: ids.clone(),
                sampler: (&sampling).into(),
                limits: (&limits).into(),
                context: session.backend().context(),
                template: rendered
                    .flatten()
                    .map(|text| Digest::of(text.source.as_bytes())),
            };
            (path, claim)
        });
        interrupt::watch();
        interrupt::begin();
        let bar = progress::bar("reading", ids.len() as u64, false);
        let start = Instant::now();
        let mut prompt_read = 0;
        let reply = session.reply(&ids, limits, |read, all| {
            prompt_read = all;
            bar.set_length(all as u64);
            bar.set_position(read as u64);
            interrupt::flow()
        });
        bar.finish_and_clear();
        let mut reply = match reply {
            // The exit code says so.
            Err(SessionError::BrokenOff) => return Ok(()),
            reply => reply?,
        };
        if let Some(constraint) = constraint {
            reply = reply.constrained(constraint);
        }
        let reading = start.elapsed().as_secs_f64();
        if let Some(cache) = &cache {
            cache.keep_prompt(reply.session())?;
        }
        let start = Instant::now();
        let (mut answer, mut tokens) = (String::new(), Vec::new());
        let mut each = |piece: &Piece| -> Result<bool> {
            tokens.push(piece.token);
            answer.push_str(&piece.text);
            // Whether it is a call is known at its end.
            let waits = self.json || tools.is_some();
            let heard = waits || self.say(&piece.text)?;
            Ok(heard && !interrupt::came())
        };
        let mut steps = Vec::new();
        if claim.is_some() {
            steps = receipt::record(&mut reply, each)?;
        } else {
            reply = reply.without_logits();
            while let Some(piece) = reply.next().transpose()? {
                if !each(&piece)? {
                    break;
                }
            }
        }
        let stop = reply.stop();
        let rest = reply.finish();
        let writing = start.elapsed().as_secs_f64();
        answer.push_str(&rest);
        let called = tools.map(|tools| tools.format.parse(&answer));
        if self.json {
            let times = [loading, reading, writing];
            let mut report = self.report(&ids, &tokens, &answer, stop, times);
            report["prompt_read"] = prompt_read.into();
            if let Some(called) = &called {
                report["text"] = called.text.as_str().into();
                report["tool_calls"] = called.calls.iter().map(tools::line).collect();
            }
            self.say(&format!("{report}\n"))?;
        } else if let Some(called) = &called {
            self.say(&tools::lines(called))?;
        } else {
            self.say(&format!("{rest}\n"))?;
        }
        if let Some(cache) = &cache {
            cache.keep_answer(&session)?;
        }
        if let Some((path, claim)) = claim {
            let receipt = claim.receipt(steps, stop);
            receipt::write_atomically(path, &receipt.to_text(key.as_ref())?)?;
        }
        if stop == Some(Stop::ContextFull) {
            eprintln!("the context of {} is full", session.backend().context());
        }
        if self.show_timings {
            timings([loading, reading, writing], prompt_read, tokens.len());
            draft::show(session.speculation());
        }
        Ok(())
    }

    fn encode(&self, loaded: &Loaded<'_>, prompt: &str, tools: Option<&Tools>) -> Result<Vec<u32>> {
        if !self.conversation {
            return Ok(loaded
                .tokenizer
                .encode(prompt, Specials::Parse, Bos::Auto)?);
        }
        let template = loaded
            .template
            .as_ref()
            .context("the file has no chat template; give one by --chat-template")?;
        let system = self
            .system_prompt
            .iter()
            .map(|text| Message::new("system", text));
        let messages: Vec<Message> = system.chain([Message::new("user", prompt)]).collect();
        Ok(loaded.tokenizer.encode(
            &template.render_with_tools(&messages, tools::functions(tools), true)?,
            Specials::Parse,
            Bos::Auto,
        )?)
    }

    fn report(
        &self,
        prompt: &[u32],
        tokens: &[u32],
        text: &str,
        stop: Option<Stop>,
        [loading, reading, writing]: [f64; 3],
    ) -> serde_json::Value {
        serde_json::json!({
            "text": text,
            "prompt_ids": prompt,
            "ids": tokens,
            "stop": StopRecord::from(stop).name(),
            "load_ms": loading * 1e3,
            "prompt_ms": reading * 1e3,
            "predicted_ms": writing * 1e3,
        })
    }
}

/// Times, as llama.cpp prints them.
pub(crate) fn timings([loading, reading, writing]: [f64; 3], read: usize, written: usize) {
    let line = |name: &str, seconds: f64, count: usize, what: &str| {
        let each = seconds * 1e3 / count.max(1) as f64;
        eprintln!(
            "{name:>28} time = {:10.2} ms / {count:5} {what} ({each:8.2} ms per token, {:8.2} tokens per second)",
            seconds * 1e3,
            1e3 / each
        );
    };
    eprintln!("{:>28} time = {:10.2} ms", "load", loading * 1e3);
    line("prompt eval", reading, read, "tokens");
    line("eval", writing, written, "runs  ");
    eprintln!(
        "{:>28} time = {:10.2} ms / {:5} tokens",
        "total",
        (loading + reading + writing) * 1e3,
        read + written
    );
}
