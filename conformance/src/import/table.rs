//! A table of statistics, as people write them down while they look for a fault.
//!
//! ```text
//! # tokens: 1 15043 3186
//! checkpoint,min,max,mean,rms,first
//! token_embd,-0.12,0.34,0.0012,0.0091,0.01 -0.02 0.03
//! blk.0.attn_norm,-1.2,1.9,0.01,0.33,
//! ```
//!
//! Columns are separated by commas, semicolons or tabs and may be missing; `first` holds the first values. Names may be another engine's.

use super::{ImportError, names};
use crate::claims::{Claim, Claims, What, number};
use crate::reference::Reference;

const COLUMNS: [(&str, What); 6] = [
    ("min", What::Min),
    ("max", What::Max),
    ("maxabs", What::Peak),
    ("mean", What::Mean),
    ("rms", What::Rms),
    ("sum", What::Sum),
];

/// Reads a table.
pub(super) fn read(
    text: &str,
    reference: &Reference<'_, '_>,
    ids: Option<&[u32]>,
) -> Result<Claims, ImportError> {
    let mut claims = Claims::default();
    let mut header: Option<Vec<String>> = None;
    for (at, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        if let Some(comment) = line.trim().strip_prefix('#') {
            if let Some((_, ids)) = comment.split_once("tokens:") {
                claims.tokens = ids
                    .split([',', ' '])
                    .filter_map(|id| id.trim().parse().ok())
                    .collect();
            }
            continue;
        }
        let cells: Vec<String> = line
            .split([',', ';', '\t'])
            .map(|cell| cell.trim().to_owned())
            .collect();
        let Some(columns) = &header else {
            header = Some(cells.iter().map(|cell| cell.to_lowercase()).collect());
            continue;
        };
        let name = &cells[0];
        let checkpoint = if reference.node(name).is_some() {
            name.clone()
        } else if let Some(mapped) = names::checkpoint(name, reference) {
            mapped.name
        } else {
            claims.ignored.push(name.clone());
            continue;
        };
        for (column, cell) in columns
            .iter()
            .zip(&cells)
            .skip(1)
            .filter(|(_, cell)| !cell.is_empty())
        {
            let wrong = || ImportError::Cell {
                line: at + 1,
                column: column.clone(),
                found: cell.clone(),
            };
            let mut claim = |what, text: &str| {
                let (value, uncertainty) = number(text).ok_or_else(wrong)?;
                claims.all.push(Claim {
                    checkpoint: checkpoint.clone(),
                    what,
                    value,
                    uncertainty,
                });
                Ok::<(), ImportError>(())
            };
            if column == "first" {
                for (index, value) in cell.split_whitespace().enumerate() {
                    claim(What::Element(index), value)?;
                }
            } else if let Some((_, what)) = COLUMNS.iter().find(|(name, _)| name == column) {
                claim(*what, cell)?;
            }
        }
    }
    if let Some(ids) = ids {
        ids.clone_into(&mut claims.tokens);
    }
    Ok(claims)
}
