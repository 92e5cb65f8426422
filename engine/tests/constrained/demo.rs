//! The demo model, sampled under a constraint.

use fidelis_engine::backend::{CpuBackend, CpuSettings};
use fidelis_engine::constrain::{Constraint, Form, Guide, Tokens};
use fidelis_engine::gguf::File;
use fidelis_engine::model::Model;
use fidelis_engine::sample::{Sampler, Settings};
use fidelis_engine::session::{Limits, Session, SessionError, Stop};
use fidelis_engine::text::{Bos, Specials, Tokenizer};
use std::ops::ControlFlow;
use std::path::Path;

/// A demo model's file.
pub(crate) fn file() -> File {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/demo-model");
    File::open(&folder.join("demo-llama-q4_k_m.gguf")).expect("the demo model")
}

/// Its tokenizer alone.
pub(crate) fn tokenizer() -> Tokenizer {
    Tokenizer::read(&file().gguf().expect("a sound file")).expect("a tokenizer")
}

/// A constraint for it.
pub(crate) fn constraint(form: &Form) -> Constraint {
    let tokens = Tokens::new(&tokenizer()).expect("tokens");
    Constraint::new(&tokens, form).expect("a form that can be used")
}

/// Almost any token is as likely as any other.
pub(crate) fn hot(seed: u64) -> Settings {
    Settings {
        seed,
        temperature: 20.0,
        filters: vec![fidelis_engine::sample::Filter::Temperature],
        ..Settings::default()
    }
}

/// An answer: its text and why it ended.
pub(crate) type Said = Result<(String, Option<Stop>), SessionError>;

/// What the model says to a prompt under each of these samplers, kept to what `guide` gives for it.
pub(crate) fn answers<G: Guide + 'static>(
    guide: impl Fn(&Tokenizer) -> G,
    limits: &Limits,
    samplers: impl IntoIterator<Item = Settings>,
) -> Vec<Said> {
    let file = file();
    let gguf = file.gguf().expect("a sound file");
    let model = Model::read(&gguf).expect("a model");
    let tokenizer = Tokenizer::read(&gguf).expect("a tokenizer");
    let prompt = tokenizer
        .encode("What is 7 + 5?", Specials::Parse, Bos::Auto)
        .expect("ids");
    let answer = |settings: Settings| {
        let sampler = Sampler::new(settings, &tokenizer).expect("settings");
        let backend = CpuBackend::new(&model.graph, &CpuSettings::new(512).expect("a level"));
        let mut session = Session::new(backend.expect("a back end"), &tokenizer, sampler);
        let reply = session.reply(&prompt, limits.clone(), |_, _| ControlFlow::Continue(()))?;
        let mut reply = reply.constrained(guide(&tokenizer));
        let mut text = String::new();
        while let Some(piece) = reply.next().transpose()? {
            text.push_str(&piece.text);
        }
        let stop = reply.stop();
        Ok((text + &reply.finish(), stop))
    };
    samplers.into_iter().map(answer).collect()
}

/// The same with a constraint, up to `tokens` tokens, under hot samplers of these seeds.
pub(crate) fn hot_answers(
    form: &Form,
    tokens: usize,
    seeds: std::ops::Range<u64>,
) -> Vec<(String, Stop)> {
    let fresh = constraint(form);
    let limits = Limits {
        tokens: Some(tokens),
        ..Limits::default()
    };
    let said = answers(|_| fresh.clone(), &limits, seeds.map(hot));
    said.into_iter()
        .map(|said| said.expect("an answer"))
        .map(|(text, stop)| (text, stop.expect("it ended")))
        .collect()
}
