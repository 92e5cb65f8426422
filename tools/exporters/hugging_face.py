"""Records what a Hugging Face model computes, for `fidelis conformance MODEL.gguf --recording OUT.safetensors`.

    python hugging_face.py MODEL OUT.safetensors --tokens 1,15043,3186 [--dtype float32]

MODEL is a folder or a name that transformers loads. Feed the ids that the other engine reads, not the text. Every module's output is
recorded under its path (`model.layers.0.self_attn.q_proj`), and of the output projections their input; Fidelis has the name map,
and puts Llama's queries and keys into GGUF's order itself. Needs torch, transformers and safetensors.
"""

import argparse

import torch
import transformers
from safetensors.torch import save_file

OUTPUTS = ("input_layernorm q_proj k_proj v_proj q_norm k_norm o_proj post_attention_layernorm pre_feedforward_layernorm "
           "post_feedforward_layernorm gate_proj up_proj down_proj embed_tokens norm lm_head").split()
INPUTS = ("o_proj", "down_proj")


def rows(value, tokens):
    """A row for each token, without the batch of one; heads become part of the row again."""
    value = value.detach()[0]
    # Some models norm heads before they put them before the tokens, some after: the memory is still that of the projection.
    if value.dim() == 3 and value.shape[1] == tokens and value.stride(0) < value.stride(1):
        value = value.transpose(0, 1)
    return value.reshape(tokens, -1).contiguous().cpu()


def record(model, tokens):
    """Tensors by module path, of one forward pass."""
    seen, handles = {}, []

    def keep(name, value, like=None):
        value = value[0] if isinstance(value, tuple) else value
        if like is not None and like.shape == value.shape and like.dim() == 4:
            # The result of a norm is contiguous; what it was given shows where the heads are.
            value = torch.empty_strided(like.shape, like.stride(), dtype=value.dtype, device=value.device).copy_(value)
        seen[name] = rows(value, len(tokens))

    def watch(name, module):
        last = name.split(".")[-1]
        layer = name.split(".")[-2] == "layers" if "." in name else False
        if last in OUTPUTS or layer:
            handles.append(module.register_forward_hook(lambda _m, args, out, name=name: keep(name, out, args[0] if args else None)))
        if last in INPUTS:
            handles.append(module.register_forward_pre_hook(lambda _m, args, name=name: keep(f"{name}.input", args[0])))

    for name, module in model.named_modules():
        watch(name, module)
    with torch.no_grad():
        model(input_ids=torch.tensor([tokens]), use_cache=False)
    for handle in handles:
        handle.remove()
    return seen


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("out")
    parser.add_argument("--tokens", required=True, help="ids, such as 1,15043,3186")
    parser.add_argument("--dtype", default="float32", choices=["float64", "float32", "bfloat16", "float16"])
    options = parser.parse_args()
    tokens = [int(id) for id in options.tokens.replace(",", " ").split()]
    dtype = getattr(torch, options.dtype)
    model = transformers.AutoModelForCausalLM.from_pretrained(options.model, attn_implementation="eager")
    seen = record(model.to(dtype).eval(), tokens)
    seen["tokens"] = torch.tensor(tokens, dtype=torch.int32)
    tier = {"float64": "f64", "float32": "f32", "bfloat16": "bf16", "float16": "f16"}[options.dtype]
    about = {"engine": "transformers", "version": transformers.__version__, "tier": tier}
    save_file(seen, options.out, metadata=about)
    print(f"{options.out}: {len(seen) - 1} tensors of {len(tokens)} tokens")


if __name__ == "__main__":
    main()
