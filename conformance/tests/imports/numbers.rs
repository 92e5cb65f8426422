//! Single numbers: a log and a table of statistics.

use crate::*;

#[test]
fn the_log_of_llama_cpps_eval_callback_is_judged() {
    let file = open("llama-f32");
    let gguf = file.gguf().expect("GGUF");
    let model = Model::read(&gguf).expect("a model");
    let reference = Reference::new(&model.graph);
    for (log, wanted, at) in [
        ("llama-f32", None, ""),
        ("theta", Some("rope-theta-wrong"), "blk.0.attn_q.rope"),
        ("kv", Some("kv-swapped"), "blk.0.attn_k"),
    ] {
        let path = here(&format!("tests/data/eval-callback.{log}.log"));
        let imported = import::load(&path, &reference, None).expect("a log");
        let Imported::Claims(claims) = imported else {
            panic!("a log holds single numbers");
        };
        assert_eq!(claims.tokens.len(), 24);
        let [audit, single] =
            [Tier::Audit, Tier::F32].map(|tier| run(&model, &claims.tokens, tier));
        let judged = judge(&reference, &claims, &audit, &single);
        let seen = judged
            .operations
            .iter()
            .filter_map(|op| op.compared.as_ref());
        let compared: usize = seen.map(|seen| seen.elements).sum();
        let Some(wanted) = wanted else {
            assert!(
                judged.diagnoses.is_empty(),
                "{:?}",
                judged.operations.last()
            );
            let checkpoints = judged.operations.len();
            assert!(
                checkpoints >= 34 && compared > 1200,
                "{checkpoints} {compared}"
            );
            continue;
        };
        let first = judged.diagnoses.first().expect("it is wrong");
        assert_eq!(first.checkpoint, at, "{log}");
        let named = first.named.map(|fault| fault.name);
        assert_eq!(named, Some(wanted), "{log}: {}", tried(first));
    }
}

/// Six digits of what the engine in Python recorded, as people write them down.
fn table(recorded: &Recording) -> String {
    let ids: Vec<String> = recorded.tokens.iter().map(ToString::to_string).collect();
    let mut table = format!(
        "# tokens: {}\ncheckpoint,min,max,rms,first\n",
        ids.join(" ")
    );
    for (name, tensor) in &recorded.tensors {
        let v = &tensor.values;
        if name.contains("attn_scores") {
            continue;
        }
        let least = v.iter().fold(f64::MAX, |a, x| a.min(*x));
        let most = v.iter().fold(f64::MIN, |a, x| a.max(*x));
        let rms = (v.iter().map(|x| x * x).sum::<f64>() / v.len() as f64).sqrt();
        let first: Vec<String> = v[..3].iter().map(|x| format!("{x:.5e}")).collect();
        table += &format!(
            "{name},{least:.5e},{most:.5e},{rms:.5e},{}\n",
            first.join(" ")
        );
    }
    table
}

#[test]
fn a_table_of_statistics_is_judged() {
    let file = open("qwen3-f32");
    let gguf = file.gguf().expect("GGUF");
    let model = Model::read(&gguf).expect("a model");
    let reference = Reference::new(&model.graph);
    for (fault, wanted) in [
        ("none", None),
        ("norms-plus-one", Some("norm-plus1-twice")),
        ("weights-by-columns", Some("gguf-dims-as-rowmajor")),
    ] {
        let path = format!("tests/data/faulty/qwen3.{fault}.safetensors");
        let table = table(&recording(&reference, &path));
        let imported = import::read(table.as_bytes(), &reference, None).expect("a table");
        let Imported::Claims(claims) = imported else {
            panic!("a table holds single numbers");
        };
        let [audit, single] =
            [Tier::Audit, Tier::F32].map(|tier| run(&model, &claims.tokens, tier));
        let judged = judge(&reference, &claims, &audit, &single);
        let first = judged.diagnoses.first();
        let named = first.map(|d| d.named.map_or("", |fault| fault.name));
        assert_eq!(named, wanted, "{fault}: {:?}", first.map(tried));
        assert!(judged.operations.len() > 1);
    }
}
