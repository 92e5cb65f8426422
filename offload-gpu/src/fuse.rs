//! Operations that are run together because nobody sees what lies between them.

use crate::graph::{Attend, Graph, Op};

/// Operations that one kernel replaces in steps of few tokens.
#[derive(Clone, Debug)]
pub(crate) struct Shortcut {
    /// The operation in whose place the kernel runs: the last of them.
    pub(crate) at: usize,
    /// The others.
    pub(crate) others: Vec<usize>,
    /// From so many tokens on they run one by one.
    pub(crate) below: u32,
    /// What the kernel does.
    pub(crate) kind: ShortcutKind,
}

/// What a kernel of several operations does.
#[derive(Clone, Debug)]
pub(crate) enum ShortcutKind {
    /// Turns query and key, after their norms, remembers key and value, and attends.
    Attend(Box<Attended>),
    /// Two products and the gate between them.
    Gated(Gated),
    /// Products of the same input.
    Together(Together),
    /// A norm, a sum, and the norm of the sum.
    Norms(Norms),
}

/// A norm of a result, what it is added to, and the norm of both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Norms {
    /// What is normalised.
    pub(crate) input: usize,
    /// Weight and epsilon of the first norm.
    pub(crate) first: (usize, f32),
    /// What is added.
    pub(crate) other: usize,
    /// The sum.
    pub(crate) sum: usize,
    /// Weight and epsilon of the second norm.
    pub(crate) second: (usize, f32),
    /// The result.
    pub(crate) out: usize,
}

/// A head's way from projection to attention.
#[derive(Clone, Debug)]
pub(crate) struct Attended {
    /// The attention.
    pub(crate) attend: Attend,
    /// The query as projected.
    pub(crate) query: usize,
    /// The key as projected.
    pub(crate) key: usize,
    /// The rotary table.
    pub(crate) rope: usize,
    /// Weight and epsilon of the query's norm and of the key's.
    pub(crate) norms: Option<[(usize, f32); 2]>,
}

/// Products of the same input, one right after the other.
#[derive(Clone, Debug)]
pub(crate) struct Together {
    /// What they read.
    pub(crate) input: usize,
    /// Weight, first row and result of each.
    pub(crate) products: Vec<(usize, usize, usize)>,
}

/// A gated pair of products.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gated {
    /// What both read.
    pub(crate) input: usize,
    /// Weight and first row of the gate.
    pub(crate) gate: (usize, usize),
    /// Weight and first row of the other.
    pub(crate) up: (usize, usize),
}

/// Who writes and who reads each intermediate.
struct Uses {
    writer: Vec<Option<usize>>,
    readers: Vec<Vec<usize>>,
}

impl Uses {
    fn new(graph: &Graph) -> Self {
        let mut uses = Self {
            writer: vec![None; graph.activations.len()],
            readers: vec![vec![]; graph.activations.len()],
        };
        for (index, op) in graph.ops.iter().enumerate() {
            uses.writer[op.out()] = Some(index);
            for input in op.inputs() {
                uses.readers[input].push(index);
            }
        }
        uses
    }

    /// Whether operation `reader` alone reads an intermediate, once, and the host does not.
    fn is_private(&self, graph: &Graph, id: usize, reader: usize) -> bool {
        !graph.activations[id].observed && id != graph.logits && self.readers[id] == [reader]
    }
}

/// Lets a product add what would be added to its result at once; gives each operation's index in the graph that was.
pub(crate) fn residuals(graph: &mut Graph) -> Vec<usize> {
    let uses = Uses::new(graph);
    let mut gone = vec![false; graph.ops.len()];
    for index in 0..graph.ops.len() {
        let Op::Add { a, b, out } = graph.ops[index] else {
            continue;
        };
        for (product, other) in [(a, b), (b, a)] {
            let Some(writer) = uses.writer[product] else {
                continue;
            };
            let early = uses.writer[other].is_none_or(|at| at < writer);
            if !early || a == b || !uses.is_private(graph, product, index) {
                continue;
            }
            if let Op::MatMul {
                out: result,
                residual: residual @ None,
                ..
            } = &mut graph.ops[writer]
            {
                (*result, *residual) = (out, Some(other));
                gone[index] = true;
                break;
            }
        }
    }
    let left: Vec<usize> = (0..graph.ops.len()).filter(|&i| !gone[i]).collect();
    graph.ops = left.iter().map(|&i| graph.ops[i]).collect();
    left
}

/// The operations that kernels for few tokens replace.
pub(crate) fn shortcuts(graph: &Graph) -> Vec<Shortcut> {
    let uses = Uses::new(graph);
    let each = (0..graph.ops.len()).filter_map(|at| match graph.ops[at] {
        Op::Attend(attend) => attended(graph, &uses, at, attend),
        Op::Gate { gate, up, .. } => gated(graph, &uses, at, gate, up),
        Op::Norm { .. } => norms(graph, &uses, at),
        Op::MatMul { .. } => together(graph, at),
        _ => None,
    });
    each.collect()
}

