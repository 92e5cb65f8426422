//! Masks: who sees whom.

use super::attention::{PROBS, masked, window};
use super::{Family, Fault};
use crate::reference::attention::{Rule, probs_of, recorded};
use crate::reference::{Part, Wrong};

const fn fault(name: &'static str, says: &'static str, fix: &'static str, wrong: Wrong) -> Fault {
    Fault {
        name,
        family: Family::Attention,
        shows: PROBS,
        says,
        fix,
        wrong,
    }
}

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "causal-mask-missing",
        "tokens see those after them",
        "mask positions after the token's own",
        |site| {
            let window = window(site)?;
            masked(site, move |t, p| window.is_none_or(|w| p + w > t))
        },
    ),
    fault(
        "causal-mask-strict",
        "tokens do not see themselves",
        "position ≤ the token's own",
        |site| {
            let window = window(site)?;
            masked(site, move |t, p| p < t && window.is_none_or(|w| p + w > t))
        },
    ),
    fault(
        "causal-mask-one-late",
        "tokens see the one after them",
        "position ≤ the token's own",
        |site| {
            let window = window(site)?;
            masked(site, move |t, p| {
                p <= t + 1 && window.is_none_or(|w| p + w > t)
            })
        },
    ),
    fault(
        "mask-zero-not-infinite",
        "masked scores are 0, not minus infinity",
        "masked positions must not count in the softmax",
        |site| {
            let attend = site.attend(Part::Probs)?;
            let (rule, score) = (Rule::of(site, attend), recorded(site, attend)?);
            let right = Rule::of(site, attend);
            let all = Rule {
                sees: Box::new(|_, _| true),
                ..rule
            };
            let masked = |h: usize, t: usize, p: usize| {
                if (right.sees)(t, p) {
                    score(h, t, p)
                } else {
                    0.0
                }
            };
            Some(probs_of(site, attend, &all, masked))
        },
    ),
    fault(
        "swa-missing",
        "sliding layers see every position",
        "sliding layers see `attention.sliding_window` positions, the token's own included",
        |site| {
            window(site)??;
            masked(site, |t, p| p <= t)
        },
    ),
    fault(
        "swa-window-one-more",
        "sliding layers see one position more than the window",
        "mask a position if the token is `window` or more after it",
        |site| {
            let window = window(site)?? + 1;
            masked(site, move |t, p| p <= t && p + window > t)
        },
    ),
    fault(
        "swa-window-one-less",
        "sliding layers see one position less than the window",
        "the window includes the token's own position",
        |site| {
            let window = window(site)?? - 1;
            masked(site, move |t, p| p <= t && p + window > t)
        },
    ),
    fault(
        "swa-on-global",
        "global layers see the window of sliding layers alone",
        "every sixth layer of Gemma 3 (every second of Gemma 2) sees every position",
        |site| {
            window(site)?.is_none().then_some(())?;
            let caches = &site.reference.graph.caches;
            let window = caches.iter().find_map(|cache| cache.window)?;
            masked(site, move |t, p| p <= t && p + window > t)
        },
    ),
];
