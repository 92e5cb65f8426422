//! `fidelis conformance`: do two ways of running a model agree, and if not, which operation is wrong and why?

mod plugin;

use crate::observe::{Prompt, cache, encode, open, steps};
use crate::output;
use anyhow::{Context, Result};
use clap::Args;
use fidelis_conformance::candidate::{Candidate, Device};
use fidelis_conformance::claims::judge;
use fidelis_conformance::compare::{Verdict, accept, same_ids};
use fidelis_conformance::import::{self, Imported};
use fidelis_conformance::receipt::{Digest, write_atomically};
use fidelis_conformance::recording::{Provenance, Recording, Selection, model_digest};
use fidelis_conformance::reference::Reference;
use fidelis_conformance::report::{Case, Report};
use fidelis_engine::backend::{CacheFormat, Tier};
use fidelis_engine::model::Model;
use fidelis_engine::text::Tokenizer;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What the exit codes mean.
const EXIT_CODES: &str = "\
Exit codes:
  0  both agree: every operation is within its bound
  1  wrong usage
  2  they diverge; which operation, and if a known fault fits, which
  3  they could not be run, the recording cannot be compared, or nothing was compared";

/// What is read if nothing is given: short, of several kinds, with digits and signs.
const PROMPTS: [&str; 4] = [
    "The color of the sky is",
    "Once upon a time, there was a little girl who lived in a village near the forest.",
    "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11",
    "fn main() { println!(\"Hello, world!\"); }",
];

#[derive(Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Conformance {
    /// GGUF file; of a split one the first part. Without it, the model inside this program.
    model: Option<PathBuf>,
    /// What is judged: fast, f32, audit, level:NAME, plugin:PATH, gpu or gpu:N.
    #[arg(long, default_value = "fast")]
    candidate: String,
    /// What it is compared with.
    #[arg(long, default_value = "audit")]
    reference: String,
    /// Judge a plug-in: every operation, format and shape, and what else the contract says. With a MODEL: that model on it.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["candidate", "recording"])]
    plugin: Option<PathBuf>,
    /// With --plugin: the device's place in its list.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "plugin")]
    device: u32,
    /// How the candidate remembers keys and values: f16, f32 or q8_0.
    #[arg(long, default_value = "f16")]
    cache_type_k: String,
    /// A file with a prompt in each line.
    #[arg(long, value_name = "FILE")]
    prompts: Option<PathBuf>,
    #[command(flatten)]
    prompt: Prompt,
    /// Judge a recording: safetensors, npz, llama.cpp's eval-callback log, or a table of statistics.
    #[arg(long, value_name = "FILE")]
    recording: Option<PathBuf>,
    #[command(flatten)]
    made: Made,
    /// One JSON object.
    #[arg(long)]
    json: bool,
    /// Write a page to look at.
    #[arg(long, value_name = "REPORT.html")]
    html: Option<PathBuf>,
}

/// What made a recording, if it does not say.
#[derive(Args, Clone, Debug)]
pub(crate) struct Made {
    /// The recording's engine, such as llama.cpp or transformers.
    #[arg(long, value_name = "NAME")]
    engine: Option<String>,
    /// What it computed in: f64, f32, f16, bf16, or quantised (activations as bytes, as llama.cpp does with quantised weights).
    #[arg(long, value_name = "TYPE")]
    computed_in: Option<String>,
    /// How it remembered keys and values: f32, f16 or q8_0.
    #[arg(long, value_name = "TYPE")]
    cache_type: Option<String>,
}

impl Made {
    /// Fills in what was said.
    pub(crate) fn apply(&self, provenance: &mut Provenance) {
        for (said, field) in [
            (&self.engine, &mut provenance.engine),
            (&self.computed_in, &mut provenance.tier),
            (&self.cache_type, &mut provenance.cache),
        ] {
            if let Some(said) = said {
                field.clone_from(said);
            }
        }
    }
}

/// Everything that is compared on one model.
pub(crate) struct Subject<'m, 'a> {
    pub(crate) model: &'m Model<'a>,
    pub(crate) digest: Digest,
    pub(crate) truth: Candidate,
}

impl Subject<'_, '_> {
    /// Another engine's file against the model.
    pub(crate) fn judge(&self, path: &Path, made: &Made, ids: Option<&[u32]>) -> Result<Report> {
        let reference = Reference::new(&self.model.graph);
        let shown = path.display();
        let imported = import::load(path, &reference, ids)
            .with_context(|| format!("cannot use the recording {shown}"))?;
        let mut report = self.report();
        let case = match imported {
            Imported::Recording(mut recording) => {
                made.apply(&mut recording.provenance);
                let accepted = accept(&reference, recording, Some(self.digest), ids)
                    .with_context(|| format!("cannot compare the recording {shown}"))?;
                let found = accepted.recording;
                let truth = self.run(&self.truth, &found.tokens, &found.steps)?;
                let prompt = format!("{shown} ({} ids)", found.tokens.len());
                let case = Case::new(&reference, prompt, &truth, &found, accepted.ignored);
                (report.reference, report.candidate) = (truth.provenance, found.provenance);
                case
            }
            Imported::Claims(mut claims) => {
                made.apply(&mut claims.provenance);
                if let Some(ids) = ids {
                    same_ids(&claims.tokens, Some(ids))?;
                }
                let steps = steps(claims.tokens.len(), 0);
                let truth = self.run(&self.truth, &claims.tokens, &steps)?;
                let single = Candidate::Cpu {
                    tier: Tier::F32,
                    cache: CacheFormat::F32,
                    level: None,
                };
                let single = self.run(&single, &claims.tokens, &steps)?;
                let judged = judge(&reference, &claims, &truth, &single);
                let prompt = format!(
                    "{shown} ({} numbers, {} ids)",
                    claims.all.len(),
                    claims.tokens.len()
                );
                (report.reference, report.candidate) = (truth.provenance, claims.provenance);
                Case::of_claims(prompt, claims.tokens, judged, claims.ignored)
            }
        };
        report.prompts.push(case);
        Ok(report)
    }

