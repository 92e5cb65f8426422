//! What a host relies on besides numbers: going back, several at once, too little memory, values that are not finite.

use super::sketch::Sketch;
use super::{Bench, Case, Found, refused};
use crate::tiny::{Kind, Tiny};
use fidelis_engine::backend::offload::{OffloadBackend, OffloadError};
use fidelis_engine::backend::{Backend, BackendError, Logits, Step};
use fidelis_engine::gguf::Gguf;
use fidelis_engine::graph::{Graph, Op};
use fidelis_engine::model::Model;

pub(super) fn all(bench: &Bench<'_>, add: &mut impl FnMut(Case)) {
    let mut say = |what: &str, found: Result<Found, BackendError>| {
        add(Case {
            group: "behaviour",
            what: what.to_owned(),
            found: found.unwrap_or_else(|error| refused(&error)),
        });
    };
    let Ok(bytes) = Tiny::small(Kind::Gemma3).bytes() else {
        return;
    };
    let Ok(model) = Gguf::read(&bytes)
        .map_err(|_| ())
        .and_then(|gguf| Model::read(&gguf).map_err(|_| ()))
    else {
        return;
    };
    let graph = &model.graph;
    let solo = |first| run(bench, graph, first);
    say(
        "what was read is forgotten when a step goes back",
        going_back(bench, graph),
    );
    say(
        "opened and closed eight times, always the same bits",
        again(solo),
    );
    say(
        "two plans at once do not disturb each other",
        interleaved(bench, graph),
    );
    say(
        "two threads at once do not disturb each other",
        threads(solo),
    );
    say(
        "more memory than there can be is refused",
        memory(bench, graph),
    );
    say("after that the device still works", again(solo));
    say(
        "a result that is infinite is not passed on",
        infinite(bench),
    );
}

fn same(found: &[f32], wanted: &[f32]) -> Found {
    let differs =
        (0..wanted.len()).find(|&i| found.get(i).map(|x| x.to_bits()) != Some(wanted[i].to_bits()));
    match differs {
        _ if wanted.is_empty() => Found::Wrong("nothing was compared".to_owned()),
        None => Found::Right {
            elements: wanted.len(),
            ratio: 0.0,
        },
        Some(at) => Found::Wrong(format!(
            "element {at} is {:?} where {:e} was given before",
            found.get(at),
            wanted[at]
        )),
    }
}

fn made<'a>(bench: &Bench<'_>, graph: &Graph<'a>) -> Result<OffloadBackend<'a>, BackendError> {
    bench.device.backend(bench.plugin, graph, 16, 4)
}

fn read(backend: &mut OffloadBackend<'_>, tokens: &[u32]) -> Result<Vec<f32>, BackendError> {
    let step = Step {
        tokens,
        position: backend.position(),
        logits: Logits::Last,
    };
    Ok(backend.forward(&step)?.to_vec())
}

/// Three ids from `first` on, and one more.
fn run(bench: &Bench<'_>, graph: &Graph<'_>, first: u32) -> Result<Vec<f32>, BackendError> {
    let mut backend = made(bench, graph)?;
    read(&mut backend, &[first, first + 1, first + 2])?;
    read(&mut backend, &[first + 3])
}

fn going_back(bench: &Bench<'_>, graph: &Graph<'_>) -> Result<Found, BackendError> {
    let (kept, wrong, right) = ([1, 2, 3], [9, 8, 7], [4, 5, 6]);
    let mut backend = made(bench, graph)?;
    read(&mut backend, &kept)?;
    let wanted = read(&mut backend, &right)?;
    backend.reset();
    read(&mut backend, &kept)?;
    read(&mut backend, &wrong)?;
    if !backend.rewind(kept.len()) {
        return Ok(Found::Wrong(
            "it cannot go back within its window".to_owned(),
        ));
    }
    Ok(same(&read(&mut backend, &right)?, &wanted))
}

fn again(solo: impl Fn(u32) -> Result<Vec<f32>, BackendError>) -> Result<Found, BackendError> {
    let wanted = solo(1)?;
    for _ in 0..7 {
        let found = same(&solo(1)?, &wanted);
        if matches!(found, Found::Wrong(_)) {
            return Ok(found);
        }
    }
    Ok(same(&wanted, &wanted))
}

fn interleaved(bench: &Bench<'_>, graph: &Graph<'_>) -> Result<Found, BackendError> {
    let wanted = [run(bench, graph, 1)?, run(bench, graph, 20)?].concat();
    let (mut one, mut other) = (made(bench, graph)?, made(bench, graph)?);
    read(&mut one, &[1, 2, 3])?;
    read(&mut other, &[20, 21, 22])?;
    let found = [read(&mut one, &[4])?, read(&mut other, &[23])?].concat();
    Ok(same(&found, &wanted))
}

fn threads(
    solo: impl Fn(u32) -> Result<Vec<f32>, BackendError> + Sync,
) -> Result<Found, BackendError> {
    let wanted = [solo(1)?, solo(20)?].concat();
    let (one, other) = rayon::join(|| solo(1), || solo(20));
    Ok(same(&[one?, other?].concat(), &wanted))
}

fn memory(bench: &Bench<'_>, graph: &Graph<'_>) -> Result<Found, BackendError> {
    let huge = u32::MAX as usize / 2;
    Ok(match bench.device.backend(bench.plugin, graph, huge, 4) {
        Err(BackendError::Offload(
            OffloadError::Memory { .. } | OffloadError::Unsupported { .. },
        )) => Found::Right {
            elements: 1,
            ratio: 0.0,
        },
        Err(error) => Found::Wrong(error.to_string()),
        Ok(_) => Found::Wrong(format!("{huge} positions are planned for")),
    })
}

fn infinite(bench: &Bench<'_>) -> Result<Found, BackendError> {
    let mut sketch = Sketch::new(5);
    let Some(table) = sketch.weight(
        fidelis_simd::Format::F32,
        fidelis_engine::shape::Shape::matrix(32, 4),
        [3.0e38, 3.3e38],
    ) else {
        return Ok(Found::Wrong("no weight".to_owned()));
    };
    let embedded = sketch.out("token_embd", 32);
    sketch.push(Op::Embed {
        table,
        scale: 1.0,
        out: embedded,
    });
    let out = sketch.out("logits", 32);
    sketch.push(Op::Add {
        a: embedded,
        b: embedded,
        out,
    });
    let graph = sketch.graph();
    let mut backend = made(bench, &graph)?;
    Ok(match read(&mut backend, &[1]) {
        Err(BackendError::Offload(OffloadError::Lost { text })) => Found::Wrong(text),
        Err(_) => Found::Right {
            elements: 32,
            ratio: 0.0,
        },
        Ok(logits) => Found::Wrong(format!("it gives {:e}", logits[0])),
    })
}