/// What is turned, by which table, and weight and epsilon of the norm before it.
type Turned = (usize, usize, Option<(usize, f32)>);

/// The turn, and the norm before it, that end in `id`, read by `reader` alone.
fn turned(
    graph: &Graph,
    uses: &Uses,
    id: usize,
    reader: usize,
    others: &mut Vec<usize>,
) -> Option<Turned> {
    let turn = uses.writer[id].filter(|_| uses.is_private(graph, id, reader))?;
    let Op::Rope {
        input, heads, rope, ..
    } = graph.ops[turn]
    else {
        return None;
    };
    others.push(turn);
    if uses.is_private(graph, input, turn)
        && let Some(norm) = uses.writer[input]
        && let Op::Norm {
            input,
            weight,
            epsilon,
            heads: parts,
            ..
        } = graph.ops[norm]
        && parts == heads
    {
        others.push(norm);
        return Some((input, rope, Some((weight, epsilon))));
    }
    Some((input, rope, None))
}

fn attended(graph: &Graph, uses: &Uses, at: usize, attend: Attend) -> Option<Shortcut> {
    let mut others = vec![];
    let (query, rope, query_norm) = turned(graph, uses, attend.query, at, &mut others)?;
    let (key, key_rope, key_norm) = turned(graph, uses, attend.key, at, &mut others)?;
    let norms = match (query_norm, key_norm) {
        (Some(query), Some(key)) => Some([query, key]),
        (None, None) => None,
        _ => return None,
    };
    let attended = Attended {
        attend,
        query,
        key,
        rope,
        norms,
    };
    (rope == key_rope).then(|| Shortcut {
        at,
        others,
        below: 2,
        kind: ShortcutKind::Attend(Box::new(attended)),
    })
}

fn gated(graph: &Graph, uses: &Uses, at: usize, gate: usize, up: usize) -> Option<Shortcut> {
    let product = |id: usize| {
        let index = uses.writer[id].filter(|_| uses.is_private(graph, id, at))?;
        match graph.ops[index] {
            Op::MatMul {
                input,
                weight,
                first,
                residual: None,
                ..
            } => Some((index, input, (weight, first))),
            _ => None,
        }
    };
    let ((first, input, gate), (second, other, up)) = (product(gate)?, product(up)?);
    (input == other).then(|| Shortcut {
        at,
        others: vec![first, second],
        below: 8,
        kind: ShortcutKind::Gated(Gated { input, gate, up }),
    })
}

/// The three products of which the one at hand is the last, before an attention.
fn together(graph: &Graph, at: usize) -> Option<Shortcut> {
    let last = graph
        .ops
        .iter()
        .rposition(|op| matches!(op, Op::Attend(_)))?;
    let first = at.checked_sub(2)?;
    let all = graph.ops[first..=at].iter().map(|op| match *op {
        Op::MatMul {
            input,
            weight,
            first,
            residual: None,
            out,
        } => Some((input, (weight, first, out))),
        _ => None,
    });
    let all: Vec<_> = all.collect::<Option<_>>()?;
    let input = all[0].0;
    let products = all.iter().map(|(_, product)| *product).collect();
    (at < last && all.iter().all(|(id, _)| *id == input)).then(|| Shortcut {
        at,
        others: vec![first, first + 1],
        below: 8,
        kind: ShortcutKind::Together(Together { input, products }),
    })
}

/// A norm and a sum right before the norm at hand.
fn norms(graph: &Graph, uses: &Uses, at: usize) -> Option<Shortcut> {
    let [
        Op::Norm {
            input,
            weight,
            epsilon,
            heads: 1,
            out: normed,
        },
        Op::Add { a, b, out: sum },
        Op::Norm {
            input: summed,
            weight: next_weight,
            epsilon: next_epsilon,
            heads: 1,
            out,
        },
    ] = *graph.ops.get(at.checked_sub(2)?..=at)?
    else {
        return None;
    };
    let other = if a == normed { b } else { a };
    // Nobody may want the sum's bytes.
    let products = uses.readers[sum]
        .iter()
        .any(|&reader| matches!(graph.ops[reader], Op::MatMul { input, .. } if input == sum));
    let fits = (a == normed) != (b == normed) && sum == summed && !products;
    let norms = Norms {
        input,
        first: (weight, epsilon),
        other,
        sum,
        second: (next_weight, next_epsilon),
        out,
    };
    (fits && uses.is_private(graph, normed, at - 1)).then(|| Shortcut {
        at,
        others: vec![at - 2, at - 1],
        below: u32::MAX,
        kind: ShortcutKind::Norms(norms),
    })
}

impl Shortcut {
    /// The intermediates that the kernel reads.
    pub(crate) fn inputs(&self) -> Vec<usize> {
        match &self.kind {
            ShortcutKind::Attend(attended) => {
                vec![attended.query, attended.key, attended.attend.value]
            }
            ShortcutKind::Gated(gated) => vec![gated.input],
            ShortcutKind::Together(together) => vec![together.input],
            ShortcutKind::Norms(norms) => vec![norms.input, norms.other],
        }
    }
}
