"""A small engine in numpy with faults that can be switched on, and a recorder of its checkpoints.

It shares nothing with Fidelis but the file format, so its recordings test what `fidelis conformance --recording` finds and names:

    python faulty.py MODEL.gguf OUT.safetensors FAULT [STEPS [IDS]]

FAULT is `none` or one of FAULTS below; STEPS such as 5,1,1 cut the ids into calls. Everything is computed in float32; weights are F32, Q4_K or Q6_K.
"""

import sys

import numpy as np
from gguf import GGUFReader
from safetensors.numpy import save_file

FAULTS = """none rope-neighbours-and-halves rope-base gate-and-up weights-by-columns tiled-heads no-mask
epsilon position-restarts no-cache scale embedding-unscaled norms-plus-one head-norms-plus-one post-norm window theta silu
last-row residual min-sign nibbles-beside no-offset double-bos""".split()
f32 = np.float32


def q4_k(blocks, fault):
    """`[n, 144]` bytes as `[n, 256]`: 256 times 4 bits, 6-bit scales and minima per 32."""
    half = lambda at: blocks[:, at : at + 2].copy().view("<f2").astype(f32)
    s, quants = blocks[:, 4:16], blocks[:, 16:].reshape(-1, 4, 32)
    scale = np.concatenate([s[:, :4] & 63, (s[:, 8:] & 15) | (s[:, :4] >> 6 << 4)], 1).astype(f32) * half(0)
    least = np.concatenate([s[:, 4:8] & 63, (s[:, 8:] >> 4) | (s[:, 4:8] >> 6 << 4)], 1).astype(f32) * half(2)
    low, high = quants & 15, quants >> 4
    if fault == "nibbles-beside":
        q = np.stack([low, high], -1).reshape(-1, 8, 32)
    else:
        q = np.stack([low, high], 2).reshape(-1, 8, 32)
    least = least if fault == "min-sign" else -least
    return (scale[..., None] * q + least[..., None]).reshape(-1, 256).astype(f32)


def q6_k(blocks, fault):
    """`[n, 210]` bytes as `[n, 256]`: 4 low bits, 2 high bits, signed scales per 16."""
    low, high = blocks[:, :128].reshape(-1, 2, 2, 32), blocks[:, 128:192].reshape(-1, 2, 32)
    scale = blocks[:, 192:208].copy().view(np.int8).astype(f32) * blocks[:, 208:].copy().view("<f2").astype(f32)
    four = np.concatenate([low & 15, low >> 4], 2)
    two = np.stack([high >> shift & 3 for shift in (0, 2, 4, 6)], 2)
    q = (four | two << 4).reshape(-1, 16, 16).astype(f32) - (0 if fault == "no-offset" else 32)
    return (scale[..., None] * q).reshape(-1, 256).astype(f32)


def decoded(tensor, fault):
    """Rows of values; gguf gives bytes of what is quantised."""
    data = np.array(tensor.data)
    decoder = {"Q4_K": (q4_k, 144), "Q6_K": (q6_k, 210)}.get(tensor.tensor_type.name)
    if decoder is None:
        return data.astype(f32)
    decode, size = decoder
    return decode(data.reshape(-1, size), fault).reshape(data.shape[0], -1)


