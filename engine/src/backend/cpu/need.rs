//! What a machine takes, known before it is taken.

use super::super::budget::Need;
use super::super::{BackendError, CpuSettings, Tier};
use super::arena::ArenaSizes;
use super::machine::{effective, plan, vector_weights};
use super::memory::LayerSize;
use super::work::ScratchRoom;
use crate::graph::Graph;

/// The memory of a back end for `graph`, by the sizes that it is made with.
///
/// # Errors
///
/// [`BackendError`] for settings that cannot be met.
pub(in super::super) fn need(
    graph: &Graph<'_>,
    settings: &CpuSettings,
) -> Result<Need, BackendError> {
    match settings.tier {
        Tier::Fast | Tier::F32 => need_in::<f32>(graph, settings),
        Tier::Audit => need_in::<f64>(graph, settings),
    }
}

fn need_in<R>(graph: &Graph<'_>, settings: &CpuSettings) -> Result<Need, BackendError> {
    let settings = effective(settings)?;
    let mut cache: usize = 0;
    for shape in &graph.caches {
        let size = LayerSize::new(shape, settings.cache, settings.context, settings.batch)?;
        cache = cache.saturating_add(size.bytes());
    }
    let plan = plan(graph, settings.tier);
    let room = ScratchRoom::new(graph, settings.tier, settings.batch);
    let vectors = vector_weights(graph);
    let values = vectors.iter().map(|&id| graph.weights[id].shape.len());
    let rounded = match settings.tier {
        Tier::Fast | Tier::F32 => 0,
        Tier::Audit => size_of::<f32>(),
    };
    Ok(Need {
        cache,
        intermediates: ArenaSizes::new(graph, &plan, settings.batch).bytes::<R>(),
        scratch: room.bytes::<R>().saturating_mul(settings.threads),
        vectors: values.sum::<usize>() * size_of::<R>(),
        logits: super::choices(graph) * (size_of::<R>() + rounded),
    })
}
