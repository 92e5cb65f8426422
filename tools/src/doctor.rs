//! `fidelis doctor`: what is wrong with a model, or with what another engine makes of it, from the cheapest check to the dearest.

use crate::conformance::{Made, Subject, print};
use crate::observe::{Prompt, encode, open, steps};
use crate::output;
use anyhow::{Context, Result};
use clap::Args;
use fidelis_conformance::candidate::Candidate;
use fidelis_conformance::compare::Verdict;
use fidelis_conformance::fault::inventory::{self, Weight};
use fidelis_conformance::fault::tokens;
use fidelis_conformance::import::{self, Imported};
use fidelis_conformance::recording::{Selection, model_digest};
use fidelis_conformance::reference::Reference;
use fidelis_engine::backend::{CacheFormat, Tier};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::Model;
use fidelis_engine::text::{ChatTemplate, Tokenizer};
use std::path::PathBuf;
use std::process::ExitCode;

/// What the exit codes mean.
const EXIT_CODES: &str = "\
Exit codes:
  0  nothing is wrong
  1  wrong usage
  2  something is wrong, and said
  3  the model or the recording cannot be read";

#[derive(Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Doctor {
    /// GGUF file; of a split one the first part. Without it, the model inside this program.
    model: Option<PathBuf>,
    /// What another engine recorded: safetensors, npz, llama.cpp's eval-callback log, or a table of statistics.
    #[arg(long, value_name = "FILE")]
    recording: Option<PathBuf>,
    /// With --tokens or --recording: the text that the other engine made its ids from.
    #[command(flatten)]
    prompt: Prompt,
    #[command(flatten)]
    made: Made,
    /// The file and the ids alone; nothing is run.
    #[arg(long)]
    fast: bool,
}

impl Doctor {
    /// What the program ends with.
    pub(crate) fn execute(&self) -> Result<ExitCode> {
        match self.examine() {
            Ok(verdict) => Ok(ExitCode::from(verdict.exit_code())),
            Err(error) if output::is_broken_pipe(&error) => Err(error),
            Err(error) => {
                eprintln!("error: {error:#}");
                Ok(ExitCode::from(Verdict::Nothing.exit_code()))
            }
        }
    }

    fn examine(&self) -> Result<Verdict> {
        let source = open(self.model.as_ref())?;
        let gguf = source.gguf()?;
        let mut sound = true;
        output::text("the file\n")?;
        for found in inventory::inspect(&gguf) {
            let mark = match found.weight {
                Weight::Right => "ok   ",
                Weight::Note => "note ",
                Weight::Wrong => "WRONG",
            };
            sound &= found.weight != Weight::Wrong;
            output::text(&format!("  {mark} {:11} {}\n", found.check, found.says))?;
        }
        if !sound {
            output::text("the file is at fault; nothing that runs it can be right\n")?;
            return Ok(Verdict::Diverge);
        }
        let tokenizer = Tokenizer::read(&gguf).ok();
        let model = Model::read(&gguf)?;
        sound &= self.ids(&gguf, &model, tokenizer.as_ref())?;
        if self.fast {
            return Ok(verdict(sound));
        }
        let subject = Subject {
            model: &model,
            digest: model_digest(&source.parts()),
            truth: Candidate::Cpu {
                tier: Tier::Audit,
                cache: CacheFormat::F32,
                level: None,
            },
        };
        match &self.recording {
            Some(path) => {
                output::text("the recording, operation by operation\n")?;
                let given = self
                    .prompt
                    .tokens
                    .is_some()
                    .then(|| self.prompt.ids(None))
                    .transpose()?
                    .flatten();
                let report = subject.judge(path, &self.made, given.as_deref())?;
                print(&report)?;
                if report.verdict() == Verdict::Nothing {
                    return Ok(Verdict::Nothing);
                }
                sound &= report.verdict() == Verdict::Agree;
            }
            None => sound &= self.own(&subject, tokenizer.as_ref())?,
        }
        Ok(verdict(sound))
    }

