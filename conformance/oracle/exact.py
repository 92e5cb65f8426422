"""Computes a Gemma model's checkpoints in float64, with the exact GELU that llama.cpp rounds through a table.

    python exact.py gemma3-f32.gguf TOKENS.ref.safetensors OUT.safetensors

Needs numpy, gguf and safetensors from PyPI. Written from the published forward pass, for these small files alone.
"""

import sys

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors.numpy import load_file, save_file


def read(path):
    """Metadata and float64 tensors of a file."""
    reader = GGUFReader(path)
    fields = {key: field.contents() for key, field in reader.fields.items()}
    tensors = {t.name: dequantize(t.data, t.tensor_type).astype(np.float64) for t in reader.tensors}
    return fields, tensors


def norm(x, weight, epsilon):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * weight


def turn(x, base, linear):
    """Rotates pairs (i, i + half) of [tokens, heads, width]."""
    half = x.shape[-1] // 2
    angles = np.arange(x.shape[0])[:, None] * base ** (-np.arange(half) / half) / linear
    c, s = np.cos(angles)[:, None, :], np.sin(angles)[:, None, :]
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * c - b * s, a * s + b * c], -1)


def main(model_path, tokens_path, out_path):
    fields, w = read(model_path)
    arch = fields["general.architecture"]
    key = lambda name, default=None: fields.get(f"{arch}.{name}", default)
    gemma3 = arch == "gemma3"
    ids = load_file(tokens_path)["tokens"]
    heads, kv = key("attention.head_count"), key("attention.head_count_kv")
    width, epsilon = key("attention.key_length"), key("attention.layer_norm_rms_epsilon")
    base, window = key("rope.freq_base", 10000.0), key("attention.sliding_window")
    pattern = 6 if gemma3 else 2
    out = {}

    def keep(name, value):
        out[name] = value.astype(np.float32)
        return value

    x = keep("token_embd", w["token_embd.weight"][ids] * np.float64(np.sqrt(np.float32(w["token_embd.weight"].shape[1]))))
    tokens = len(ids)
    position = np.arange(tokens)
    for i in range(key("block_count")):
        blk = f"blk.{i}"
        sliding = i % pattern < pattern - 1
        theta = key("rope.freq_base_swa", 10000.0) if gemma3 and sliding else base
        h = keep(f"{blk}.attn_norm", norm(x, w[f"{blk}.attn_norm.weight"], epsilon))
        q, k, v = (keep(f"{blk}.attn_{n}", h @ w[f"{blk}.attn_{n}.weight"].T).reshape(tokens, -1, width) for n in "qkv")
        if gemma3:
            q = keep(f"{blk}.attn_q.norm", norm(q, w[f"{blk}.attn_q_norm.weight"], epsilon))
            k = keep(f"{blk}.attn_k.norm", norm(k, w[f"{blk}.attn_k_norm.weight"], epsilon))
        q = keep(f"{blk}.attn_q.rope", turn(q, theta, 1.0))
        k = keep(f"{blk}.attn_k.rope", turn(k, theta, 1.0))
        q = q * np.float64(np.float32(1.0) / np.sqrt(np.float32(width)))
        k, v = (np.repeat(t, heads // kv, axis=1) for t in (k, v))
        scores = np.einsum("qhd,khd->hqk", q, k)
        cap = key("attn_logit_softcapping")
        if cap:
            scores = cap * np.tanh(scores / cap)
        seen = position[None, :] <= position[:, None]
        if sliding:
            seen &= position[:, None] - position[None, :] < window
        keep(f"{blk}.attn_scores", scores)
        scores = np.where(seen, scores, -np.inf)
        probs = np.exp(scores - scores.max(-1, keepdims=True))
        probs /= probs.sum(-1, keepdims=True)
        keep(f"{blk}.attn_probs", probs)
        a = keep(f"{blk}.attn_heads", np.einsum("hqk,khd->qhd", probs, v).reshape(tokens, -1))
        a = keep(f"{blk}.attn_output", a @ w[f"{blk}.attn_output.weight"].T)
        a = keep(f"{blk}.attn_post_norm", norm(a, w[f"{blk}.post_attention_norm.weight"], epsilon))
        x = keep(f"{blk}.attn_residual", x + a)
        h = keep(f"{blk}.ffn_norm", norm(x, w[f"{blk}.ffn_norm.weight"], epsilon))
        gate = keep(f"{blk}.ffn_gate", h @ w[f"{blk}.ffn_gate.weight"].T)
        up = keep(f"{blk}.ffn_up", h @ w[f"{blk}.ffn_up.weight"].T)
        gelu = 0.5 * gate * (1 + np.tanh(np.sqrt(2 / np.pi) * (gate + 0.044715 * gate**3)))
        h = keep(f"{blk}.ffn_act", gelu * up)
        h = keep(f"{blk}.ffn_down", h @ w[f"{blk}.ffn_down.weight"].T)
        h = keep(f"{blk}.ffn_post_norm", norm(h, w[f"{blk}.post_ffw_norm.weight"], epsilon))
        x = keep(f"{blk}.out", x + h)
    x = keep("output_norm", norm(x, w["output_norm.weight"], epsilon))
    logits = x @ w["token_embd.weight"].T
    cap = key("final_logit_softcapping")
    keep("logits", cap * np.tanh(logits / cap) if cap else logits)
    save_file({"tokens": ids, **{name: np.ascontiguousarray(value) for name, value in out.items()}}, out_path)


main(*sys.argv[1:])
