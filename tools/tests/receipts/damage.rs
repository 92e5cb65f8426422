//! Texts that are no whole receipt, or none that this build knows.

use crate::helpers::{Folder, STORY, edited, ends, receipt, reseal, value};
use serde_json::json;

#[test]
fn a_receipt_that_is_cut_off_is_damaged() {
    let folder = Folder::new("cut");
    let path = receipt(&folder, &STORY);
    let whole = std::fs::read(&path).expect("a receipt");
    let places = (0..20).chain((1..40).map(|part| whole.len() * part / 40));
    for len in places.chain(whole.len() - 20..whole.len() - 1) {
        let cut = folder.write("cut.json", &whole[..len]);
        ends(
            &["verify", &cut],
            7,
            "the receipt is damaged: it is cut off",
        );
    }
    for (text, says) in [
        (&b"\x00\xff\xfe"[..], "not a JSON object"),
        (b"[1, 2]", "not a JSON object"),
        (b"{} {}", "not a JSON object"),
        (b"{}", "its format is not"),
    ] {
        let path = folder.write("other.json", text);
        ends(&["verify", &path], 4, says);
    }
}

#[test]
fn a_field_that_is_missing_or_of_the_wrong_kind_is_named() {
    let folder = Folder::new("fields");
    let path = receipt(&folder, &STORY);
    let original = value(&path);
    for field in original.as_object().expect("an object").keys() {
        // Null is what an absent template reads as; the checksum tells them apart.
        let says = match field.as_str() {
            "format" => "its format is not".to_owned(),
            "template" => "was changed after it was written".to_owned(),
            field => format!("missing field `{field}`"),
        };
        let mut without = original.clone();
        without.as_object_mut().expect("an object").remove(field);
        let path = folder.write("without.json", without.to_string());
        ends(&["verify", &path], 4, &says);
    }
    for (field, new) in [
        ("/steps/1/logits", json!("12ab")),
        ("/steps/1/token", json!(-1)),
        ("/checksum", json!(17)),
        ("/sampler/top_p", json!("much")),
        ("/sampler/filters", json!("top_q")),
        ("/sampler/repeat_penalty", json!(0.0)),
        ("/stop", json!("bored")),
        ("/context", json!(-1)),
    ] {
        let mut changed = original.clone();
        *changed.pointer_mut(field).expect("a field") = new;
        if field != "/checksum" {
            reseal(&mut changed);
        }
        let path = folder.write("edited.json", changed.to_string());
        ends(&["verify", &path], 4, "the receipt is damaged: ");
    }
}

#[test]
fn other_versions_and_unknown_profiles_are_refused() {
    let folder = Folder::new("versions");
    let path = receipt(&folder, &STORY);
    let original = value(&path);
    for (field, new, says) in [
        (
            "/version",
            json!(2),
            "the receipt has version 2; this build reads version 1",
        ),
        ("/version", json!("1"), "the receipt has version \"1\""),
        (
            "/numerics/tier",
            json!("f8"),
            "tier is \"f8\"; this build knows fast, f32 and audit",
        ),
        ("/numerics/cache", json!("q3_0"), "cache format is \"q3_0\""),
        (
            "/numerics/logits",
            json!("f64"),
            "type of logits is \"f64\"; this build knows f32",
        ),
        (
            "/numerics/arithmetic",
            json!("fidelis-arithmetic-0"),
            "this build knows fidelis-arithmetic-1",
        ),
        (
            "/numerics/sampling",
            json!("dice"),
            "this build knows fidelis-sampling-1",
        ),
        ("/sampler/mirostat", json!(3), "mirostat is \"3\""),
    ] {
        let path = folder.write("edited.json", edited(&original, field, new));
        ends(&["verify", &path], 5, says);
    }
}

#[test]
fn a_field_that_is_there_twice_is_named() {
    let folder = Folder::new("twice");
    let path = receipt(&folder, &STORY);
    let text = std::fs::read_to_string(&path).expect("a receipt");
    for (before, again, name) in [
        ("\"prompt\":", "\"prompt\": [1, 2],", "prompt"),
        ("\"steps\":", "\"steps\": [],", "steps"),
        ("\"steps\":", "\"st\\u0065ps\": [],", "steps"),
        ("\"checksum\":", "\"checksum\": \"\",", "checksum"),
        ("\"top_k\":", "\"top_k\": 1,", "top_k"),
        // In the last step.
        ("\"logits\": \"", "\"token\": 5,", "token"),
    ] {
        let at = text.rfind(before).expect("a field");
        let twice = [&text[..at], again, &text[at..]].concat();
        let path = folder.write("twice.json", twice);
        let says = format!("the receipt is damaged: repeated field `{name}`");
        ends(&["verify", &path], 4, &says);
    }
}
