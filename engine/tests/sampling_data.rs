//! The sampler against what other programs wrote.
//!
//! `data/sampling_llama_cpp.txt` was written by calling the sampler functions of llama.cpp's library (with ggml 0.25.3) on random logits;
//! `data/sampling_vectors.txt` by `sampling_vectors.py`, from the documentation of the sampler alone.

use fidelis_engine::sample::random::Pcg32;
use fidelis_engine::sample::{Filter, Mirostat, Sampler, Settings, Vocabulary};
use std::error::Error;

type Case<T> = Result<T, Box<dyn Error>>;

/// `name=value` pairs over the defaults.
fn settings(text: &str) -> Case<Settings> {
    let mut s = Settings {
        dry_sequence_breakers: Vec::new(),
        ..Settings::default()
    };
    for pair in text.split_whitespace() {
        let (name, value) = pair.split_once('=').ok_or("no name=value")?;
        match name {
            "seed" => s.seed = value.parse()?,
            "top_k" => s.top_k = value.parse()?,
            "top_p" => s.top_p = value.parse()?,
            "min_p" => s.min_p = value.parse()?,
            "min_keep" => s.min_keep = value.parse()?,
            "typ_p" => s.typical = value.parse()?,
            "temp" => s.temperature = value.parse()?,
            "dynatemp_range" => s.dynatemp_range = value.parse()?,
            "dynatemp_exponent" => s.dynatemp_exponent = value.parse()?,
            "top_n_sigma" => s.top_n_sigma = value.parse()?,
            "xtc_probability" => s.xtc_probability = value.parse()?,
            "xtc_threshold" => s.xtc_threshold = value.parse()?,
            "penalty_last_n" => s.repeat_last_n = value.parse()?,
            "penalty_repeat" => s.repeat_penalty = value.parse()?,
            "penalty_freq" => s.frequency_penalty = value.parse()?,
            "penalty_present" => s.presence_penalty = value.parse()?,
            "dry_multiplier" => s.dry_multiplier = value.parse()?,
            "dry_base" => s.dry_base = value.parse()?,
            "dry_allowed_length" => s.dry_allowed_length = value.parse()?,
            "dry_penalty_last_n" => s.dry_penalty_last_n = value.parse()?,
            "mirostat" => {
                s.mirostat = [Mirostat::Off, Mirostat::V1, Mirostat::V2][value.parse::<usize>()?];
            }
            "mirostat_tau" => s.mirostat_tau = value.parse()?,
            "mirostat_eta" => s.mirostat_eta = value.parse()?,
            "samplers" => s.filters = Filter::by_letters(value)?,
            "breakers" => {
                let text = |tokens: &str| -> Case<String> {
                    let tokens = tokens.split('-').map(str::parse::<u32>);
                    Ok(tokens
                        .map(|token| token.map(text_of))
                        .collect::<Result<_, _>>()?)
                };
                s.dry_sequence_breakers = value.split(',').map(text).collect::<Case<_>>()?;
            }
            "logit_bias" => {
                let biases = value.split(',').map(|bias| -> Case<(u32, f32)> {
                    let (token, bias) = bias.split_once(':').ok_or("no token:bias")?;
                    Ok((token.parse()?, bias.parse()?))
                });
                s.logit_bias = biases.collect::<Case<_>>()?;
            }
            _ => return Err(format!("unknown setting {name}").into()),
        }
    }
    Ok(s)
}

/// The text of a token, which is within no other's.
fn text_of(token: u32) -> String {
    char::from_u32(0x100 + token)
        .unwrap_or_default()
        .to_string()
}

/// Tokens that are one character each.
struct Letters;

impl Vocabulary for Letters {
    fn tokens(&self) -> usize {
        64
    }
    fn bytes(&self, token: u32) -> Vec<u8> {
        text_of(token).into_bytes()
    }
    fn tokenize(&self, text: &str) -> Vec<u32> {
        text.chars().map(|c| u32::from(c) - 0x100).collect()
    }
}

fn sampler(given: &str) -> Case<Sampler> {
    Ok(Sampler::new(settings(given)?, &Letters)?)
}

