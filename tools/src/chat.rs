//! `fidelis chat`.

mod conversation;
mod input;
mod session;
mod speed;

use crate::constrain::{Constraint, ConstraintOptions};
use crate::draft::{self, DraftOptions};
use crate::load::{Loaded, ModelOptions, Source};
use crate::sampling::SamplingOptions;
use crate::tools::{self, ToolOptions, Tools};
use crate::{interrupt, output, progress};
use anyhow::{Context, Result};
use clap::Args;
use conversation::Conversation;
use fidelis_engine::backend::BackendError;
use fidelis_engine::model::Model;
use fidelis_engine::session::{Limits, Session, SessionError, Stop};
use fidelis_engine::text::{Answer, Bos, ChatTemplate, Message, Specials, Tokenizer};
use input::{Input, Line};
use session::Sessions;
use speed::Speed;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(Args)]
pub(crate) struct Chat {
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    sampling: SamplingOptions,
    #[command(flatten)]
    draft: DraftOptions,
    #[command(flatten)]
    constraint: ConstraintOptions,
    #[command(flatten)]
    tools: ToolOptions,
    /// Go on with the conversation in this file, if it is there, and keep it there after every answer: nothing is read again.
    #[arg(long, value_name = "FILE")]
    session: Option<PathBuf>,
    /// The first message.
    #[arg(short, long)]
    prompt: Option<String>,
    /// A system message.
    #[arg(long)]
    system_prompt: Option<String>,
    /// A file with a system message.
    #[arg(long)]
    system_prompt_file: Option<PathBuf>,
    /// Tokens of an answer at most; −1: until the model ends.
    #[arg(short = 'n', long = "predict", visible_alias = "n-predict", default_value_t = -1, allow_negative_numbers = true)]
    predict: i64,
    /// End an answer at this text.
    #[arg(short, long)]
    reverse_prompt: Vec<String>,
    /// Leave after the first answer.
    #[arg(long)]
    single_turn: bool,
    /// Neither colours nor line editing.
    #[arg(long)]
    simple_io: bool,
    /// on, off or auto.
    #[arg(long, default_value = "auto")]
    color: String,
    /// Print times to stderr after every answer.
    #[arg(long, visible_alias = "perf")]
    show_timings: bool,
}

const HELP: &str = "\
/system TEXT  set the system message and start anew
/clear        start anew
/regen        answer the last message again
/read FILE    send a file's text as a message
/tool TEXT    send the result of a call that the model asked for
/save FILE    write the conversation, with all that was read; to NAME.json the messages alone
/load FILE    go on with a saved conversation
/cpu          go on on the CPU
/stats        speed and memory
/exit         leave (also /quit, Ctrl-D)
\\ at the end of a line continues it on the next; Ctrl-C stops an answer";

/// A chat that has begun.
struct Open<'c, 'a> {
    options: &'c Chat,
    model_options: &'c ModelOptions,
    source: &'a Source,
    model: &'c Model<'a>,
    tokenizer: &'a Tokenizer,
    template: &'c ChatTemplate,
    tools: Option<Tools>,
    constraint: Option<Constraint>,
    session: Session<'a>,
    sessions: Sessions<'c>,
    conversation: Conversation,
    speed: Speed,
    colour: bool,
}

