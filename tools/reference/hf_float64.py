"""Runs a GGUF model through Hugging Face transformers in float64 and keeps every checkpoint.

    python hf_float64.py MODEL.gguf IDS OUT.safetensors [--as-shipped | --leave PLACE] [--tokens N] [--layers 0,5,6]

IDS is a comma-separated list of token ids, or a .safetensors file with a `tokens` tensor. `--tokens` keeps the first N of them.
`--layers` keeps all checkpoints of those layers and `blk.i.out` of the others.

By default every conversion to float32 inside transformers is turned into one to float64 (`widen.py`) and those places are
listed; `--as-shipped` leaves transformers as it is, with float64 weights, and `--leave` only the places whose name contains
PLACE (`RMSNorm`, `RotaryEmbedding`, `eager_attention`). Architectures: llama, gemma2, gemma3, qwen2, qwen3.
"""

import argparse
import sys

import numpy as np
import torch
import transformers
from safetensors.numpy import load_file, save_file
from transformers import AutoModelForCausalLM

import record
from checkpoint import Checkpoint, Refused
from widen import Widen


def read_ids(text):
    """Token ids from a list or from a file's `tokens`."""
    if text.endswith(".safetensors"):
        return load_file(text)["tokens"].astype(np.int64)
    return np.array([int(part) for part in text.split(",")], np.int64)


def build(checkpoint):
    """The transformers model of a checkpoint, with its weights."""
    model = AutoModelForCausalLM.from_config(checkpoint.config(), dtype=torch.float64, attn_implementation="eager").eval()
    state = {name: torch.from_numpy(value) for name, value in checkpoint.state().items()}
    model.load_state_dict(state, strict=True)
    factors = checkpoint.rope_factors()
    if factors is not None:
        # transformers derives these from a config that a GGUF file does not hold; the file has them computed.
        model.model.rotary_emb.inv_freq /= torch.from_numpy(factors)
    narrow = [name for name, value in model.named_parameters() if value.dtype != torch.float64]
    if narrow:
        raise Refused(f"transformers made {narrow[0]} narrower than float64")
    return model


def evaluate(path, ids, leave=None):
    """Every checkpoint of the file at `path` for `ids`, and the places in transformers that were widened."""
    checkpoint = Checkpoint(path)
    if len(ids) == 0:
        raise Refused("there are no token ids")
    if ids.min() < 0 or ids.max() >= checkpoint.vocabulary:
        raise Refused(f"a token id is outside the vocabulary of {checkpoint.vocabulary}")
    widen = Widen(leave)
    with torch.no_grad(), widen:
        model = build(checkpoint)
        found = record.run(model, checkpoint, torch.from_numpy(ids)[None])
    return found, widen.places


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("ids")
    parser.add_argument("out")
    left = parser.add_mutually_exclusive_group()
    left.add_argument("--as-shipped", dest="leave", action="store_const", const="", help="leave all roundings to float32")
    left.add_argument("--leave", metavar="PLACE", help="leave the roundings in places with this in their name")
    parser.add_argument("--tokens", type=int, help="use only the first so many ids")
    parser.add_argument("--layers", help="keep only `out` of the layers that are not in this list")
    args = parser.parse_args()
    torch.set_num_threads(1)
    try:
        ids = read_ids(args.ids)[: args.tokens]
        found, places = evaluate(args.model, ids, args.leave)
    except (Refused, OSError, ValueError) as refused:
        sys.exit(f"{args.model}: {refused}")
    if args.layers is not None:
        kept = {int(layer) for layer in args.layers.split(",")}
        found = {name: value for name, value in found.items() if record.layer(name) in kept | {None} or name.endswith(".out")}
    found["tokens"] = ids.astype(np.int32)
    about = {
        "mode": {None: "exact", "": "as shipped"}.get(args.leave, f"exact but for {args.leave}"),
        "torch": torch.__version__.split("+")[0],
        "transformers": transformers.__version__,
    }
    save_file({name: np.ascontiguousarray(value) for name, value in found.items()}, args.out, about)
    for place, count in sorted(places.items()):
        print(f"widened {count:4} times: {place}")


if __name__ == "__main__":
    main()
