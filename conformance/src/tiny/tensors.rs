//! The tensors of each kind of model: names, shapes, and how their values are drawn.

use super::{Kind, Tiny, Values};
use crate::tiny::vocabulary::TOKENS;
use fidelis_engine::shape::Shape;

type Specified = (String, Shape, Values);

/// Weights that keep the size of what they are multiplied with, about.
fn matrix(name: String, width: usize, rows: usize) -> Specified {
    let bound = (3.0 / width as f32).sqrt();
    let values = Values {
        from: -bound,
        to: bound,
    };
    (name, Shape::matrix(width, rows), values)
}

fn vector(name: String, len: usize, from: f32, to: f32) -> Specified {
    (name, Shape::vector(len), Values { from, to })
}

fn norm(name: String, len: usize) -> Specified {
    vector(name, len, 0.5, 1.5)
}

impl Tiny {
    pub(super) fn tensors(&self) -> Vec<Specified> {
        let mut all = vec![matrix("token_embd.weight".to_owned(), self.width, TOKENS)];
        for layer in 0..self.layers {
            self.attention(layer, &mut all);
            self.feed_forward(layer, &mut all);
        }
        let pairs = self.head / 2;
        if self.kind == Kind::Llama3 {
            all.push(vector("rope_freqs.weight".to_owned(), pairs, 1.0, 8.0));
        }
        if self.kind == Kind::Phi3Long {
            let name = |part: &str| format!("rope_factors_{part}.weight");
            all.push(vector(name("short"), pairs, 1.0, 1.5));
            all.push(vector(name("long"), pairs, 1.0, 16.0));
        }
        all.push(norm("output_norm.weight".to_owned(), self.width));
        if !self.kind.is_tied() {
            all.push(matrix("output.weight".to_owned(), self.width, TOKENS));
        }
        all
    }

    fn attention(&self, layer: usize, all: &mut Vec<Specified>) {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let (heads, kv) = (self.heads * self.head, self.kv_heads * self.head);
        all.push(norm(name("attn_norm.weight"), self.width));
        let parts = [("q", heads), ("k", kv), ("v", kv)];
        if self.kind.is_phi() {
            all.push(matrix(name("attn_qkv.weight"), self.width, heads + 2 * kv));
        } else {
            for (part, rows) in parts {
                all.push(matrix(
                    name(&format!("attn_{part}.weight")),
                    self.width,
                    rows,
                ));
            }
        }
        if self.kind == Kind::Qwen2 {
            for (part, rows) in parts {
                all.push(vector(name(&format!("attn_{part}.bias")), rows, -0.5, 0.5));
            }
        }
        if self.kind.norms_heads() {
            all.push(norm(name("attn_q_norm.weight"), self.head));
            all.push(norm(name("attn_k_norm.weight"), self.head));
        }
        all.push(matrix(name("attn_output.weight"), heads, self.width));
        if self.kind.is_gemma() {
            all.push(norm(name("post_attention_norm.weight"), self.width));
        }
    }

    fn feed_forward(&self, layer: usize, all: &mut Vec<Specified>) {
        let name = |part: &str| format!("blk.{layer}.{part}");
        all.push(norm(name("ffn_norm.weight"), self.width));
        if self.kind.is_phi() {
            all.push(matrix(
                name("ffn_up.weight"),
                self.width,
                2 * self.feed_forward,
            ));
        } else {
            for part in ["ffn_gate.weight", "ffn_up.weight"] {
                all.push(matrix(name(part), self.width, self.feed_forward));
            }
        }
        all.push(matrix(
            name("ffn_down.weight"),
            self.feed_forward,
            self.width,
        ));
        if self.kind.is_gemma() {
            all.push(norm(name("post_ffw_norm.weight"), self.width));
        }
    }
}