/// What disagrees in a case, if anything does.
fn check(given: &str, history: &str, logits: &str, wanted: &str) -> Case<Option<String>> {
    let mut sampler = sampler(given)?;
    for token in history.split_whitespace() {
        sampler.accept(token.parse()?);
    }
    let logits: Vec<f32> = logits
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let mut found = sampler.distribution(&logits)?;
    found.sort_by_key(|(token, _)| *token);
    // The fixture leaves out what no draw can give.
    found.retain(|(_, p)| *p > 0.0);
    let wanted = wanted.split_whitespace().map(|pair| -> Case<(u32, f64)> {
        let (token, p) = pair.split_once(':').ok_or("no token:probability")?;
        Ok((token.parse()?, p.parse()?))
    });
    let wanted: Vec<(u32, f64)> = wanted.collect::<Case<_>>()?;
    let tokens = |of: &[(u32, f64)]| of.iter().map(|(token, _)| *token).collect::<Vec<_>>();
    if tokens(&found) != tokens(&wanted) {
        return Ok(Some(format!(
            "{:?}, not {:?}",
            tokens(&found),
            tokens(&wanted)
        )));
    }
    // llama.cpp's logits are f32: some roundings of up to 64 · 2⁻²⁴ change a probability by 1e-5 of itself.
    let off = found
        .iter()
        .zip(&wanted)
        .find(|((_, found), (_, wanted))| !((found - wanted).abs() <= 1e-5 * wanted));
    Ok(off.map(|(found, wanted)| format!("{found:?} is not {wanted:?}")))
}

#[test]
fn the_chain_leaves_what_llama_cpp_leaves() {
    let (mut cases, mut faults) = (0, Vec::new());
    let lines = include_str!("data/sampling_llama_cpp.txt").lines();
    for line in lines.filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('|').collect();
        let [given, history, logits, wanted] = fields[..] else {
            panic!("the fixture has a line of {} fields", fields.len());
        };
        cases += 1;
        match check(given, history, logits, wanted) {
            Ok(None) => {}
            Ok(Some(fault)) => faults.push(format!("{given}: {fault}")),
            Err(error) => faults.push(format!("{given}: {error}")),
        }
    }
    assert!(
        faults.is_empty(),
        "{} of {cases}:\n{}",
        faults.len(),
        faults.join("\n")
    );
    assert_eq!(cases, 105);
}

/// The number of tokens that a line of vectors holds, if all are drawn as it says.
fn redraw(line: &str) -> Case<usize> {
    let fields: Vec<&str> = line.split('|').collect();
    let [given, shape, tokens] = fields[..] else {
        return Err(format!("a line of {} fields", fields.len()).into());
    };
    let (vocabulary, flat) = shape.trim().split_once(' ').ok_or("no divisor")?;
    let (vocabulary, flat): (usize, f64) = (vocabulary.parse()?, flat.parse()?);
    let (mut sampler, mut noise) = (sampler(given)?, Pcg32::new(1));
    let mut logit = || {
        let steps = f64::from(noise.next_u32() >> 8);
        ((steps / f64::from(1 << 20) - 8.0) / flat) as f32
    };
    let mut count = 0;
    for (draw, expected) in tokens.split_whitespace().enumerate() {
        let logits: Vec<f32> = (0..vocabulary).map(|_| logit()).collect();
        let found = sampler.sample(&logits)?;
        if found != expected.parse::<u32>()? {
            return Err(format!("draw {draw} gives {found}, not {expected}").into());
        }
        sampler.accept(found);
        count += 1;
    }
    Ok(count)
}

#[test]
fn every_draw_is_that_of_a_program_written_from_the_specification() {
    let mut draws = 0;
    let lines = include_str!("data/sampling_vectors.txt").lines();
    for line in lines.filter(|line| !line.starts_with('#')) {
        match redraw(line) {
            Ok(count) => draws += count,
            Err(error) => panic!("{}: {error}", line.split('|').next().unwrap_or_default()),
        }
    }
    assert_eq!(draws, 25 * 200);
}