    /// A candidate against the truth.
    pub(crate) fn compare(
        &self,
        candidate: &Candidate,
        prompts: &[(String, Vec<u32>)],
    ) -> Result<Report> {
        let reference = Reference::new(&self.model.graph);
        let mut report = self.report();
        for (text, ids) in prompts {
            // The reference reads all at once, the candidate as in a conversation: both must give the same.
            let truth = self.run(&self.truth, ids, &steps(ids.len(), 0))?;
            let found = self.run(candidate, ids, &steps(ids.len(), 3))?;
            let case = Case::new(&reference, text.clone(), &truth, &found, vec![]);
            report.prompts.push(case);
            (report.reference, report.candidate) = (truth.provenance, found.provenance);
        }
        Ok(report)
    }

    fn report(&self) -> Report {
        Report {
            model: self.model.config.name.clone(),
            reference: Provenance::default(),
            candidate: Provenance::default(),
            prompts: vec![],
        }
    }

    fn run(&self, candidate: &Candidate, ids: &[u32], steps: &[usize]) -> Result<Recording> {
        let all = Selection::default();
        Ok(candidate.record(&self.model.graph, ids, steps, &all, Some(self.digest))?)
    }
}

/// The report on the terminal.
pub(crate) fn print(report: &Report) -> Result<()> {
    Ok(output::text(&report.to_text())?)
}

impl Conformance {
    /// What the program ends with.
    pub(crate) fn execute(&self) -> Result<ExitCode> {
        let parsed = cache(&self.cache_type_k).and_then(|cache| {
            let candidate = match &self.plugin {
                Some(path) => Candidate::Plugin(Device {
                    path: Some(path.clone()),
                    index: self.device,
                    cache,
                }),
                None => Candidate::named(&self.candidate, cache)?,
            };
            Ok((Candidate::named(&self.reference, cache)?, candidate))
        });
        let (truth, candidate) = match parsed {
            Ok(both) => both,
            Err(error) => {
                eprintln!("error: {error}");
                return Ok(ExitCode::from(1));
            }
        };
        if let (Some(_), None, Candidate::Plugin(device)) = (&self.plugin, &self.model, &candidate)
        {
            return Ok(match plugin::execute(device, self.json) {
                Ok(verdict) => ExitCode::from(verdict.exit_code()),
                Err(error) => {
                    eprintln!("error: {error:#}");
                    ExitCode::from(Verdict::Nothing.exit_code())
                }
            });
        }
        let report = match self.compare(truth, &candidate) {
            Ok(report) => report,
            Err(error) => {
                eprintln!("error: {error:#}");
                return Ok(ExitCode::from(Verdict::Nothing.exit_code()));
            }
        };
        if self.json {
            output::text(&format!("{}\n", report.to_json()))?;
        } else {
            print(&report)?;
        }
        if let Some(path) = &self.html {
            write_atomically(path, report.to_html())?;
        }
        Ok(ExitCode::from(report.verdict().exit_code()))
    }

    fn compare(&self, truth: Candidate, candidate: &Candidate) -> Result<Report> {
        let source = open(self.model.as_ref())?;
        let gguf = source.gguf()?;
        let tokenizer = Tokenizer::read(&gguf).ok();
        let given = self.prompt.ids(tokenizer.as_ref())?;
        let model = Model::read(&gguf)?;
        let subject = Subject {
            model: &model,
            digest: model_digest(&source.parts()),
            truth,
        };
        match &self.recording {
            Some(path) => subject.judge(path, &self.made, given.as_deref()),
            None => subject.compare(candidate, &self.texts(given, tokenizer.as_ref())?),
        }
    }

    /// The prompts and their ids.
    fn texts(
        &self,
        given: Option<Vec<u32>>,
        tokenizer: Option<&Tokenizer>,
    ) -> Result<Vec<(String, Vec<u32>)>> {
        if let Some(ids) = given {
            let text = self.prompt.prompt.clone();
            let text = text.unwrap_or_else(|| format!("{} ids", ids.len()));
            return Ok(vec![(text, ids)]);
        }
        let texts: Vec<String> = match &self.prompts {
            None => PROMPTS.map(str::to_owned).to_vec(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                text.lines()
                    .filter(|line| !line.trim().is_empty())
                    .map(str::to_owned)
                    .collect()
            }
        };
        texts
            .into_iter()
            .map(|text| Ok((text.clone(), encode(tokenizer, &text)?)))
            .collect()
    }
}
