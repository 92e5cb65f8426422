//! Measures a model on a device: `probe MODEL.gguf [--device N] [--context N] [--batch N] [--from N] [--keep FOLDER] [--cache q8_0|f32] [--tier f32] [--check]`.
//!
//! Prints how fast weights go up, prompts are read (512 tokens) and tokens are made (with the logits read back, with the token
//! chosen on the device, and without waiting for it), then the time of each kind of kernel. With `--check`, how far the logits are from the processor's.

#[path = "../tests/models/translate.rs"]
mod translate;

use fidelis_engine::backend::{
    CacheFormat as CpuCacheFormat, CpuBackend, CpuSettings, Logits, Step as CpuStep,
    Tier as CpuTier,
};
use fidelis_engine::gguf::File;
use fidelis_engine::model::Model;
use fidelis_offload_gpu::device::{Gpu, reports};
use fidelis_offload_gpu::graph::{CacheFormat, Tier};
use fidelis_offload_gpu::plan::Plan;
use fidelis_offload_gpu::run::{Outcome, Step, Wanted};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::time::Instant;
use translate::{Settings, graph, upload};

/// The value of an option, or what it is without.
fn option(arguments: &[String], name: &str, without: usize) -> Result<usize, Box<dyn Error>> {
    match arguments.iter().position(|argument| argument == name) {
        Some(at) => Ok(arguments
            .get(at + 1)
            .ok_or_else(|| format!("{name} needs a number"))?
            .parse()?),
        None => Ok(without),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let path = arguments.get(1).ok_or("which model?")?;
    for (i, report) in reports().iter().enumerate() {
        println!(
            "device {i}: {}, {}, {}",
            report.name, report.driver, report.features
        );
    }
    let context = option(&arguments, "--context", 2048)?;
    let batch = option(&arguments, "--batch", 512)?;
    let tier = if arguments.iter().any(|argument| argument == "f32") {
        Tier::F32
    } else {
        Tier::Fast
    };
    let text = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).map(String::as_str)
    };
    let (cache, remembered) = match text("--cache") {
        None | Some("f16") => (CacheFormat::F16, CpuCacheFormat::F16),
        Some("f32") => (CacheFormat::F32, CpuCacheFormat::F32),
        Some("q8_0") => (CacheFormat::Q8_0, CpuCacheFormat::Q8_0),
        Some(other) => return Err(format!("--cache {other} is not f16, f32 or q8_0").into()),
    };
    let start = Instant::now();
    let kept = text("--keep").map(Path::new);
    let gpu = Gpu::open_keeping(option(&arguments, "--device", 0)?, kept)?;
    println!("open {:?}, {:?}", start.elapsed(), gpu.abilities);
    let file = File::open(Path::new(path))?;
    let model = Model::read(&file.gguf()?)?;
    let start = Instant::now();
    let weights = upload(&gpu, &model.graph);
    let bytes: u64 = weights.iter().map(|weight| weight.shape.bytes()).sum();
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{bytes} bytes of weights in {seconds:.2} s, {:.2} GB/s",
        bytes as f64 / seconds / 1e9
    );
    let settings = Settings {
        tier,
        cache,
        context,
        batch,
        wanted: 1,
    };
    let start = Instant::now();
    let mut plan = Plan::new(&gpu, graph(&model.graph, &settings), &weights)?;
    println!("plan {:?}, {} bytes", start.elapsed(), plan.bytes);
    if kept.is_some() {
        println!("kernels kept: {}", gpu.keep());
    }
    let vocabulary = model.config.vocabulary;
    let tokens: Vec<u32> = (0..batch)
        .map(|i| ((i * 7919 + 13) % vocabulary) as u32)
        .collect();
    let mut logits = vec![0.0; vocabulary];
    let mut prompt = |plan: &mut Plan, count: usize| -> Result<f64, Box<dyn Error>> {
        let start = Instant::now();
        let step = Step {
            tokens: &tokens[..count],
            count,
            position: 0,
            wanted: Wanted::Last,
            choices: vocabulary,
        };
        let mut outcome = Outcome {
            logits: Some(&mut logits),
            chosen: None,
        };
        plan.run(&gpu, &step, &[], &mut [], &mut outcome)?;
        Ok(start.elapsed().as_secs_f64())
    };
    for round in 0..4 {
        let seconds = prompt(&mut plan, batch)?;
        println!(
            "prompt {batch}, round {round}: {:.1} tokens/s",
            batch as f64 / seconds
        );
    }
    for (name, ns) in by_kernel(plan.timings(&gpu, batch as u32, 1)) {
        println!(
            "  {name:32} {:5} × {:9.2} us {:9.1} us",
            ns.0,
            ns.1 / ns.0 as f64 / 1e3,
            ns.1 / 1e3
        );
    }
    let first = option(&arguments, "--from", 128)?;
    let mut position = 0;
    while position < first {
        let count = batch.min(first - position);
        let step = Step {
            tokens: &tokens[..count],
            count,
            position,
            wanted: Wanted::None,
            choices: vocabulary,
        };
        plan.run(&gpu, &step, &[], &mut [], &mut Outcome::default())?;
        position += count;
    }
    let count = 128.min(context - first);
    for read_back in [true, false, true, false, true, false] {
        let mut logits = vec![0.0; vocabulary];
        let (mut token, start) = (1, Instant::now());
        for i in 0..count {
            let mut chosen = 0;
            let mut outcome = Outcome {
                logits: read_back.then_some(&mut logits[..]),
                chosen: Some(&mut chosen),
            };
            let step = Step {
                tokens: &[token],
                count: 1,
                position: first + i,
                wanted: Wanted::Last,
                choices: vocabulary,
            };
            plan.run(&gpu, &step, &[], &mut [], &mut outcome)?;
            token = chosen;
        }
        let rate = count as f64 / start.elapsed().as_secs_f64();
        println!("decode from {first}, logits read back {read_back}: {rate:.1} tokens/s");
        let (mut last, start) = (0, Instant::now());
        plan.greedy(&gpu, 1, first, count, vocabulary, &mut |token| {
            last = token;
            true
        })?;
        let rate = count as f64 / start.elapsed().as_secs_f64();
        let same = last == token;
        println!("greedy from {first}: {rate:.1} tokens/s, the same last token: {same}");
    }
    for (name, ns) in by_kernel(plan.timings(&gpu, 1, 1)) {
        println!(
            "  {name:32} {:5} × {:9.2} us {:9.1} us",
            ns.0,
            ns.1 / ns.0 as f64 / 1e3,
            ns.1 / 1e3
        );
    }
    if arguments.iter().any(|argument| argument == "--check") {
        check(&gpu, &model, &weights, tier, (cache, remembered))?;
    }
    Ok(())
}

