//! Keys and values of earlier calls. These show from the second call on; a recording made in one call cannot have them.

use super::attention::masked;
use super::parts::turned;
use super::{Family, Fault};
use crate::reference::attention::{Rule, scores};
use crate::reference::rows::turn;
use crate::reference::{Part, Site, Wrong};

const fn fault(
    name: &'static str,
    shows: &'static [&'static str],
    says: &'static str,
    fix: &'static str,
    wrong: Wrong,
) -> Fault {
    Fault {
        name,
        family: Family::Cache,
        shows,
        says,
        fix,
        wrong,
    }
}

const PROBS: &[&str] = &["*attn_probs"];

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "rope-position-restarts",
        &["*.rope"],
        "positions begin at 0 again in every call",
        "rotate by the position in the conversation: tokens read so far plus the index in the call",
        |site| {
            several(site)?;
            let t = turned(site)?;
            site.each(|token| {
                let position = token - site.step_start(token);
                turn(t.input.row(token), t.heads, t.rope, position as f64)
            })
        },
    ),
    fault(
        "rope-position-stale",
        &["*.rope"],
        "every token of a later call is rotated by the position of that call's first",
        "advance the position token by token",
        |site| {
            several(site)?;
            let t = turned(site)?;
            site.each(|token| {
                let start = site.step_start(token);
                let position = if start == 0 { token } else { start };
                turn(t.input.row(token), t.heads, t.rope, position as f64)
            })
        },
    ),
    fault(
        "kv-absent",
        &["*attn_scores", "*attn_probs"],
        "tokens of a later call do not see those of earlier calls",
        "keep keys and values, or feed the whole text in every call",
        |site| {
            let sees = |token: usize, position: usize, start: usize| {
                position <= token && position >= start
            };
            if let Some(attend) = site.attend(Part::Scores) {
                several(site)?;
                let right = scores(site, attend, &Rule::of(site, attend))?;
                let positions = site.tokens.len();
                let rows = right.iter().enumerate();
                return Some(
                    rows.map(|(i, score)| {
                        let token = site.rows.start + i / positions % site.rows.len();
                        if sees(token, i % positions, site.step_start(token)) {
                            *score
                        } else {
                            0.0
                        }
                    })
                    .collect(),
                );
            }
            masked_by_step(site, sees)
        },
    ),
    fault(
        "causal-mask-relative",
        PROBS,
        "in later calls the mask compares positions with the index in the call",
        "compare with the tokens read so far plus the index",
        |site| masked_by_step(site, |token, position, start| position <= token - start),
    ),
    fault(
        "kv-own-missing",
        PROBS,
        "tokens of a later call do not see themselves: their keys are stored after attention, or the count is one behind",
        "store keys and values, then attend over all of them",
        |site| {
            masked_by_step(site, |token, position, start| {
                position < token || (start == 0 && position <= token)
            })
        },
    ),
    fault(
        "kv-first-call-only",
        PROBS,
        "tokens of later calls see those of the first call alone",
        "append keys and values in every call",
        |site| {
            several(site)?;
            let first = *site.steps.first()?;
            masked_by_step(site, |token, position, start| {
                position <= token && (start == 0 || position < first)
            })
        },
    ),
];

/// Whether there was more than one call.
fn several(site: &Site<'_, '_>) -> Option<()> {
    (site.steps.len() > 1).then_some(())
}

fn masked_by_step(
    site: &Site<'_, '_>,
    sees: impl Fn(usize, usize, usize) -> bool,
) -> Option<Vec<f64>> {
    several(site)?;
    let attend = site.attend(Part::Probs)?;
    let window = site.reference.graph.caches[attend.cache].window;
    masked(site, |token, position| {
        let start = site.step_start(token);
        sees(token, position, start) && window.is_none_or(|w| position + w > token)
    })
}