    /// The ids that were given, or those of the recording; `None` if there are none.
    fn found(&self, model: &Model<'_>) -> Result<Option<Vec<u32>>> {
        if let Some(list) = &self.prompt.tokens {
            return crate::observe::parse(list).map(Some);
        }
        let Some(path) = &self.recording else {
            return Ok(None);
        };
        let shown = path.display();
        let imported = import::load(path, &Reference::new(&model.graph), None)
            .with_context(|| format!("cannot use the recording {shown}"))?;
        Ok(Some(match imported {
            Imported::Recording(recording) => recording.tokens,
            Imported::Claims(claims) => claims.tokens,
        }))
    }

    /// Ids and the text that they were made from.
    fn ids(
        &self,
        gguf: &Gguf<'_>,
        model: &Model<'_>,
        tokenizer: Option<&Tokenizer>,
    ) -> Result<bool> {
        let Some(text) = &self.prompt.prompt else {
            return Ok(true);
        };
        let Some(found) = self.found(model)? else {
            return Ok(true);
        };
        output::text("the ids\n")?;
        let tokenizer = tokenizer.context("the file's vocabulary cannot be read")?;
        let special = |id: Option<u32>| {
            id.and_then(|id| tokenizer.token_text(id))
                .unwrap_or_default()
        };
        let template = ChatTemplate::read(gguf, special(tokenizer.bos()), special(tokenizer.eos()))
            .ok()
            .flatten();
        let judged = tokens::judge(tokenizer, template.as_ref(), text, &found)?;
        let Some(first) = judged.first else {
            output::text(&format!(
                "  ok    {} ids are those of the text\n",
                found.len()
            ))?;
            return Ok(true);
        };
        output::text(&format!(
            "  WRONG from index {first} on: {:?} where {:?} is right\n",
            found
                .get(first..(first + 4).min(found.len()))
                .unwrap_or_default(),
            judged
                .right
                .get(first..(first + 4).min(judged.right.len()))
                .unwrap_or_default(),
        ))?;
        for fault in &judged.faults {
            output::text(&format!(
                "        {} ({}); fix: {}\n",
                fault.says, fault.name, fault.fix
            ))?;
        }
        Ok(false)
    }

    /// The engine against itself: one call or many, twice, operation by operation.
    fn own(&self, subject: &Subject<'_, '_>, tokenizer: Option<&Tokenizer>) -> Result<bool> {
        output::text("this engine\n")?;
        let ids = match self.prompt.ids(tokenizer)? {
            Some(ids) => ids,
            None => encode(tokenizer, "The color of the sky is")?,
        };
        let fast = Candidate::Cpu {
            tier: Tier::Fast,
            cache: CacheFormat::F16,
            level: None,
        };
        let logits = Selection {
            names: vec!["logits".to_owned()],
            ..Selection::default()
        };
        let graph = &subject.model.graph;
        let run = |steps: &[usize]| fast.record(graph, &ids, steps, &logits, None);
        let (once, again) = (run(&steps(ids.len(), 0))?, run(&steps(ids.len(), 0))?);
        let one_by_one = run(&steps(ids.len(), ids.len()))?;
        let mut sound = true;
        for (what, other) in [("run twice", &again), ("token by token", &one_by_one)] {
            let same = other.tensors == once.tensors;
            sound &= same;
            let said = if same {
                "ok    the same bits"
            } else {
                "WRONG other bits"
            };
            output::text(&format!("  {said}: {what}\n"))?;
        }
        let report = subject.compare(&fast, &[("doctor".to_owned(), ids.clone())])?;
        print(&report)?;
        Ok(sound && report.verdict() == Verdict::Agree)
    }
}

fn verdict(sound: bool) -> Verdict {
    if sound {
        Verdict::Agree
    } else {
        Verdict::Diverge
    }
}
