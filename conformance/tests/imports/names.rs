//! Other engines' names.

use crate::*;

#[test]
fn names_of_llama_cpp_and_hugging_face_are_ours() {
    let file = open("gemma3-f32");
    let gguf = file.gguf().expect("GGUF");
    let model = Model::read(&gguf).expect("a model");
    let reference = Reference::new(&model.graph);
    for (theirs, ours) in [
        ("inp_scaled", "token_embd"),
        ("Qcur-0 (MUL_MAT)", "blk.0.attn_q"),
        ("Qcur-3 (ROPE)", "blk.3.attn_q.rope"),
        ("Kcur_normed-2", "blk.2.attn_k.norm"),
        ("kq_soft_max-1", "blk.1.attn_probs"),
        ("sa_out-6", "blk.6.attn_residual"),
        ("ffn_geglu-0 (GEGLU)", "blk.0.ffn_act"),
        ("l_out-0", "blk.0.out"),
        ("result_output", "logits"),
        ("hidden_states.0", "token_embd"),
        ("hidden_states.1", "blk.0.out"),
        ("hidden_states.7", "output_norm"),
        (
            "model.layers.2.post_attention_layernorm",
            "blk.2.attn_post_norm",
        ),
        ("model.layers.2.pre_feedforward_layernorm", "blk.2.ffn_norm"),
        ("model.layers.2.self_attn.q_proj", "blk.2.attn_q"),
        ("model.norm", "output_norm"),
        ("lm_head", "logits"),
    ] {
        let mapped = import::names::checkpoint(theirs, &reference).expect(theirs);
        assert_eq!(mapped.name, ours, "{theirs}");
    }
    let unknown = [
        "embd",
        "Qcur-0",
        "Qcur-0 (RESHAPE)",
        "l_out-7",
        "hidden_states.8",
        "norm-0",
        "node_7",
        "l_out-x",
        "",
    ];
    for unknown in unknown {
        assert_eq!(
            import::names::checkpoint(unknown, &reference),
            None,
            "{unknown}"
        );
    }
}