impl Chat {
    pub(crate) fn execute(&self) -> Result<()> {
        let start = Instant::now();
        let source = self.model.source()?;
        let gguf = source.gguf()?;
        let Loaded {
            model,
            tokenizer,
            template,
            options: model_options,
            ..
        } = Loaded::read(&gguf, &self.model)?;
        let template = template.context(
            "the file has no chat template; give one by --chat-template, or use `fidelis run`",
        )?;
        let sampler = self.sampling.sampler(&tokenizer)?;
        let backend = model_options.backend(&model, &source)?;
        let draft_source = self.draft.source()?;
        let draft_gguf = draft_source.as_ref().map(Source::gguf).transpose()?;
        let session = Session::boxed(backend, &tokenizer, sampler);
        let session = self
            .draft
            .add(session, draft_gguf.as_ref(), &tokenizer, &model_options)?;
        let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        if terminal {
            eprintln!(
                "{} · {} · context {} · loaded in {:.0} ms",
                model.config.name,
                session.backend().machine(),
                session.backend().context(),
                start.elapsed().as_secs_f64() * 1e3
            );
            eprintln!("/help lists the commands, /exit leaves.\n");
        }
        let mut open = Open {
            options: self,
            model_options: &model_options,
            source: &source,
            model: &model,
            tokenizer: &tokenizer,
            template: &template,
            tools: self.tools.read(Some(&template))?,
            constraint: self.constraint.constraint(&tokenizer)?,
            session,
            sessions: Sessions::new(&source),
            conversation: Conversation::new(self.system()?),
            speed: Speed::default(),
            colour: self.colour(),
        };
        open.resume()?;
        interrupt::watch();
        open.run(Input::new(terminal && !self.simple_io))
    }

    fn system(&self) -> Result<Option<String>> {
        match (&self.system_prompt, &self.system_prompt_file) {
            (Some(text), _) => Ok(Some(text.clone())),
            (None, Some(path)) => std::fs::read_to_string(path)
                .map(Some)
                .with_context(|| format!("cannot read {}", path.display())),
            (None, None) => Ok(None),
        }
    }

    fn colour(&self) -> bool {
        let allowed = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        match self.color.as_str() {
            "on" => true,
            "off" => false,
            _ => allowed && !self.simple_io && std::io::stdout().is_terminal(),
        }
    }
}

