//! A graph as stages, each done before the next, and the memory of its intermediates.

use crate::graph::{Graph, Op, TensorId, WeightId};
use crate::tensor::Tensor;
use std::ops::Range;

/// A piece of work that concerns one token alone.
#[derive(Clone, Copy, Debug)]
pub(super) enum TokenWork {
    /// The op of the graph with this index.
    Op(usize),
    /// The keys and values of the attention op with this index go to the cache.
    Remember(usize),
    /// The intermediate as bytes with a scale per 32.
    Quantise(TensorId),
}

/// What the workers do together before anything else.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// Work on single tokens, in order; tokens are divided.
    Tokens(Vec<TokenWork>),
    /// Matrix products, ops of the graph; rows are divided.
    Products(Vec<usize>),
    /// The attention op with this index; heads and tokens are divided.
    Attention(usize),
}

/// The stages and the memory.
#[derive(Debug)]
pub(super) struct Plan {
    /// In order.
    pub(super) stages: Vec<Stage>,
    /// From this stage on, only tokens whose logits are wanted matter.
    pub(super) tail: usize,
    /// The buffer of each intermediate.
    pub(super) slots: Vec<usize>,
    /// Each buffer.
    pub(super) buffers: Vec<Buffer>,
    /// The buffer of each intermediate's bytes, where it is quantised.
    pub(super) quantised: Vec<Option<usize>>,
    /// Each buffer of bytes.
    pub(super) quantised_buffers: Vec<Buffer>,
}

/// Memory that intermediates share, one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Buffer {
    /// Elements per token.
    pub(super) width: usize,
    /// Whether it is written from [`Plan::tail`] on alone: it has rows for the tokens whose logits are wanted, and no others.
    pub(super) is_tail: bool,
}

/// What an op reads and writes.
pub(super) fn reads_and_writes(op: &Op) -> (Vec<TensorId>, TensorId) {
    (op.reads(), op.out())
}

/// The weight of a product that is computed with quantised activations.
fn fast_weight<'g, 'a>(
    graph: &'g Graph<'a>,
    is_fast: &impl Fn(&Tensor<'a>) -> bool,
    op: &Op,
) -> Option<&'g Tensor<'a>> {
    let Op::MatMul {
        weight: WeightId(weight),
        ..
    } = op
    else {
        return None;
    };
    Some(&graph.weights[*weight as usize]).filter(|tensor| is_fast(tensor))
}

impl Plan {
    /// Plans `graph`; `is_fast` says which weights are multiplied with quantised activations.
    pub(super) fn new<'a>(graph: &Graph<'a>, is_fast: impl Fn(&Tensor<'a>) -> bool) -> Self {
        let mut wanted = vec![false; graph.activations.len()];
        for op in &graph.ops {
            if fast_weight(graph, &is_fast, op).is_some() {
                wanted[reads_and_writes(op).0[0].0 as usize] = true;
            }
        }
        let stages = stages(graph, &wanted);
        let attention = |stage: &Stage| matches!(stage, Stage::Attention(_));
        let tail = stages
            .iter()
            .rposition(attention)
            .map_or(stages.len(), |last| last + 1);
        let lives = lives(graph, &stages);
        let widths: Vec<usize> = graph
            .activations
            .iter()
            .map(|activation| activation.width)
            .collect();
        let (slots, buffers) = place(&widths, &lives.floats, tail);
        let (byte_slots, quantised_buffers) = place(&widths, &lives.bytes, tail);
        let quantised = byte_slots
            .iter()
            .zip(&wanted)
            .map(|(&slot, &wanted)| wanted.then_some(slot))
            .collect();
        Self {
            stages,
            tail,
            slots,
            buffers,
            quantised,
            quantised_buffers,
        }
    }
}

/// Gathers neighbouring ops of a kind into stages.
fn stages(graph: &Graph<'_>, wanted: &[bool]) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    let token_work = |stages: &mut Vec<Stage>, work| match stages.last_mut() {
        Some(Stage::Tokens(works)) => works.push(work),
        _ => stages.push(Stage::Tokens(vec![work])),
    };
    for (index, op) in graph.ops.iter().enumerate() {
        let (reads, out) = reads_and_writes(op);
        match op {
            Op::MatMul { .. } => match stages.last_mut() {
                Some(Stage::Products(products))
                    if products
                        .iter()
                        .all(|&i| !reads.contains(&reads_and_writes(&graph.ops[i]).1)) =>
                {
                    products.push(index);
                }
                _ => stages.push(Stage::Products(vec![index])),
            },
            Op::Attend(_) => {
                token_work(&mut stages, TokenWork::Remember(index));
                stages.push(Stage::Attention(index));
            }
            _ => token_work(&mut stages, TokenWork::Op(index)),
        }
        if wanted[out.0 as usize] {
            token_work(&mut stages, TokenWork::Quantise(out));
        }
    }
    stages
}

/// The stages during which each intermediate is needed, as floats and as bytes.
struct Lives {
    floats: Vec<Option<Range<usize>>>,
    bytes: Vec<Option<Range<usize>>>,
}

fn lives(graph: &Graph<'_>, stages: &[Stage]) -> Lives {
    let none = vec![None; graph.activations.len()];
    let mut lives = Lives {
        floats: none.clone(),
        bytes: none,
    };
    for (stage, work) in stages.iter().enumerate() {
        for id in touched(graph, work) {
            for lives in [&mut lives.floats, &mut lives.bytes] {
                let life = lives[id.0 as usize].get_or_insert(stage..stage);
                life.end = stage + 1;
            }
        }
    }
    // What `Remember` touches is the attention's output too early; the logits are read after the last stage.
    if let Some(life) = &mut lives.floats[graph.logits.0 as usize] {
        life.end = stages.len() + 1;
    }
    lives
}

/// The intermediates that a stage reads or writes.
fn touched(graph: &Graph<'_>, stage: &Stage) -> Vec<TensorId> {
    let of_op = |index: usize| {
        let (reads, out) = reads_and_writes(&graph.ops[index]);
        reads.into_iter().chain([out])
    };
    match stage {
        Stage::Attention(index) => of_op(*index).collect(),
        Stage::Products(products) => products.iter().flat_map(|&index| of_op(index)).collect(),
        Stage::Tokens(works) => works
            .iter()
            .flat_map(|work| match *work {
                TokenWork::Op(index) | TokenWork::Remember(index) => of_op(index).collect(),
                TokenWork::Quantise(id) => vec![id],
            })
            .collect(),
    }
}

/// A buffer for each life, shared by those of one width that do not overlap; and the buffers.
fn place(
    widths: &[usize],
    lives: &[Option<Range<usize>>],
    tail: usize,
) -> (Vec<usize>, Vec<Buffer>) {
    let mut order: Vec<usize> = (0..widths.len())
        .filter(|&id| lives[id].is_some())
        .collect();
    order.sort_by_key(|&id| lives[id].as_ref().map(|life| life.start));
    let mut slots = vec![usize::MAX; widths.len()];
    let mut buffers: Vec<(Buffer, usize)> = Vec::new();
    for id in order {
        let Some(life) = &lives[id] else { continue };
        let wanted = Buffer {
            width: widths[id],
            is_tail: life.start >= tail,
        };
        let free = buffers
            .iter()
            .position(|&(buffer, until)| buffer == wanted && until <= life.start);
        let slot = free.unwrap_or_else(|| {
            buffers.push((wanted, 0));
            buffers.len() - 1
        });
        buffers[slot].1 = life.end;
        slots[id] = slot;
    }
    (
        slots,
        buffers.into_iter().map(|(buffer, _)| buffer).collect(),
    )
}
