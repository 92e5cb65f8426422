"""How far one recording of a model is from another: worst relative L2 over the layers, per kind of checkpoint.

    python compare.py TRUTH.safetensors:OTHER.safetensors…

Prints a table with a column per pair, headed by the first part of the truth's name. The other file may have more tokens (attention is causal, so the first ones are the same),
more layers, padded score columns and no dimensions of 1. Of scores and probabilities those that a query sees count.
"""

import pathlib
import re
import sys

import numpy as np
from safetensors.numpy import load_file

ORDER = """token_embd attn_norm attn_q attn_q.bias attn_q.norm attn_q.rope attn_k attn_k.bias attn_k.norm attn_k.rope attn_v
attn_v.bias attn_scores attn_probs attn_heads attn_output attn_post_norm attn_residual ffn_norm ffn_gate ffn_up ffn_act ffn_down
ffn_post_norm out output_norm logits""".split()


def kind(name):
    return re.sub(r"^blk\.\d+\.", "", name)


def fitted(value, truth, is_square):
    """The part of `value` that `truth` has, in its shape."""
    if is_square:
        return value[:, : truth.shape[1], : truth.shape[2]]
    return value[: truth.shape[0]].reshape(truth.shape)


def distances(truth, other):
    """Kind of checkpoint → worst `|other − truth| / |truth|` over the layers, in the 2-norm."""
    tokens = truth["tokens"]
    if not np.array_equal(tokens, other["tokens"][: len(tokens)]):
        raise SystemExit("the recordings are of different tokens")
    worst = {}
    for name, value in truth.items():
        if name == "tokens" or name not in other:
            continue
        is_square = kind(name) in ("attn_scores", "attn_probs")
        value, found = value.astype(np.float64), fitted(other[name], value, is_square).astype(np.float64)
        if is_square:
            seen = truth[name.replace("attn_scores", "attn_probs")] > 0
            value, found = value[seen], found[seen]
        distance = np.linalg.norm(found - value) / np.linalg.norm(value)
        if not np.isfinite(distance):
            raise SystemExit(f"{name}: not a number")
        worst[kind(name)] = max(worst.get(kind(name), 0.0), distance)
    return worst


def main(*pairs):
    columns, heads = [], []
    for pair in pairs:
        truth, other = pair.split(":")
        columns.append(distances(load_file(truth), load_file(other)))
        heads.append(pathlib.PurePath(truth).name.split(".")[0])
    kinds = [name for name in ORDER if any(name in column for column in columns)]
    unknown = {name for column in columns for name in column} - set(ORDER)
    if unknown or not all(columns):
        raise SystemExit(f"nothing to compare, or unknown checkpoints: {sorted(unknown)}")
    show = lambda cells: print("| " + " | ".join(cells) + " |")
    show(["checkpoint", *heads])
    show(["---"] * (1 + len(heads)))
    for name in kinds + ["worst"]:
        cells = [max(column.values()) if name == "worst" else column.get(name) for column in columns]
        show([name, *("–" if cell is None else f"{cell:.1e}" for cell in cells)])


if __name__ == "__main__":
    if len(sys.argv) < 2 or not all(argument.count(":") == 1 for argument in sys.argv[1:]):
        sys.exit(__doc__)
    main(*sys.argv[1:])
