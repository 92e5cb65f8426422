//! No false alarm: 1,000 random prompts, cut into random calls, over every kind of model, tier, cache, level and the main formats. Every operation is
//! within its bound, so nothing is ever diagnosed.

use fidelis_conformance::candidate::Candidate;
use fidelis_conformance::compare::{Verdict, operations};
use fidelis_conformance::precision::Precision;
use fidelis_conformance::recording::Selection;
use fidelis_conformance::reference::Reference;
use fidelis_conformance::tiny::{Kind, Tiny};
use fidelis_engine::backend::{CacheFormat, Tier};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::model::Model;
use fidelis_simd::{Format, Level};
use rand_core::Rng;
use rand_pcg::Pcg64Mcg;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::io::Write;

const PROMPTS: usize = 1000;
const CACHES: [CacheFormat; 3] = [CacheFormat::F16, CacheFormat::F32, CacheFormat::Q8_0];
const TIERS: [Tier; 3] = [Tier::Fast, Tier::F32, Tier::Audit];

fn formats(kind: Kind) -> Vec<Format> {
    let mut all = vec![
        Format::F32,
        Format::F16,
        Format::BF16,
        Format::Q4_0,
        Format::Q5_0,
        Format::Q8_0,
    ];
    // These need rows of 256, which take longer.
    if kind == Kind::Llama {
        all.extend([Format::Q4_K, Format::Q5_K, Format::Q6_K]);
    }
    all
}

#[test]
fn a_thousand_random_prompts_raise_no_alarm() {
    let described: Vec<(Kind, Format)> = (Kind::ALL.into_iter())
        .flat_map(|kind| formats(kind).into_iter().map(move |format| (kind, format)))
        .collect();
    let files: Vec<Vec<u8>> = (described.par_iter())
        .map(|&(kind, format)| {
            let tiny = match format.block_len() {
                256 => Tiny::blocks(kind, format),
                _ => Tiny {
                    format,
                    ..Tiny::small(kind)
                },
            };
            tiny.bytes().expect("encoded")
        })
        .collect();
    let ggufs: Vec<Gguf<'_>> = (files.iter())
        .map(|bytes| Gguf::read(bytes).expect("GGUF"))
        .collect();
    let models: Vec<Model<'_>> = (ggufs.iter())
        .map(|gguf| Model::read(gguf).expect("a model"))
        .collect();
    let levels: Vec<Level> = [
        "scalar",
        "portable",
        "avx2",
        "avx512vnni",
        "neon",
        "neondot",
    ]
    .into_iter()
    .filter_map(|name| Level::named(name).ok())
    .collect();
    let seen: Vec<(String, usize, f64)> = (0..PROMPTS)
        .into_par_iter()
        .map(|prompt| {
            let mut random = Pcg64Mcg::new((prompt as u128) << 1 | 1);
            let mut below = |n: usize| random.next_u32() as usize % n;
            let model = prompt % models.len();
            let (kind, format) = described[model];
            let tier = TIERS[below(3)];
            let level = levels[below(levels.len())];
            let cache = CACHES[below(3)];
            let mut steps = Vec::new();
            let count = 1 + below(14);
            while steps.iter().sum::<usize>() < count {
                let left = count - steps.iter().sum::<usize>();
                steps.push(1 + below(left));
            }
            let tokens: Vec<u32> = (0..count).map(|_| below(320) as u32).collect();
            let candidate = Candidate::Cpu {
                tier,
                // Keys of 16 elements do not fill the groups of bytes.
                cache: if matches!(kind, Kind::Gemma2 | Kind::Gemma3 | Kind::Qwen3)
                    || cache != CacheFormat::Q8_0
                {
                    cache
                } else {
                    CacheFormat::F16
                },
                level: Some(level),
            };
            let graph = &models[model].graph;
            let case = format!("prompt {prompt}: {kind:?} {format} {candidate} {steps:?}");
            let recording = candidate
                .record(graph, &tokens, &steps, &Selection::default(), None)
                .unwrap_or_else(|error| panic!("{case}: {error}"));
            let reference = Reference::new(graph);
            let precision = Precision::of(&recording.provenance);
            let all = operations(&reference, &recording, &precision);
            let wrong = all.iter().find(|op| op.is_wrong());
            assert_eq!(Verdict::of(&all), Verdict::Agree, "{case}: {wrong:?}");
            let most = all
                .iter()
                .filter_map(|op| op.compared.as_ref())
                .fold(0.0, |most, seen| f64::max(most, seen.ratio));
            (format!("{tier:?}"), all.len(), most)
        })
        .collect();
    let mut by_tier: BTreeMap<&str, (usize, usize, f64)> = BTreeMap::new();
    for (tier, count, most) in &seen {
        let all = by_tier.entry(tier).or_default();
        *all = (all.0 + 1, all.1 + count, all.2.max(*most));
    }
    for (tier, (prompts, operations, most)) in by_tier {
        println!(
            "{tier}: {prompts} prompts, {operations} operations, none beyond its bound; the worst {most:.3} of it"
        );
    }
    let operations: usize = seen.iter().map(|(_, count, _)| count).sum();
    let said = format!(
        "{PROMPTS} random prompts on {} models and {} levels: {operations} operations, no false alarm",
        models.len(),
        levels.len()
    );
    // Past the test's capture: these counts are what it is for.
    writeln!(std::io::stderr(), "{said}").expect("stderr");
}
