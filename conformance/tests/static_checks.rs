//! What shows without a run: damaged files, and ids that were made the wrong way.

use fidelis_conformance::fault::inventory::{Weight, inspect};
use fidelis_conformance::fault::tokens::judge;
use fidelis_conformance::tiny::{Contents, Kind, Tiny};
use fidelis_engine::gguf::{Gguf, OwnedValue};
use fidelis_engine::shape::Shape;
use fidelis_engine::text::Tokenizer;
use fidelis_simd::Format;

/// The checks that say a file is wrong.
fn wrong(contents: &Contents) -> Vec<(&'static str, String)> {
    let bytes = contents.bytes();
    let gguf = Gguf::read(&bytes).expect("GGUF");
    let found = inspect(&gguf).into_iter();
    let wrong = found.filter(|finding| finding.weight == Weight::Wrong);
    wrong.map(|finding| (finding.check, finding.says)).collect()
}

fn contents(kind: Kind) -> Contents {
    Tiny::small(kind).contents().expect("encoded")
}

#[test]
fn sound_files_of_every_kind_have_nothing_wrong() {
    for kind in Kind::ALL {
        assert_eq!(wrong(&contents(kind)), vec![], "{kind:?}");
    }
    for format in [
        Format::Q4_K,
        Format::Q6_K,
        Format::Q8_0,
        Format::Q5_0,
        Format::Q4_0,
        Format::F16,
    ] {
        let tiny = Tiny::blocks(Kind::Llama, format);
        let contents = tiny.contents().expect("encoded");
        assert_eq!(wrong(&contents), vec![], "{format}");
    }
}

/// Puts the bytes of a tensor in place.
fn put(contents: &mut Contents, name: &str, values: &[f32]) {
    let tensor = contents
        .tensors
        .iter_mut()
        .find(|tensor| tensor.name == name);
    let tensor = tensor.expect("it is there");
    let bytes = values.iter().flat_map(|x| x.to_le_bytes());
    for (old, new) in tensor.bytes.iter_mut().zip(bytes) {
        *old = new;
    }
}

#[test]
fn each_damage_is_named() {
    type Damage = fn(&mut Contents);
    let cases: [(Kind, &str, &str, Damage); 9] = [
        (Kind::Llama, "tensors", "missing", |c| {
            c.remove("blk.1.ffn_up.weight");
        }),
        (Kind::Llama, "tensors", "no place", |c| {
            c.add("blk.0.post_ffw_norm.weight", Shape::vector(64));
        }),
        (Kind::Llama, "tensors", "attn_k.weight is", |c| {
            c.reshape("blk.0.attn_k.weight", Shape::matrix(64, 64));
        }),
        (Kind::Gemma3, "tensors", "missing", |c| {
            c.remove("blk.2.attn_q_norm.weight");
        }),
        (Kind::Llama, "tensors", "not known", |c| {
            c.set("general.architecture", OwnedValue::Str("gpt2".to_owned()));
        }),
        (Kind::Gemma3, "norms", "is missing", |c| {
            put(c, "blk.0.ffn_norm.weight", &[-1.0]);
        }),
        (
            Kind::Llama,
            "weights",
            "output.weight row 0 element 1",
            |c| {
                put(c, "output.weight", &[1.0, f32::NAN]);
            },
        ),
        (
            Kind::Llama,
            "weights",
            "token_embd.weight row 0 element 0",
            |c| {
                put(c, "token_embd.weight", &[f32::INFINITY]);
            },
        ),
        (Kind::Qwen2, "vocabulary", "without merges", |c| {
            c.set("tokenizer.ggml.model", OwnedValue::Str("gpt2".to_owned()));
        }),
    ];
    for (kind, check, says, damage) in cases {
        let mut contents = contents(kind);
        damage(&mut contents);
        let found = wrong(&contents);
        let named = found
            .iter()
            .any(|(at, text)| *at == check && text.contains(says));
        assert!(named, "{kind:?} {check} {says}: {found:?}");
    }
}

