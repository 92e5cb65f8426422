//! The log of llama.cpp's eval callback: of each tensor some elements at the edges, four digits, and the sum.
//!
//! ```text
//! common_debug_cb_eval:   Qcur-0 = (f32)  MUL_MAT(blk.0.attn_q.weight{64, 64, 1, 1}, attn_norm-0{64, 24, 1, 1}}) = {64, 24, 1, 1}
//!     [
//!         [
//!             [      0.1234,      -0.2345,       0.3456,    ...,      -0.5005,      -0.6253,       0.2945  ],
//!             ...,
//!         ],
//!     ]
//!     sum = 132.125153
//! ```

use super::names;
use crate::claims::{Claim, Claims, What, number};
use crate::recording::Provenance;
use crate::reference::Reference;

/// Elements of a tensor at most.
const LARGEST: usize = isize::MAX as usize / size_of::<f64>();

/// A tensor's block in the making.
struct Block {
    checkpoint: String,
    /// Dimensions, fastest first.
    shape: [usize; 4],
    /// The index in each dimension but the fastest.
    at: [usize; 3],
    depth: usize,
    positions: Option<usize>,
    /// Values of tokens before the first that is shown: llama.cpp drops rows that nothing needs.
    skipped: usize,
}

/// Reads a log.
pub(super) fn read(text: &str, reference: &Reference<'_, '_>, ids: Option<&[u32]>) -> Claims {
    let mut claims = Claims {
        provenance: Provenance {
            engine: "llama.cpp".to_owned(),
            tier: "f32".to_owned(),
            ..Provenance::default()
        },
        ..Claims::default()
    };
    let mut listed = 0;
    let mut block: Option<Block> = None;
    for line in text.lines() {
        // The ids follow their number, one in each line.
        if let Some((_, count)) = line.split_once("number of input tokens = ") {
            listed = count.trim().parse().unwrap_or(0);
            continue;
        }
        if listed > claims.tokens.len()
            && let Some(id) = line
                .split_whitespace()
                .last()
                .and_then(|id| id.parse().ok())
        {
            claims.tokens.push(id);
            continue;
        }
        if let Some((_, rest)) = line.split_once("_cb_eval:") {
            block = None;
            if let Some(header) = Header::read(rest) {
                match header.block(reference, ids.unwrap_or(&claims.tokens).len()) {
                    Some(found) => block = Some(found),
                    None => claims.ignored.push(header.name),
                }
            }
            continue;
        }
        if let Some(block) = &mut block {
            block.line(line.trim(), &mut claims.all);
        }
    }
    if let Some(ids) = ids {
        ids.clone_into(&mut claims.tokens);
    }
    claims
}

struct Header {
    name: String,
    operation: String,
    shape: [usize; 4],
}

impl Header {
    /// ` NAME = (type) OPERATION(…}) = {a, b, c, d}`.
    fn read(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once(" = (")?;
        let (_, rest) = rest.split_once(')')?;
        let operation = rest.trim_start().split('(').next()?;
        let dims = rest.rsplit_once("= {")?.1.trim_end().strip_suffix('}')?;
        let mut shape = [1; 4];
        for (slot, dim) in shape.iter_mut().zip(dims.split(',')) {
            *slot = dim.trim().parse().ok()?;
        }
        // More elements than can be counted are no tensor's; a dimension of none hides how long the others are.
        let count = |n: usize, &dim: &usize| n.checked_mul(dim.max(1));
        shape.iter().try_fold(1, count).filter(|&n| n <= LARGEST)?;
        Some(Self {
            name: name.trim().to_owned(),
            operation: operation.trim().to_owned(),
            shape,
        })
    }

    fn block(&self, reference: &Reference<'_, '_>, tokens: usize) -> Option<Block> {
        let full = format!("{} ({})", self.name, self.operation);
        let mapped = names::checkpoint(&full, reference)?;
        // A view of the same values under the same name.
        (!["RESHAPE", "VIEW", "PERMUTE", "CONT"].contains(&&self.operation[..])
            || self.name.starts_with("kqv_out"))
        .then_some(())?;
        let node = reference.node(&mapped.name)?;
        let shown: usize = self.shape.iter().product();
        Some(Block {
            checkpoint: mapped.name,
            shape: self.shape,
            at: [0; 3],
            depth: 0,
            positions: node.is_square().then_some(self.shape[1]),
            skipped: tokens.saturating_mul(node.width).saturating_sub(shown),
        })
    }
}

impl Block {
    fn line(&mut self, line: &str, claims: &mut Vec<Claim>) {
        if let Some(sum) = line.strip_prefix("sum = ") {
            // Padding and masked scores are in the sum, but not in ours.
            if self.positions.is_none()
                && self.skipped == 0
                && let Some((value, uncertainty)) = number(sum.trim())
            {
                claims.push(Claim {
                    checkpoint: self.checkpoint.clone(),
                    what: What::Sum,
                    value,
                    uncertainty,
                });
            }
        } else if line == "[" {
            self.depth += 1;
            if self.depth > 1 {
                self.at[0] = 0;
            }
            if self.depth == 1 {
                self.at[1] = 0;
            }
        } else if line.starts_with("...") {
            // What is left out: on to the last three.
            let (index, dim) = if self.depth == 2 {
                (0, self.shape[1])
            } else {
                (1, self.shape[2])
            };
            self.at[index] = dim.saturating_sub(3);
        } else if line.starts_with("],") || line == "]" {
            self.depth = self.depth.saturating_sub(1);
            let index = if self.depth == 1 { 1 } else { 2 };
            self.at[index] += 1;
        } else if let Some(row) = line.strip_prefix('[') {
            self.row(row.trim_end_matches([',', ']', ' ']), claims);
            self.at[0] += 1;
        }
    }

    fn row(&self, row: &str, claims: &mut Vec<Claim>) {
        let mut i = 0;
        for part in row
            .split(',')
            .map(|part| part.trim().trim_end_matches(']').trim())
        {
            if part == "..." {
                i = self.shape[0].saturating_sub(3);
                continue;
            }
            if let (Some((value, uncertainty)), Some(index)) = (number(part), self.index(i)) {
                claims.push(Claim {
                    checkpoint: self.checkpoint.clone(),
                    what: What::Element(index),
                    value,
                    uncertainty,
                });
            }
            i += 1;
        }
    }

    /// Where element `i` of the row at hand stands in our layout.
    fn index(&self, i: usize) -> Option<usize> {
        let [width, rows, outer, _] = self.shape;
        let place = |row: usize, width: usize, skipped: usize| {
            let row = self.at[1].checked_mul(rows)?.checked_add(row)?;
            row.checked_mul(width)?.checked_add(i)?.checked_add(skipped)
        };
        match self.positions {
            // Positions are padded there, and as many as tokens here.
            Some(tokens) if i < tokens => place(self.at[0], tokens, 0),
            None if i < width && self.at[0] < rows && self.at[1] < outer => {
                place(self.at[0], width, self.skipped)
            }
            _ => None,
        }
    }
}
