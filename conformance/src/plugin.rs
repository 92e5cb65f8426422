//! Whether a plug-in keeps the contract: every operation × format × shape within its bound, and what a host relies on besides.
//!
//! Every case is a small graph on the device, whose weights lie at odd addresses. It reads two different streams of ids in steps
//! of several lengths; every output is filled with NaN before, so what is not written shows, and the second stream shows what was left over from the first.
//! Each operation is judged on its own inputs, as any recording is. What a device says it does not support is counted and listed, and is no fault.

mod behaviour;
mod cases;
mod sketch;

use crate::candidate::Device;
use crate::compare::{Operation, operations};
use crate::precision::Precision;
use crate::recording::{Recording, Selection, record};
use crate::reference::Reference;
use fidelis_engine::backend::offload::{OffloadError, Plugin};
use fidelis_engine::backend::{Backend, BackendError};
use fidelis_engine::graph::Graph;

/// What became of a case.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// Everything is as it should be.
    Right {
        /// Elements that were compared.
        elements: usize,
        /// The largest error over its bound.
        ratio: f64,
    },
    /// The device says that it cannot do this.
    Unsupported(String),
    /// It is not as it should be.
    Wrong(String),
}

/// A case and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What it belongs to, such as `product`.
    pub group: &'static str,
    /// What it is.
    pub what: String,
    /// What became of it.
    pub found: Found,
}

/// What a plug-in was seen to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Proof {
    /// The plug-in's name and version.
    pub plugin: String,
    /// The device.
    pub device: String,
    /// All cases.
    pub cases: Vec<Case>,
}

impl Proof {
    /// Cases that are wrong.
    pub fn wrong(&self) -> impl Iterator<Item = &Case> {
        let is_wrong = |case: &&Case| matches!(case.found, Found::Wrong(_));
        self.cases.iter().filter(is_wrong)
    }

    /// Cases that are right.
    pub fn right(&self) -> usize {
        let is_right = |case: &&Case| matches!(case.found, Found::Right { .. });
        self.cases.iter().filter(is_right).count()
    }
}

/// Tries everything on a device; `progress` is told of each case.
///
/// # Errors
///
/// [`BackendError`] if the plug-in cannot be loaded, or there is no such device.
pub fn prove(device: &Device, mut progress: impl FnMut(&Case)) -> Result<Proof, BackendError> {
    let plugin = device.plugin()?;
    let info = plugin.device(device.index)?;
    let mut cases = Vec::new();
    let mut add = |case: Case| {
        progress(&case);
        cases.push(case);
    };
    for promise in plugin.promises(device.index)? {
        add(Case {
            group: "contract",
            what: promise.what.to_owned(),
            found: if promise.is_kept {
                Found::Right {
                    elements: 1,
                    ratio: 0.0,
                }
            } else {
                Found::Wrong(promise.found)
            },
        });
    }
    let bench = Bench {
        device,
        plugin: &plugin,
    };
    cases::all(&bench, &mut add);
    behaviour::all(&bench, &mut add);
    Ok(Proof {
        plugin: plugin.about(),
        device: info.name.as_str().to_owned(),
        cases,
    })
}

/// Where cases are tried.
struct Bench<'d> {
    device: &'d Device,
    plugin: &'d Plugin,
}

/// Two streams of ids, cut into steps. Lengths that follow themselves show buffers that were not written anew.
const STREAMS: [&[usize]; 2] = [&[5, 1, 1, 2], &[2, 4, 3, 3]];

impl Bench<'_> {
    /// Runs a graph over both streams and judges every operation.
    fn judge(&self, graph: &Graph<'_>) -> Found {
        match self.tried(graph, &STREAMS) {
            Ok(found) => found,
            Err(error) => refused(&error),
        }
    }

    fn tried(&self, graph: &Graph<'_>, streams: &[&[usize]]) -> Result<Found, BackendError> {
        let context = 16;
        let mut backend = self.device.backend(self.plugin, graph, context, 5)?;
        let (mut elements, mut most) = (0, 0.0_f64);
        for (seed, steps) in streams.iter().enumerate() {
            let vocabulary = graph.vocabulary();
            let tokens: Vec<u32> = (0..steps.iter().sum::<usize>())
                .map(|i| ((i * 7919 + 13 + 5 * seed) % vocabulary) as u32)
                .collect();
            backend.reset();
            let provenance = self.device.provenance(self.plugin, &backend, steps);
            let all = Selection::default();
            let recording = record(&mut backend, &tokens, steps, &all, provenance)?;
            for operation in judged(graph, &recording) {
                let Some(seen) = &operation.compared else {
                    return Ok(Found::Wrong(format!("{} is not shown", operation.name)));
                };
                (elements, most) = (elements + seen.elements, most.max(seen.ratio));
                if let Some(first) = &seen.first {
                    return Ok(Found::Wrong(format!(
                        "{}: {} of {} elements are beyond their bounds in stream {seed}; the first is token {}, element {}: {:e} where {:e} is expected",
                        operation.name,
                        seen.over,
                        seen.elements,
                        first.token,
                        first.index,
                        first.found,
                        first.expected
                    )));
                }
            }
        }
        Ok(if elements == 0 {
            Found::Wrong("nothing was compared".to_owned())
        } else {
            Found::Right {
                elements,
                ratio: most,
            }
        })
    }
}

fn judged(graph: &Graph<'_>, recording: &Recording) -> Vec<Operation> {
    let reference = Reference::new(graph);
    let precision = Precision::of(&recording.provenance);
    operations(&reference, recording, &precision)
}

/// What an error says of a case.
fn refused(error: &BackendError) -> Found {
    match error {
        BackendError::Offload(OffloadError::Unsupported { .. }) => {
            Found::Unsupported(error.to_string())
        }
        _ => Found::Wrong(error.to_string()),
    }
}
