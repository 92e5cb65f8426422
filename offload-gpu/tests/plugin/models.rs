//! Whole models through the plug-in: the demo models and one of every kind.

use super::library::plugin;
use fidelis_conformance::metric::{kl_divergence, largest_error};
use fidelis_conformance::tiny::{Kind, Tiny};
use fidelis_engine::backend::offload::{GpuLayers, OffloadBackend, OffloadError, OffloadSettings};
use fidelis_engine::backend::{
    Backend, BackendError, CacheFormat, CpuBackend, CpuSettings, Greedy, Logits, Step, Tier,
};
use fidelis_engine::gguf::{File, Gguf};
use fidelis_engine::model::Model;
use fidelis_engine::text::{Bos, ChatTemplate, Message, Specials, Tokenizer};
use std::path::Path;

const DEMOS: [&str; 2] = ["demo-llama-q4_k_m.gguf", "demo-gemma3-q4_k_m.gguf"];

const PROMPTS: [&str; 4] = [
    "Tell me a story about a dog.",
    "What color is the sky?",
    "can you work out 7 plus 18",
    "Tell me a story about a cat and a little girl who lived near the sea.",
];

fn settings(layers: GpuLayers, tier: Option<Tier>, cpu: CpuSettings) -> OffloadSettings {
    let index = std::env::var("FIDELIS_GPU").ok();
    OffloadSettings {
        device: index.map_or(0, |index| index.parse().expect("a number of an adapter")),
        layers,
        tier,
        observe: false,
        cpu,
    }
}

fn cpu(tier: Tier) -> CpuSettings {
    CpuSettings {
        tier,
        ..CpuSettings::new(256).expect("a level")
    }
}

fn logits(backend: &mut dyn Backend, tokens: &[u32]) -> Vec<f32> {
    let step = Step {
        tokens,
        position: 0,
        logits: Logits::All,
    };
    backend.forward(&step).expect("a forward pass").to_vec()
}

fn on_cpu(model: &Model<'_>, tier: Tier, tokens: &[u32]) -> Vec<f32> {
    let mut backend = CpuBackend::new(&model.graph, &cpu(tier)).expect("a back end");
    logits(&mut backend, tokens)
}

fn top(row: &[f32]) -> usize {
    let most = |best: usize, i: usize| if row[i] > row[best] { i } else { best };
    (0..row.len()).fold(0, most)
}

fn wide(row: &[f32]) -> Vec<f64> {
    row.iter().map(|&x| x.into()).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

fn each_demo(check: impl Fn(&str, &Model<'_>, &Gguf<'_>)) {
    for name in DEMOS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/demo-model");
        let file = File::open(&path.join(name)).expect("the demo model");
        let gguf = file.gguf().expect("a GGUF file");
        check(name, &Model::read(&gguf).expect("a model"), &gguf);
    }
}

/// The ids of a text.
fn ids(gguf: &Gguf<'_>, text: &str) -> Vec<u32> {
    let tokenizer = Tokenizer::read(gguf).expect("a tokenizer");
    let ids = tokenizer.encode(text, Specials::AsText, Bos::Auto);
    ids.expect("tokens")
}

/// A conversation's beginning, as the model's template has it, and what `audit` answers; how many tokens are the beginning.
fn conversation(model: &Model<'_>, gguf: &Gguf<'_>, prompt: &str) -> (Vec<u32>, usize) {
    let tokenizer = Tokenizer::read(gguf).expect("a tokenizer");
    let special = |id: Option<u32>| id.and_then(|id| tokenizer.token_text(id)).unwrap_or("");
    let template = ChatTemplate::read(gguf, special(tokenizer.bos()), special(tokenizer.eos()));
    let template = template.expect("a template").expect("a template");
    let text = template.render(&[Message::new("user", prompt)], true);
    let text = text.expect("rendered");
    let mut tokens = tokenizer
        .encode(&text, Specials::Parse, Bos::Auto)
        .expect("tokens");
    let begun = tokens.len();
    let mut audit = CpuBackend::new(&model.graph, &cpu(Tier::Audit)).expect("a back end");
    while tokens.len() < begun + 24 {
        let step = Step {
            tokens: &tokens[audit.position()..],
            position: audit.position(),
            logits: Logits::Last,
        };
        let next = top(audit.forward(&step).expect("a forward pass")) as u32;
        tokens.push(next);
        if tokenizer.is_end(next) {
            break;
        }
    }
    (tokens, begun)
}

#[test]
fn demo_models_have_the_processors_bits_and_the_likeliest_tokens_of_audit() {
    let Some(plugin) = plugin() else { return };
    each_demo(|name, model, gguf| {
        for tier in [Tier::Fast, Tier::F32] {
            let settings = settings(GpuLayers::All, Some(tier), cpu(tier));
            let mut backend = OffloadBackend::new(&model.graph, &plugin, &settings, |_, _| {})
                .expect("a back end");
            let (mut error, mut divergence, mut agree, mut rows) = (0.0_f64, 0.0_f64, 0, 0);
            for prompt in PROMPTS {
                let (tokens, begun) = conversation(model, gguf, prompt);
                backend.reset();
                let found = logits(&mut backend, &tokens);
                if tier == Tier::Fast {
                    let expected = on_cpu(model, tier, &tokens);
                    assert!(bits(&found) == bits(&expected), "{name}: bits differ");
                }
                let truth = on_cpu(model, Tier::Audit, &tokens);
                let width = model.config.vocabulary;
                let both = found.chunks(width).zip(truth.chunks(width));
                for (found, truth) in both.skip(begun - 1) {
                    let (found_wide, truth_wide) = (wide(found), wide(truth));
                    let largest = truth_wide.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
                    let worst = largest_error(&truth_wide, &found_wide).expect("finite");
                    error = error.max(worst / largest);
                    divergence += kl_divergence(&truth_wide, &found_wide).expect("finite");
                    agree += usize::from(top(found) == top(truth));
                    rows += 1;
                }
            }
            println!(
                "{name}, {tier:?}: {rows} tokens, largest error {error:.2e} of the largest logit, mean KL {:.2e}, {agree} likeliest agree",
                divergence / f64::from(rows as u32)
            );
            assert!(rows > 30, "{rows}");
            assert_eq!(agree, rows, "{name}, {tier:?}");
        }
    });
}