class Model:
    def __init__(self, path, fault="none"):
        reader = GGUFReader(path)
        self.arch = reader.fields["general.architecture"].contents()
        key = lambda name, absent=None: (
            reader.fields[f"{self.arch}.{name}"].contents() if f"{self.arch}.{name}" in reader.fields else absent
        )
        # gguf gives [rows, width].
        self.w = {t.name: decoded(t, fault) for t in reader.tensors}
        self.layers, self.width = key("block_count"), key("embedding_length")
        self.heads, self.kv = key("attention.head_count"), key("attention.head_count_kv")
        self.head = key("attention.key_length", self.width // self.heads)
        self.epsilon = key("attention.layer_norm_rms_epsilon")
        self.base, self.window = key("rope.freq_base", 10000.0), key("attention.sliding_window")


def rms(x, weight, epsilon):
    return (x / np.sqrt((x * x).mean(-1, keepdims=True) + f32(epsilon)) * weight).astype(f32)


class Engine:
    def __init__(self, model, fault):
        self.m, self.fault = model, fault
        self.keys = [[] for _ in range(model.layers)]
        self.values = [[] for _ in range(model.layers)]
        self.seen = {}

    def is_(self, fault):
        return self.fault == fault

    def keep(self, name, value):
        self.seen.setdefault(name, []).append(value.reshape(value.shape[0], -1).astype(f32).copy())

    def product(self, name, x):
        w = self.m.w[name]
        if self.is_("weights-by-columns") and name.startswith("blk."):
            w = w.reshape(w.shape[1], w.shape[0]).T
        return (x @ w.T).astype(f32)

    def norm(self, name, x, epsilon=None):
        w = self.m.w[name]
        if self.is_("norms-plus-one") or (self.is_("head-norms-plus-one") and ("_q_norm" in name or "_k_norm" in name)):
            w = w + 1
        return rms(x, w, self.m.epsilon if epsilon is None else epsilon)

    def turn(self, x, positions, base):
        half = self.m.head // 2
        halves = self.m.arch != "llama"
        if self.is_("rope-neighbours-and-halves"):
            halves = not halves
        if self.is_("rope-base"):
            base = 500000.0
        angle = positions[:, None] * base ** (-np.arange(half) / half)
        c, s = np.cos(angle)[:, None].astype(f32), np.sin(angle)[:, None].astype(f32)
        out = np.empty_like(x)
        a, b = (x[..., :half], x[..., half:]) if halves else (x[..., 0::2], x[..., 1::2])
        first, second = a * c - b * s, a * s + b * c
        if halves:
            out[..., :half], out[..., half:] = first, second
        else:
            out[..., 0::2], out[..., 1::2] = first, second
        return out

    def attention(self, i, x, start):
        m, count = self.m, x.shape[0]
        q, k, v = (self.product(f"blk.{i}.attn_{part}.weight", x) for part in "qkv")
        for part, value in zip("qkv", (q, k, v)):
            self.keep(f"blk.{i}.attn_{part}", value)
        q, k, v = (value.reshape(count, -1, m.head) for value in (q, k, v))
        if f"blk.{i}.attn_q_norm.weight" in m.w:
            q, k = self.norm(f"blk.{i}.attn_q_norm.weight", q), self.norm(f"blk.{i}.attn_k_norm.weight", k)
            self.keep(f"blk.{i}.attn_q.norm", q)
            self.keep(f"blk.{i}.attn_k.norm", k)
        slides = m.arch == "gemma3" and i % 6 != 5
        base = 10000.0 if slides and not self.is_("theta") else m.base
        positions = np.arange(count) + (0 if self.is_("position-restarts") else start)
        q, k = self.turn(q, positions, base), self.turn(k, positions, base)
        self.keep(f"blk.{i}.attn_q.rope", q)
        self.keep(f"blk.{i}.attn_k.rope", k)
        if self.is_("no-cache"):
            self.keys[i], self.values[i] = [np.zeros_like(k)] * 0, [np.zeros_like(v)] * 0
        self.keys[i].append(k)
        self.values[i].append(v)
        k, v = np.concatenate(self.keys[i]), np.concatenate(self.values[i])
        first = start if self.is_("no-cache") else 0
        scale = f32(1 / np.sqrt(m.head))
        gemma = m.arch == "gemma3"
        heads = []
        for h in range(m.heads):
            kv = h % m.kv if self.is_("tiled-heads") else h // (m.heads // m.kv)
            score = (q[:, h] * (scale if gemma else f32(1))) @ k[:, kv].T
            if self.is_("scale"):
                score, factor = score, f32(1)
            else:
                factor = f32(1) if gemma else scale
            t, p = np.arange(count)[:, None] + start, np.arange(len(k))[None] + first
            allowed = p <= t if not self.is_("no-mask") else p >= 0
            if slides and not self.is_("window"):
                allowed = allowed & (p > t - m.window)
            masked = np.where(allowed, score * factor, -np.inf)
            e = np.exp(masked - masked.max(-1, keepdims=True)).astype(f32)
            prob = e / e.sum(-1, keepdims=True)
            pad = lambda x: np.pad(x, ((0, 0), (first, self.total - first - x.shape[1])))
            self.seen.setdefault(f"blk.{i}.attn_scores", {}).setdefault(h, []).append(pad(score.astype(f32)))
            self.seen.setdefault(f"blk.{i}.attn_probs", {}).setdefault(h, []).append(pad(prob.astype(f32)))
            heads.append(prob @ v[:, kv])
        heads = np.concatenate(heads, -1).astype(f32)
        self.keep(f"blk.{i}.attn_heads", heads)
        out = self.product(f"blk.{i}.attn_output.weight", heads)
        self.keep(f"blk.{i}.attn_output", out)
        return out

    def layer(self, i, x, start):
        m = self.m
        normed = self.norm(f"blk.{i}.attn_norm.weight", x, 1e-3 if self.is_("epsilon") else None)
        self.keep(f"blk.{i}.attn_norm", normed)
        h = self.attention(i, normed, start)
        if m.arch == "gemma3":
            h = self.norm(f"blk.{i}.post_attention_norm.weight", h)
            self.keep(f"blk.{i}.attn_post_norm", h)
        r = h + (normed if self.is_("residual") else x)
        self.keep(f"blk.{i}.attn_residual", r)
        normed = self.norm(f"blk.{i}.ffn_norm.weight", r)
        self.keep(f"blk.{i}.ffn_norm", normed)
        gate, up = self.product(f"blk.{i}.ffn_gate.weight", normed), self.product(f"blk.{i}.ffn_up.weight", normed)
        self.keep(f"blk.{i}.ffn_gate", gate)
        self.keep(f"blk.{i}.ffn_up", up)
        if self.is_("gate-and-up"):
            gate, up = up, gate
        if m.arch == "gemma3" and not self.is_("silu"):
            act = 0.5 * gate * (1 + np.tanh(np.sqrt(2 / np.pi) * (gate + 0.044715 * gate**3))) * up
        else:
            act = gate / (1 + np.exp(-gate)) * up
        act = act.astype(f32)
        self.keep(f"blk.{i}.ffn_act", act)
        down = self.product(f"blk.{i}.ffn_down.weight", act)
        self.keep(f"blk.{i}.ffn_down", down)
        if m.arch == "gemma3":
            down = down if self.is_("post-norm") else self.norm(f"blk.{i}.post_ffw_norm.weight", down)
            self.keep(f"blk.{i}.ffn_post_norm", down)
        out = down + r
        self.keep(f"blk.{i}.out", out)
        return out

    def run(self, tokens, steps):
        m, start = self.m, 0
        self.total = len(tokens)
        for count in steps:
            ids = np.array(tokens[start : start + count])
            x = m.w["token_embd.weight"][ids]
            if m.arch == "gemma3" and not self.is_("embedding-unscaled"):
                x = x * f32(np.sqrt(m.width))
            self.keep("token_embd", x)
            for i in range(m.layers):
                x = self.layer(i, x, start)
            x = self.norm("output_norm.weight", x)
            self.keep("output_norm", x)
            head = m.w.get("output.weight", m.w["token_embd.weight"])
            logits = (x @ head.T).astype(f32)
            if self.is_("last-row"):
                logits = np.roll(logits, 1, 0)
                logits[0] = logits[1]
            self.keep("logits", logits)
            start += count
        out = {}
        for name, value in self.seen.items():
            if isinstance(value, dict):
                out[name] = np.stack([np.concatenate(value[h]) for h in sorted(value)])
            else:
                out[name] = np.concatenate(value)
        return out


def main():
    path, out, fault = sys.argv[1:4]
    if fault not in FAULTS:
        sys.exit(f"{fault} is none of {FAULTS}")
    tokens = [1, 17, 42, 99, 300, 5, 261, 8, 77, 130, 12, 3]
    steps = [int(n) for n in sys.argv[4].split(",")] if len(sys.argv) > 4 else [len(tokens)]
    if len(sys.argv) > 5:
        tokens = [int(n) for n in sys.argv[5].split(",")]
    if fault == "double-bos":
        tokens = tokens[:1] + tokens
    engine = Engine(Model(path, fault), fault)
    found = engine.run(tokens[: sum(steps)], steps)
    # Enough to tell faults apart: two layers, of Gemma one of each kind.
    layers = ("0", "5") if engine.m.arch == "gemma3" else ("0", "1")
    keep = {n: v for n, v in found.items() if not n.startswith("blk.") or n.split(".")[1] in layers}
    keep["tokens"] = np.array(tokens[: sum(steps)], dtype=np.int32)
    about = {"engine": "numpy", "tier": "f32", "steps": ",".join(map(str, steps))}
    save_file({n: np.ascontiguousarray(v) for n, v in keep.items()}, out, metadata=about)


if __name__ == "__main__":
    main()
