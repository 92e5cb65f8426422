"""Trains a demo model of one family and writes its weights as FAMILY.npz.

    python train.py --family llama --minutes 5            # on a GPU
    python train.py --family llama --minutes 5 --batch 2 --small   # a CPU trial of the code

The corpus is generated while training, by `--workers` processes. The second
part of the run trains with 4-bit rounding of the matrices (straight-through),
so that the model survives quantisation.
"""

import argparse
import math
import multiprocessing
import queue
import random
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import corpus
from tokenizer import Tokenizer

CONFIGS = {
    "llama": {"layers": 6, "dim": 256, "heads": 4, "kv": 2, "head_dim": 64, "ffn": 768, "eps": 1e-5, "window": 0},
    "gemma3": {"layers": 7, "dim": 256, "heads": 4, "kv": 2, "head_dim": 64, "ffn": 768, "eps": 1e-6, "window": 64},
}
CONTEXT = 1024


def rms(x, weight, eps):
    """RMSNorm in f32."""
    h = x.float()
    return (h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + eps) * weight).to(x.dtype)


def rotate(x, cos, sin, neox):
    """RoPE: pairs (d, d + half) if neox, else (2d, 2d + 1)."""
    if neox:
        p, q = x.chunk(2, -1)
        return torch.cat((p * cos - q * sin, p * sin + q * cos), -1)
    p, q = x[..., 0::2], x[..., 1::2]
    return torch.stack((p * cos - q * sin, p * sin + q * cos), -1).flatten(-2)


def rounded(w):
    """The matrix rounded to 4 bits in blocks of 32 (scale and minimum per block), as Q4_K roughly does."""
    blocks = w.detach().float().view(-1, 32)
    low = blocks.amin(1, keepdim=True).clamp(max=0)
    step = ((blocks.amax(1, keepdim=True) - low) / 15).clamp(min=1e-8)
    return (((blocks - low) / step).round() * step + low).view_as(w)


class Model(nn.Module):
    """Both families in one module; parameter names are GGUF tensor names with '_' for '.'."""

    def __init__(self, family, vocab, config):
        super().__init__()
        self.family, self.c = family, config
        self.gemma = family == "gemma3"
        d, f = config["dim"], config["ffn"]
        q, k = config["heads"] * config["head_dim"], config["kv"] * config["head_dim"]
        self.p = nn.ParameterDict()
        self.matrix("token_embd", vocab, d, d ** -0.5 if self.gemma else 0.02)
        if not self.gemma:
            self.matrix("output", vocab, d, 0.02)
        self.norm("output_norm", d)
        for i in range(config["layers"]):
            b = f"blk_{i}_"
            deep = 0.02 / math.sqrt(2 * config["layers"])
            for name, rows, cols, std in (("attn_q", q, d, .03), ("attn_k", k, d, .03), ("attn_v", k, d, .03), ("attn_output", d, q, deep),
                                          ("ffn_gate", f, d, .03), ("ffn_up", f, d, .03), ("ffn_down", d, f, deep)):
                self.matrix(b + name, rows, cols, std)
            for name in ("attn_norm", "ffn_norm") + (("post_attention_norm", "post_ffw_norm") if self.gemma else ()):
                self.norm(b + name, d)
            if self.gemma:
                self.norm(b + "attn_q_norm", config["head_dim"])
                self.norm(b + "attn_k_norm", config["head_dim"])
        self.register_buffer("noise", torch.zeros(()), persistent=False)
        for base in (10000.0, 1000000.0):
            half = config["head_dim"] // 2
            angles = torch.arange(CONTEXT).float()[:, None] * base ** (-torch.arange(half).float() / half)
            self.register_buffer(f"cos{int(base)}", angles.cos(), persistent=False)
            self.register_buffer(f"sin{int(base)}", angles.sin(), persistent=False)

    def matrix(self, name, rows, cols, std):
        """Adds a matrix."""
        self.p[name] = nn.Parameter(torch.randn(rows, cols) * std)

    def norm(self, name, size):
        """Adds a norm weight."""
        self.p[name] = nn.Parameter(torch.ones(size))

    def w(self, name):
        """A matrix, with rounding mixed in when the noise is on."""
        w = self.p[name]
        return w + self.noise * (rounded(w) - w.detach())

    def attention(self, i, x, masks):
        """Attention of layer i."""
        c, b = self.c, f"blk_{i}_"
        n, t, _ = x.shape
        q = F.linear(x, self.w(b + "attn_q")).view(n, t, c["heads"], c["head_dim"])
        k = F.linear(x, self.w(b + "attn_k")).view(n, t, c["kv"], c["head_dim"])
        v = F.linear(x, self.w(b + "attn_v")).view(n, t, c["kv"], c["head_dim"])
        if self.gemma:
            q, k = rms(q, self.p[b + "attn_q_norm"], c["eps"]), rms(k, self.p[b + "attn_k_norm"], c["eps"])
        sliding = self.gemma and i % 6 != 5
        base = 1000000 if self.gemma and not sliding else 10000
        cos, sin = getattr(self, f"cos{base}")[:t, None], getattr(self, f"sin{base}")[:t, None]
        q, k = rotate(q, cos, sin, self.gemma).to(v.dtype), rotate(k, cos, sin, self.gemma).to(v.dtype)
        group = c["heads"] // c["kv"]
        q, k, v = q.transpose(1, 2), k.transpose(1, 2).repeat_interleave(group, 1), v.transpose(1, 2).repeat_interleave(group, 1)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=masks[1] if sliding else masks[0])
        return F.linear(out.transpose(1, 2).reshape(n, t, -1), self.w(b + "attn_output"))

    def feed_forward(self, i, x):
        """The gated feed-forward network of layer i."""
        b = f"blk_{i}_"
        gate, up = F.linear(x, self.w(b + "ffn_gate")), F.linear(x, self.w(b + "ffn_up"))
        gate = F.gelu(gate, approximate="tanh") if self.gemma else F.silu(gate)
        return F.linear(gate * up, self.w(b + "ffn_down"))

    def forward(self, ids, docs):
        """Logits; `docs` numbers the documents packed in a row."""
        c, p = self.c, self.p
        t = ids.shape[1]
        at = torch.arange(t, device=ids.device)
        mask = (docs[:, :, None] == docs[:, None, :]) & (at[:, None] >= at[None, :])
        near = mask & (at[:, None] - at[None, :] < c["window"]) if self.gemma else mask
        masks = (mask[:, None], near[:, None])
        x = F.embedding(ids, self.w("token_embd"))
        if self.gemma:
            x = x * math.sqrt(c["dim"])
        for i in range(c["layers"]):
            b = f"blk_{i}_"
            h = self.attention(i, rms(x, p[b + "attn_norm"], c["eps"]), masks)
            x = x + (rms(h, p[b + "post_attention_norm"], c["eps"]) if self.gemma else h)
            h = self.feed_forward(i, rms(x, p[b + "ffn_norm"], c["eps"]))
            x = x + (rms(h, p[b + "post_ffw_norm"], c["eps"]) if self.gemma else h)
        x = rms(x, p["output_norm"], c["eps"])
        return F.linear(x, self.w("token_embd" if self.gemma else "output"))