#[test]
fn layers_split_between_both_keep_the_bits() {
    let Some(plugin) = plugin() else { return };
    each_demo(|name, model, gguf| {
        let tokens = &ids(gguf, PROMPTS[3]);
        let expected = on_cpu(model, Tier::Fast, tokens);
        for layers in [1, 2] {
            let settings = settings(GpuLayers::Last(layers), Some(Tier::Fast), cpu(Tier::Fast));
            let mut backend = OffloadBackend::new(&model.graph, &plugin, &settings, |_, _| {})
                .expect("a back end");
            assert!(
                bits(&logits(&mut backend, tokens)) == bits(&expected),
                "{name}, {layers} layers"
            );
        }
    });
}

#[test]
fn tokens_chosen_on_the_device_are_the_processors() {
    let Some(plugin) = plugin() else { return };
    each_demo(|name, model, gguf| {
        let tokens = &ids(gguf, PROMPTS[0]);
        let offload = settings(GpuLayers::All, Some(Tier::Fast), cpu(Tier::Fast));
        let mut backend =
            OffloadBackend::new(&model.graph, &plugin, &offload, |_, _| {}).expect("a back end");
        let all = logits(&mut backend, tokens);
        let first = top(&all[all.len() - model.config.vocabulary..]) as u32;
        let greedy = Greedy {
            token: first,
            count: 20,
            choices: model.config.vocabulary,
            ends: &[],
        };
        let found = backend.greedy(&greedy).expect("chosen").expect("it can");
        let mut whole = tokens.clone();
        whole.push(first);
        whole.extend(&found[..found.len() - 1]);
        let logits = on_cpu(model, Tier::Fast, &whole);
        let rows: Vec<u32> = logits
            .chunks(model.config.vocabulary)
            .skip(tokens.len())
            .map(|row| top(row) as u32)
            .collect();
        assert_eq!(found, rows, "{name}");
    });
}

/// Rounding to 32-bit floats moves a tiny model's logits by some 1e-6 of the largest; a wrong operation by far more.
const BOUND: f64 = 1e-5;

#[test]
fn every_kind_of_model_runs_in_floats_near_audit() {
    let Some(plugin) = plugin() else { return };
    for kind in Kind::ALL {
        let bytes = Tiny::small(kind).bytes().expect("encoded");
        let gguf = Gguf::read(&bytes).expect("a GGUF file");
        let model = Model::read(&gguf).expect("a model");
        let tokens: Vec<u32> = (0..70)
            .map(|i| ((i * 7919 + 13) % model.config.vocabulary) as u32)
            .collect();
        let offload = settings(
            GpuLayers::All,
            Some(Tier::F32),
            CpuSettings {
                cache: CacheFormat::F32,
                ..cpu(Tier::F32)
            },
        );
        let mut backend =
            OffloadBackend::new(&model.graph, &plugin, &offload, |_, _| {}).expect("a back end");
        let found = wide(&logits(&mut backend, &tokens));
        let truth = wide(&on_cpu(&model, Tier::Audit, &tokens));
        let largest = truth.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        let error = largest_error(&truth, &found).expect("finite");
        println!("{kind:?}: {:.2e} of the largest logit", error / largest);
        assert!(error <= BOUND * largest, "{kind:?}: {error} of {largest}");
    }
}

#[test]
fn too_little_memory_is_an_error_that_says_how_much_is_needed() {
    let Some(plugin) = plugin() else { return };
    each_demo(|name, model, _| {
        let huge = CpuSettings {
            context: 1 << 27,
            ..cpu(Tier::Fast)
        };
        let settings = settings(GpuLayers::All, Some(Tier::Fast), huge);
        let made = OffloadBackend::new(&model.graph, &plugin, &settings, |_, _| {});
        match made.map(|_| ()) {
            Err(BackendError::Offload(error @ OffloadError::Memory { .. })) => {
                println!("{name}: {error}");
            }
            other => panic!("{name}: {other:?}"),
        }
    });
}

#[test]
fn a_device_that_is_not_there_is_an_error_that_says_how_many_there_are() {
    let Some(plugin) = plugin() else { return };
    let count = plugin.devices().expect("a list").len() as u32;
    each_demo(|name, model, _| {
        for device in [count, u32::MAX] {
            let settings = OffloadSettings {
                device,
                ..settings(GpuLayers::All, None, cpu(Tier::Fast))
            };
            let made = OffloadBackend::new(&model.graph, &plugin, &settings, |_, _| {});
            let error = made.map(|_| ()).expect_err("there is none");
            assert!(
                error.to_string().contains(&count.to_string()),
                "{name}: {error}"
            );
        }
    });
}