fn tokenizer() -> Tokenizer {
    let bytes = contents(Kind::Llama).bytes();
    Tokenizer::read(&Gguf::read(&bytes).expect("GGUF")).expect("a vocabulary")
}

/// Ids by their texts.
fn ids(tokenizer: &Tokenizer, texts: &[&str]) -> Vec<u32> {
    let id = |text: &&str| tokenizer.token_id(text).unwrap_or_else(|| panic!("{text}"));
    texts.iter().map(id).collect()
}

/// The vocabulary has letters, letters after a space, and `th he in er an re on`; `▁` stands for a space.
#[test]
fn ids_made_the_wrong_way_are_named() {
    let t = tokenizer();
    let newline = "<0x0A>";
    let right = ids(&t, &["<s>", "▁t", "he", "▁", "re"]);
    let judged = judge(&t, None, "the re", &right).expect("it can be spelled");
    let explained = |text: &str, found: &[&str]| -> Vec<&'static str> {
        let judged = judge(&t, None, text, &ids(&t, found)).expect("it can be spelled");
        assert!(judged.first.is_some(), "{text}: {:?}", judged.right);
        judged.faults.iter().map(|fault| fault.name).collect()
    };
    let texts = |ids: &[u32]| -> Vec<String> {
        ids.iter()
            .map(|&id| t.token_text(id).unwrap_or_default().to_owned())
            .collect()
    };
    let owned = texts(&judged.right);
    let good: Vec<&str> = owned.iter().map(String::as_str).collect();
    let with = |before: &[&'static str], after: &[&'static str]| -> Vec<String> {
        let all = before
            .iter()
            .copied()
            .chain(good.iter().copied())
            .chain(after.iter().copied());
        all.map(str::to_owned).collect()
    };
    let first = |text: &str, found: &[String]| -> &'static str {
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        explained(text, &found).first().copied().unwrap_or_default()
    };
    assert_eq!(first("the re", &with(&["<s>"], &[])), "double-bos");
    assert_eq!(first("the re", &owned[1..]), "bos-missing");
    assert_eq!(first("the re", &with(&[], &["</s>"])), "eos-appended");
    assert_eq!(first("the re", &owned[..owned.len() - 1]), "prompt-cut-off");
    let letters: Vec<String> = ["<s>", "▁", "t", "h", "e", "▁", "r", "e"]
        .map(str::to_owned)
        .to_vec();
    assert_eq!(first("the re", &letters), "merges-not-loaded");
    let other: Vec<String> = ["<s>", "▁a", "▁b"].map(str::to_owned).to_vec();
    assert_eq!(first("the re", &other), "other-text");
    let missing: Vec<String> = ["<s>", "th", "e", "▁", "re"].map(str::to_owned).to_vec();
    assert_eq!(first("the re", &missing), "space-prefix-missing");
    let more: Vec<String> = with(&[], &[]);
    let mut more = more;
    more.insert(1, "▁".to_owned());
    assert_eq!(first("the re", &more), "space-prefix-spurious");
    // A line break that became a space.
    let collapsed: Vec<String> = ["<s>", "▁a", "▁b"].map(str::to_owned).to_vec();
    assert_eq!(first("a\nb", &collapsed), "whitespace-collapsed");
    assert!(t.token_id(newline).is_some());
    // A control token that was spelled out.
    let spelled: Vec<String> = ["<s>", "▁a", "<0x3C>", "<0x2F>", "s", "<0x3E>"]
        .map(str::to_owned)
        .to_vec();
    assert_eq!(first("a</s>", &spelled), "special-token-as-text");
    let judged = judge(&t, None, "a", &[1, 400]).expect("it can be spelled");
    assert_eq!(judged.faults[0].name, "wrong-vocabulary");
    let same = judge(
        &t,
        None,
        "the re",
        &judge(&t, None, "the re", &[]).expect("spelled").right,
    )
    .expect("spelled");
    assert!(same.first.is_none() && same.faults.is_empty());
}
