//! False claims, and claims that nothing could bear out.

use crate::helpers::{Folder, SHORT, STORY, edited, ends, receipt, reseal, value};
use serde_json::{Value, json};

#[test]
fn an_edit_is_damage_and_a_false_claim_is_a_replay_that_differs() {
    let folder = Folder::new("edits");
    // Hot enough that another seed or setting chooses another token within a few steps.
    let hot = [
        "--chat",
        "-p",
        "Tell me a story about a cat.",
        "-s",
        "42",
        "--temp",
        "1.5",
        "--min-p",
        "0",
        "--top-p",
        "1",
        "-n",
        "12",
    ];
    let path = receipt(&folder, &hot);
    let original = value(&path);
    let steps = original["steps"].as_array().expect("steps").len();
    assert_eq!(steps, 12);
    let token = original["steps"][3]["token"].as_u64().expect("a token");
    let other = if token == 300 { 301 } else { 300 };
    let digest = original["steps"][0]["logits"].clone();
    let edits: [(&str, Value, &str); 10] = [
        (
            "/steps/3/token",
            json!(other),
            "step 4 of 12: the logits agree, but token ",
        ),
        (
            "/steps/2/logits",
            digest,
            "step 3 of 12: the logits have digest ",
        ),
        ("/sampler/seed", json!(43), "the logits agree, but token "),
        (
            "/sampler/temperature",
            json!(9.0),
            "the logits agree, but token ",
        ),
        ("/sampler/top_k", json!(1), "the logits agree, but token "),
        (
            "/prompt/2",
            json!(301),
            "step 1 of 12: the logits have digest ",
        ),
        (
            "/stop",
            json!("end"),
            "after step 12 of 12: the replay ends (length), and in the receipt it ends (end)",
        ),
        (
            "/limits/tokens",
            json!(4),
            "after step 4 of 12: the replay ends (length), and in the receipt it goes on",
        ),
        (
            "/limits/tokens",
            json!(19),
            "after step 12 of 12: the replay goes on, and in the receipt it ends (length)",
        ),
        (
            "/numerics/tier",
            json!("f32"),
            "step 1 of 12: the logits have digest ",
        ),
    ];
    for (field, new, says) in edits {
        let mut edited = original.clone();
        let place = edited.pointer_mut(field).expect("a field");
        // A changed digest must be another one.
        assert_ne!(*place, new, "{field}");
        *place = new;
        let damaged = folder.write("damaged.json", edited.to_string());
        ends(&["verify", &damaged], 4, "was changed after it was written");
        reseal(&mut edited);
        let claimed = folder.write(&field.replace('/', "."), edited.to_string());
        ends(&["verify", &claimed], 2, says);
    }
    // White space and the order of fields say nothing.
    let plain = folder.write("plain.json", original.to_string());
    ends(&["verify", &plain], 0, "every bit agrees");
}

#[test]
fn claims_that_no_run_can_have_led_to_are_damage() {
    let folder = Folder::new("senseless");
    let path = receipt(&folder, &STORY);
    let original = value(&path);
    let prompt = original["prompt"].as_array().expect("ids").len();
    for (field, new, says) in [
        ("/context", json!(0), "its context is 0".to_owned()),
        (
            "/context",
            json!(prompt),
            format!("its prompt has {prompt} tokens, but its context holds {prompt}"),
        ),
        ("/prompt", json!([]), "its prompt is empty".to_owned()),
        (
            "/prompt/2",
            json!(u32::MAX),
            "token 3 of its prompt has id 4294967295, which is not below".to_owned(),
        ),
        (
            "/steps",
            json!([]),
            "the receipt holds no step to compare".to_owned(),
        ),
    ] {
        let path = folder.write("edited.json", edited(&original, field, new));
        ends(&["verify", &path], 4, "the receipt is damaged: ");
        ends(&["verify", &path], 4, &says);
    }
    for stop in ["interrupted", "length"] {
        let mut empty = original.clone();
        empty["steps"] = json!([]);
        empty["limits"]["tokens"] = json!(0);
        let path = folder.write("empty.json", edited(&empty, "/stop", json!(stop)));
        ends(
            &["verify", &path],
            4,
            "the receipt holds no step to compare",
        );
    }
}

#[test]
fn biases_that_forbid_every_token_are_damage() {
    let folder = Folder::new("forbidden");
    let original = value(&receipt(&folder, &STORY));
    // More tokens than the demo models have; an id without a token forbids nothing.
    let biases = |from: u32| -> Vec<Value> {
        (from..9000)
            .map(|token| json!({"token": token, "bias": null}))
            .collect()
    };
    let forbidden = edited(&original, "/sampler/logit_bias", json!(biases(0)));
    let path = folder.write("forbidden.json", forbidden);
    ends(
        &["verify", &path],
        4,
        "the receipt is damaged: its sampler makes no sense",
    );
    ends(&["verify", &path], 4, "no token is possible");
    // One token is possible: another one than the receipt's.
    let single = edited(&original, "/sampler/logit_bias", json!(biases(1)));
    let path = folder.write("single.json", single);
    ends(&["verify", &path], 2, "the logits agree, but token 0 ");
}

#[test]
fn a_context_that_memory_does_not_hold_is_no_fault_of_the_receipt() {
    let folder = Folder::new("memory");
    let original = value(&receipt(&folder, &STORY));
    for context in [u64::MAX, 1 << 60] {
        let path = folder.write("large.json", edited(&original, "/context", json!(context)));
        ends(&["verify", &path], 1, "error: ");
    }
}

#[test]
fn an_answer_that_ended_by_itself_was_not_interrupted() {
    let folder = Folder::new("interrupted");
    let whole = value(&receipt(&folder, &SHORT));
    let claimed = folder.write("whole.json", edited(&whole, "/stop", json!("interrupted")));
    ends(
        &["verify", &claimed],
        2,
        "the replay ends (end), and in the receipt it ends (interrupted)",
    );
    // Without its last step, it may have been.
    let mut cut = whole.clone();
    cut["steps"].as_array_mut().expect("steps").pop();
    let cut = folder.write("cut.json", edited(&cut, "/stop", json!("interrupted")));
    ends(&["verify", &cut], 0, "every bit agrees");
}