def rows_of(family, seed):
    """Endless rows of CONTEXT + 1 packed tokens: (ids, flags, document numbers)."""
    rng, tok = random.Random(seed), Tokenizer(family)
    ids, flags, docs, number = [], [], [], 0
    size = CONTEXT + 1
    while True:
        doc_ids, doc_flags = tok.document(corpus.document(rng))
        doc_ids, doc_flags = doc_ids[:size], doc_flags[:size]
        if len(ids) + len(doc_ids) > size:
            pad = size - len(ids)
            yield np.array([ids + [0] * pad, flags + [-1] * pad, docs + [number + 1] * pad], dtype=np.int16)
            ids, flags, docs, number = [], [], [], 0
        number += 1
        ids += doc_ids
        flags += doc_flags
        docs += [number] * len(doc_ids)


def worker(family, seed, batch, out):
    """Fills the queue with batches."""
    source = rows_of(family, seed)
    while True:
        out.put(np.stack([next(source) for _ in range(batch)]))


def batches(family, batch, workers, seed):
    """Fresh batches as they come; when none is ready, a recent one again."""
    out = multiprocessing.Queue(64)
    for i in range(workers):
        multiprocessing.Process(target=worker, args=(family, seed + i, batch, out), daemon=True).start()
    recent, rng, fresh = [], random.Random(0), 0
    while True:
        try:
            item = out.get(block=len(recent) < 8)
            fresh += 1
            if len(recent) >= 2000:
                recent.pop(rng.randrange(1000))
            recent.append(item)
        except queue.Empty:
            item = rng.choice(recent)
        yield item, fresh


def loss_of(model, data):
    """Next-token loss: answers count in full, other text a little."""
    ids, flags, docs = data[:, 0], data[:, 1], data[:, 2]
    logits = model(ids[:, :-1], docs[:, :-1])
    weight = torch.where(flags[:, 1:] == 1, 1.0, 0.05) * (docs[:, 1:] == docs[:, :-1]) * (flags[:, 1:] >= 0)
    loss = F.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    return (loss * weight.flatten()).sum() / weight.sum()


def save(model, path):
    """Weights as npz: matrices in f16, norms in f32."""
    arrays = {k.replace("p.", ""): v.detach().float().cpu().numpy() for k, v in model.state_dict().items()}
    np.savez(path, **{k: v.astype(np.float16) if v.ndim == 2 else v for k, v in arrays.items()})


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=sorted(CONFIGS), required=True)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--batch", type=int, default=32, help="rows of 1024 tokens")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--workers", type=int, default=7)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--small", action="store_true", help="a tiny model, to try the code on a CPU")
    parser.add_argument("--out", default=".")
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(args.seed)
    config = dict(CONFIGS[args.family], **({"layers": 2} if args.small else {}))
    model = Model(args.family, Tokenizer(args.family).size, config).to(device)
    print(args.family, "parameters", sum(p.numel() for p in model.parameters()), flush=True)
    matrices = [p for p in model.parameters() if p.ndim == 2]
    norms = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1}, {"params": norms, "weight_decay": 0.0}], lr=args.lr, betas=(0.9, 0.95))
    run = torch.compile(model) if device == "cuda" else model
    start, step = None, 0
    for data, fresh in batches(args.family, args.batch, args.workers, args.seed * 1000):
        data = torch.from_numpy(data).to(device).long()
        start = start if step >= 3 else time.time()
        done = min(1.0, (time.time() - start) / (60 * args.minutes))
        rate = args.lr * min(1.0, (step + 1) / 200) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        model.noise.fill_(1.0 if done > 0.55 else 0.0)
        with torch.autocast(device, dtype=torch.bfloat16):
            loss = loss_of(run, data)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 200 == 0 or done >= 1:
            print(f"{args.family} step {step} fresh {fresh} done {done:.2f} loss {loss.item():.4f} s {time.time() - start:.0f}", flush=True)
        step += 1
        if done >= 1:
            break
    save(model, f"{args.out}/{args.family}.npz")


if __name__ == "__main__":
    main()
