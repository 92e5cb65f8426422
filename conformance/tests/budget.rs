//! What a back end is said to take is what it takes. Alone in its program, for it counts every byte there.

#[path = "support/counting.rs"]
mod counting;

use fidelis_conformance::tiny::{Kind, Tiny};
use fidelis_engine::backend::budget::{self, Free};
use fidelis_engine::backend::{
    BackendError, CacheFormat, CpuBackend, CpuSettings, Logits, Step, Tier,
};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::graph::Graph;
use fidelis_engine::model::Model;
use fidelis_simd::Format;

/// Makes the back end, reads until its context is full, and compares.
fn compare(graph: &Graph<'_>, settings: &CpuSettings, case: &str) {
    let need = budget::need(graph, settings).expect("settings that can be met");
    let before = counting::live();
    let (_, peak) = counting::peak(|| {
        let mut backend = CpuBackend::new(graph, settings).expect("a tiny model");
        assert_eq!(backend.memory_bytes(), need.bytes(), "{case}: when made");
        // In batches first, then the last ones by themselves.
        let many = settings.context - 4;
        let single = (many..settings.context).map(|at| (at, 1));
        for (position, count) in std::iter::once((0, many)).chain(single) {
            let tokens = vec![3; count];
            let step = Step {
                tokens: &tokens,
                position,
                logits: Logits::Last,
            };
            backend.forward(&step).expect("it fits");
        }
        assert_eq!(backend.memory_bytes(), need.bytes(), "{case}: when full");
    });
    let taken = peak - before;
    let overhead = budget::overhead(graph, settings.threads);
    // Threads of a back end before may give theirs back meanwhile.
    assert!(
        taken + overhead >= need.bytes(),
        "{case}: {taken} of {need:?}"
    );
    assert!(
        taken <= need.bytes() + overhead,
        "{case}: {taken} of {need:?}, and {overhead} besides"
    );
}

fn what_is_said_is_what_is_taken() {
    for (kind, format) in [
        (Kind::Llama, Format::F32),
        (Kind::Llama, Format::Q4_K),
        (Kind::Gemma2, Format::Q8_0),
        (Kind::Gemma3, Format::Q6_K),
        (Kind::Qwen2, Format::F16),
        (Kind::Phi3, Format::Q4_K),
    ] {
        let bytes = Tiny::blocks(kind, format).bytes().expect("it is encoded");
        let gguf = Gguf::read(&bytes).expect("a file");
        let model = Model::read(&gguf).expect("a model");
        for tier in [Tier::Fast, Tier::F32, Tier::Audit] {
            for (threads, context, batch) in
                [(1, 40, 1), (1, 300, 32), (2, 300, 256), (3, 130, 1000)]
            {
                for cache in [CacheFormat::F16, CacheFormat::Q8_0] {
                    let settings = CpuSettings {
                        threads,
                        context,
                        batch,
                        tier,
                        cache,
                        ..CpuSettings::new(1).expect("a level")
                    };
                    let case = format!("{kind:?} {format} {settings:?}");
                    compare(&model.graph, &settings, &case);
                }
            }
        }
    }
}

fn what_is_chosen_fits_and_what_is_named_stays(graph: &Graph<'_>) {
    let wished = CpuSettings {
        threads: 2,
        ..CpuSettings::new(8192).expect("a level")
    };
    let overhead = budget::overhead(graph, 2);
    let bytes = |settings: &CpuSettings| {
        budget::need(graph, settings)
            .expect("it can be met")
            .bytes()
            + overhead
    };
    let all = bytes(&wished);
    let mut seen = Vec::new();
    for limit in (0..=all).step_by(all / 97) {
        let Ok(found) = budget::fit(graph, &wished, Free::ALL, limit) else {
            continue;
        };
        assert!(bytes(&found) <= limit, "{found:?} in {limit}");
        assert!(found.context <= wished.context && found.batch <= wished.batch);
        // Positions are given up last, and no more than must be.
        if found.context < wished.context {
            let more = CpuSettings {
                context: found.context + 128,
                ..found.clone()
            };
            assert!(bytes(&more) > limit, "{found:?} in {limit}");
            assert_eq!(found.cache, CacheFormat::Q8_0);
        }
        seen.push((found.context, found.cache, found.batch));
    }
    seen.dedup();
    for cache in [CacheFormat::F16, CacheFormat::Q8_0] {
        assert!(seen.iter().any(|&(_, found, _)| found == cache), "{seen:?}");
    }
    assert!(seen.len() > 20, "{seen:?}");
    let as_wished = budget::fit(graph, &wished, Free::NONE, all).expect("it fits");
    assert_eq!(
        (as_wished.context, as_wished.cache, as_wished.batch),
        (wished.context, wished.cache, wished.batch)
    );
    for free in [
        Free::NONE,
        Free {
            context: false,
            ..Free::ALL
        },
        Free {
            cache: false,
            ..Free::ALL
        },
        Free {
            batch: false,
            ..Free::ALL
        },
    ] {
        for limit in (0..=all).step_by(all / 31) {
            let Ok(found) = budget::fit(graph, &wished, free, limit) else {
                continue;
            };
            assert!(free.context || found.context == wished.context);
            assert!(free.cache || found.cache == wished.cache);
            assert!(free.batch || found.batch == wished.batch);
            assert!(bytes(&found) <= limit);
        }
    }
}

fn a_refusal_shows_the_arithmetic(graph: &Graph<'_>) {
    let wished = CpuSettings {
        threads: 1,
        ..CpuSettings::new(8192).expect("a level")
    };
    let limit = 4 << 20;
    let named = Free {
        context: false,
        cache: false,
        batch: true,
    };
    let Err(error) = budget::fit(graph, &wished, named, limit) else {
        panic!("8192 positions do not fit 4 MiB");
    };
    // Two layers, two heads, 64 elements of keys and of values, 2 bytes each.
    let keys_and_values = 8192 * 2 * 2 * 64 * 2 * 2;
    let said = error.to_string();
    let BackendError::Budget {
        wanted, suggestion, ..
    } = error
    else {
        panic!("{said}");
    };
    let smallest = CpuSettings {
        batch: 32,
        ..wished.clone()
    };
    let need = budget::need(graph, &smallest).expect("it can be met");
    assert_eq!(need.cache, keys_and_values);
    assert_eq!(wanted.bytes.0, need.bytes() + budget::overhead(graph, 1));
    assert!(wanted.bytes.0 > limit && suggestion.bytes.0 <= limit);
    assert_eq!(suggestion.cache, CacheFormat::Q8_0);
    for part in [
        "context 8192 with f16",
        &format!("needs {}", wanted.bytes),
        "only 4 MiB are left",
        &format!("{} with q8_0", suggestion.context),
        &format!("needs {}", suggestion.bytes),
    ] {
        assert!(said.contains(part), "{said:?} does not say {part:?}");
    }
    println!("{said}");
}

#[test]
fn memory_is_what_was_said_and_no_more_than_allowed() {
    what_is_said_is_what_is_taken();
    let tiny = Tiny::blocks(Kind::Llama, Format::Q4_K);
    let bytes = tiny.bytes().expect("it is encoded");
    let gguf = Gguf::read(&bytes).expect("a file");
    let model = Model::read(&gguf).expect("a model");
    what_is_chosen_fits_and_what_is_named_stays(&model.graph);
    a_refusal_shows_the_arithmetic(&model.graph);
}