type Times = Result<Vec<(String, f64)>, fidelis_offload_gpu::error::GpuError>;

/// How often each kernel runs, and its nanoseconds in all.
fn by_kernel(times: Times) -> BTreeMap<String, (usize, f64)> {
    let mut kernels = BTreeMap::new();
    for (name, ns) in times.unwrap_or_default() {
        let all: &mut (usize, f64) = kernels.entry(name).or_default();
        *all = (all.0 + 1, all.1 + ns);
    }
    kernels
}

/// The logits of some tokens beside the processor's.
fn check(
    gpu: &Gpu,
    model: &Model<'_>,
    weights: &[fidelis_offload_gpu::memory::Weight],
    tier: Tier,
    (cache, remembered): (CacheFormat, CpuCacheFormat),
) -> Result<(), Box<dyn Error>> {
    let vocabulary = model.config.vocabulary;
    let tokens: Vec<u32> = (0..150)
        .map(|i| ((i * 7919 + 13) % vocabulary) as u32)
        .collect();
    let settings = Settings {
        tier,
        cache,
        context: 256,
        batch: 100,
        wanted: 100,
    };
    let mut plan = Plan::new(gpu, graph(&model.graph, &settings), weights)?;
    let mut found = vec![0.0_f32; tokens.len() * vocabulary];
    let mut position = 0;
    for count in [100, 1, 1, 6, 20, 1, 20, 1] {
        let step = Step {
            tokens: &tokens[position..][..count],
            count,
            position,
            wanted: Wanted::All,
            choices: vocabulary,
        };
        let mut outcome = Outcome {
            logits: Some(&mut found[position * vocabulary..][..count * vocabulary]),
            chosen: None,
        };
        plan.run(gpu, &step, &[], &mut [], &mut outcome)?;
        position += count;
    }
    let cpu = CpuSettings {
        tier: match tier {
            Tier::Fast => CpuTier::Fast,
            Tier::F32 => CpuTier::F32,
        },
        cache: remembered,
        ..CpuSettings::new(256)?
    };
    let mut backend = CpuBackend::new(&model.graph, &cpu)?;
    let step = CpuStep {
        tokens: &tokens,
        position: 0,
        logits: Logits::All,
    };
    let expected = backend.forward(&step)?;
    let unequal = found
        .iter()
        .zip(expected)
        .filter(|(a, b)| a.to_bits() != b.to_bits());
    let largest = expected.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    let errors = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    let top = |row: &[f32]| {
        let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        row.iter().position(|&x| x == most)
    };
    let rows = found.chunks(vocabulary).zip(expected.chunks(vocabulary));
    let wrong = |(a, b): (&[f32], &[f32])| a.iter().zip(b).any(|(a, b)| a.to_bits() != b.to_bits());
    let pairs = found.chunks(vocabulary).zip(expected.chunks(vocabulary));
    if let Some(first) = pairs.clone().position(wrong) {
        println!(
            "the first token with other bits is {first}, of {}",
            pairs.filter(|&pair| wrong(pair)).count()
        );
    }
    let agree = rows.filter(|(a, b)| top(a) == top(b)).count();
    println!(
        "the likeliest of {agree} of {} tokens is the processor's",
        tokens.len()
    );
    println!(
        "{} of {} logits have other bits than the processor's; the largest difference is {:e} of the largest logit",
        unequal.count(),
        found.len(),
        errors.fold(0.0_f32, f32::max) / largest
    );
    Ok(())
}
