"""Decodes GGUF weights to float64 without rounding.

    python blocks.py [QUANTS.safetensors]

checks every decoder against the `gguf` package, on all-random blocks or on the blocks of a file with `TYPE.blocks` entries.

The `gguf` package computes in float32. For most formats that loses nothing: a scale of 11 significant bits times a small
integer fits 24 bits. `Q4_K` is `scale · q − minimum`, two products whose exponents are independent, and its difference is rounded
in a third of random blocks' values. (The blocks that `llama-quantize` writes have the two scales close together; in the oracle's
and the demo model's not one value is rounded.) In float64 every format below is exact: no value needs more than 53 bits between the
lowest bit of an f16 (2⁻²⁴) and the largest product.
"""

import sys

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type
from gguf import quants


class UnknownFormat(Exception):
    """A tensor's format has no exact decoder here."""


def halves(data):
    """Little-endian f16 bytes `[..., 2]` as float64 `[..., 1]`."""
    return np.ascontiguousarray(data).view("<f2").astype(np.float64)


def f32(blocks):
    return blocks.view("<f4").astype(np.float64)


def f16(blocks):
    return blocks.view("<f2").astype(np.float64)


def bf16(blocks):
    """The upper half of an f32."""
    return (blocks.view("<u2").astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def q8_0(blocks):
    """`scale f16 · 32 signed bytes`."""
    return halves(blocks[:, :2]) * blocks[:, 2:].view(np.int8)


def q5_0(blocks):
    """`scale f16 · (q − 16)`; the fifth bits of 32 values come first, then nibbles: low halves, then high ones."""
    fifth = np.unpackbits(blocks[:, 2:6], axis=1, bitorder="little")
    low = blocks[:, 6:]
    nibbles = np.concatenate([low & 15, low >> 4], axis=1)
    return halves(blocks[:, :2]) * ((nibbles | fifth << 4).astype(np.int64) - 16)


def q4_k(blocks):
    """`scale · s · q − minimum · m` in eight groups of 32; `s` and `m` have 6 bits, packed in 12 bytes.

    Groups 0–3 keep theirs in the low six bits of bytes 0–3 and 4–7; groups 4–7 have the low four bits in bytes 8–11 and
    the high two at the top of bytes 0–3 and 4–7.
    """
    scale, minimum = halves(blocks[:, 0:2]), halves(blocks[:, 2:4])
    a, b, c = blocks[:, 4:8], blocks[:, 8:12], blocks[:, 12:16]
    s = np.concatenate([a & 63, (c & 15) | (a >> 6) << 4], axis=1)
    m = np.concatenate([b & 63, (c >> 4) | (b >> 6) << 4], axis=1)
    # 32 bytes hold two groups: one in the low nibbles, the next in the high ones.
    pairs = blocks[:, 16:].reshape(-1, 4, 1, 32)
    q = np.concatenate([pairs & 15, pairs >> 4], axis=2).reshape(-1, 8, 32)
    return ((scale * s)[:, :, None] * q - (minimum * m)[:, :, None]).reshape(-1, 256)


def q6_k(blocks):
    """`scale · s · (q − 32)`, `s` a signed byte per 16; each half of 128 has 64 bytes of nibbles and 32 of upper bit pairs."""
    low = blocks[:, :128].reshape(-1, 2, 2, 32)
    high = blocks[:, 128:192].reshape(-1, 2, 1, 32)
    nibbles = np.concatenate([low & 15, low >> 4], axis=2)
    pairs = (high >> np.array([0, 2, 4, 6], np.uint8)[:, None]) & 3
    q = (nibbles | pairs << 4).astype(np.int64).reshape(-1, 16, 16) - 32
    scale = halves(blocks[:, 208:210]) * blocks[:, 192:208].view(np.int8)
    return (scale[:, :, None] * q).reshape(-1, 256)


DECODERS = {
    Type.F32: f32,
    Type.F16: f16,
    Type.BF16: bf16,
    Type.Q8_0: q8_0,
    Type.Q5_0: q5_0,
    Type.Q4_K: q4_k,
    Type.Q6_K: q6_k,
}


def dequantize(data, kind):
    """The float64 values of a tensor's rows as `GGUFReader` gives them: bytes `[..., row bytes]`, or values for F32 and F16."""
    kind = Type(kind)
    if kind not in DECODERS:
        raise UnknownFormat(f"no exact decoder for {kind.name}")
    data = np.ascontiguousarray(data)
    rows = data.view(np.uint8).reshape(*data.shape[:-1], -1)
    _, size = GGML_QUANT_SIZES[kind]
    return DECODERS[kind](rows.reshape(-1, size)).reshape(*rows.shape[:-1], -1)


def check(kind, blocks):
    """One decoder against the `gguf` package: its float32 values must be ours, rounded once. Returns how many are rounded."""
    ours = dequantize(blocks, kind)
    theirs = quants.dequantize(blocks, kind).reshape(ours.shape)
    finite = np.isfinite(ours) & np.isfinite(theirs)
    same = ours.astype(np.float32)[finite] == theirs[finite]
    if not same.all() or finite.sum() < ours.size // 2:
        raise SystemExit(f"{kind.name}: {(~same).sum()} of {finite.sum()} values differ from the gguf package's")
    return (ours[finite] != theirs[finite]).mean()


def main():
    if len(sys.argv) > 1:
        from safetensors.numpy import load_file

        stored = load_file(sys.argv[1])
        cases = {kind: stored.get(f"{kind.name}.blocks") for kind in DECODERS}
    else:
        random = np.random.default_rng(1)
        cases = {kind: random.integers(0, 256, (4096, GGML_QUANT_SIZES[kind][1]), np.uint8) for kind in DECODERS}
    for kind, blocks in cases.items():
        if blocks is None:
            print(f"{kind.name}: no blocks in the file")
            continue
        share = check(kind, np.atleast_2d(blocks))
        print(f"{kind.name}: the gguf package rounds {100 * share:.1f} % of the values; it agrees after rounding")


if __name__ == "__main__":
    main()