impl Open<'_, '_> {
    fn run(&mut self, mut input: Input) -> Result<()> {
        if let Some(prompt) = &self.options.prompt {
            self.say(prompt.clone())?;
            if self.options.single_turn {
                return Ok(());
            }
        }
        // A signal that ends an answer ends the chat as well, unless it was Ctrl-C.
        while !interrupt::came() {
            match input.line()? {
                Line::End => return Ok(()),
                Line::Interrupt => std::process::exit(130),
                Line::Text(text) if text.trim().is_empty() => {}
                Line::Text(text) if text.starts_with('/') => {
                    if !self.command(text.trim()) {
                        return Ok(());
                    }
                }
                Line::Text(text) => {
                    self.say(text)?;
                    if self.options.single_turn {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Obeys a command; false if it is to leave.
    fn command(&mut self, line: &str) -> bool {
        let (command, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let done = match command {
            "/exit" | "/quit" => return false,
            "/help" => {
                eprintln!("{HELP}");
                Ok(())
            }
            "/clear" => {
                self.conversation.clear();
                self.session.clear();
                self.keep()
            }
            "/system" => {
                self.conversation = Conversation::new((!rest.is_empty()).then(|| rest.to_owned()));
                self.keep()
            }
            "/regen" => self.regenerate(),
            "/read" => self.read(Path::new(rest)),
            "/tool" => self.send(Message::new("tool", rest)),
            "/save" => self.save(Path::new(rest)),
            "/load" => self.load(Path::new(rest)).and_then(|()| self.keep()),
            "/cpu" => self.go_on_on_the_cpu(),
            "/stats" => {
                self.speed.stats(self.session.backend());
                draft::show(self.session.speculation());
                Ok(())
            }
            _ => {
                eprintln!("{command} is not a command; /help lists them");
                Ok(())
            }
        };
        if let Err(error) = done {
            eprintln!("error: {error:#}");
        }
        true
    }

    fn regenerate(&mut self) -> Result<()> {
        let last = self
            .conversation
            .take_last_question()
            .context("there is nothing to answer again")?;
        self.send(last)
    }

    fn read(&mut self, path: &Path) -> Result<()> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        self.say(text)
    }

    /// Says something as the user.
    fn say(&mut self, text: String) -> Result<()> {
        self.send(Message::new("user", &text))
    }

    /// Sends a message and prints the answer as it comes. What is wrong with one message does not end the chat.
    fn send(&mut self, message: Message) -> Result<()> {
        self.conversation.ask(message);
        let answered = self.answer();
        if answered.is_ok() {
            return match self.keep() {
                Err(error) if std::io::stdin().is_terminal() => {
                    eprintln!("error: {error:#}");
                    Ok(())
                }
                kept => kept,
            };
        }
        match answered {
            Err(error) if output::is_broken_pipe(&error) => Err(error),
            Err(error) if self.options.model.device.falls_back() && is_device_lost(&error) => {
                eprintln!("error: {error:#}");
                self.conversation.take_last_question();
                self.go_on_on_the_cpu()
            }
            Err(error) if !std::io::stdin().is_terminal() => Err(error),
            Err(error) => {
                eprintln!("error: {error:#}");
                if is_device_lost(&error) {
                    eprintln!("/cpu goes on on the CPU");
                }
                self.conversation.take_last_question();
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Takes the CPU's back end, which reads the conversation anew.
    fn go_on_on_the_cpu(&mut self) -> Result<()> {
        let backend = self.model_options.cpu_backend(self.model, self.source)?;
        self.session.replace_backend(Box::new(backend));
        eprintln!("going on on the CPU: {}", self.session.backend().machine());
        Ok(())
    }

    fn answer(&mut self) -> Result<()> {
        let text = self.template.render_with_tools(
            self.conversation.messages(),
            tools::functions(self.tools.as_ref()),
            true,
        )?;
        let prompt = self.tokenizer.encode(&text, Specials::Parse, Bos::Auto)?;
        let limits = Limits {
            tokens: usize::try_from(self.options.predict).ok(),
            stop_strings: self.options.reverse_prompt.clone(),
            ignore_end: self.options.sampling.ignore_eos,
        };
        interrupt::begin();
        let bar = progress::bar("reading", 0, false);
        let start = Instant::now();
        let mut read = 0;
        let reply = self.session.reply(&prompt, limits, |now, all| {
            read = all;
            bar.set_length(all as u64);
            bar.set_position(now as u64);
            interrupt::flow()
        });
        bar.finish_and_clear();
        let mut reply = match reply {
            Ok(reply) => match &self.constraint {
                Some(constraint) => reply.constrained(constraint.clone()),
                None => reply.without_logits(),
            },
            Err(error) => {
                interrupt::end();
                // As when an answer is stopped, but there is none yet.
                if matches!(error, SessionError::BrokenOff) {
                    self.conversation.take_last_question();
                    return Ok(());
                }
                return Err(error.into());
            }
        };
        let reading = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let mut answer = String::new();
        if self.colour {
            output::text("\x1b[32m")?;
        }
        let mut failure = None;
        for piece in reply.by_ref() {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            };
            output::text(&piece.text)?;
            answer.push_str(&piece.text);
            if interrupt::came() {
                break;
            }
        }
        let (stop, written) = (reply.stop(), reply.produced());
        let rest = reply.finish();
        answer.push_str(&rest);
        output::text(&rest)?;
        output::text(if self.colour { "\x1b[0m\n" } else { "\n" })?;
        interrupt::end();
        if let Some(failure) = failure {
            return Err(failure.into());
        }
        if stop == Some(Stop::ContextFull) {
            eprintln!(
                "the context of {} is full; /clear starts anew, -c N makes it larger",
                self.session.backend().context()
            );
        }
        self.conversation.answer(match &self.tools {
            Some(tools) => tools.format.parse(&answer),
            None => Answer {
                text: answer,
                calls: Vec::new(),
            },
        });
        self.speed = Speed {
            read,
            reading,
            written,
            writing: start.elapsed().as_secs_f64(),
        };
        self.speed.show(self.options.show_timings);
        Ok(())
    }
}

/// Whether the device is of no use any more.
fn is_device_lost(error: &anyhow::Error) -> bool {
    match error.downcast_ref() {
        Some(SessionError::Backend(BackendError::Offload(error))) => error.is_fatal(),
        _ => false,
    }
}
