"""Records a transformers model's intermediates under our checkpoint names and in our layouts.

Queries and keys are `[tokens, heads, width]` once their heads are apart, scores and probabilities `[heads, tokens, tokens]`, all
else `[tokens, width]`. Llama's queries and keys are put back into GGUF's order of pairs. Scores are before the mask; Gemma's
carry the query's scale but not Gemma 2's cap, the others' are before the scale.
"""

import sys

import numpy as np
import torch


def layer(name):
    """The layer that a checkpoint belongs to, or `None`."""
    return int(name.split(".")[1]) if name.startswith("blk.") else None


class Recorder:
    def __init__(self, model, checkpoint):
        self.found = {}
        self.model, self.checkpoint = model, checkpoint
        self.handles = []

    def keep(self, name, value):
        if name in self.found:
            raise AssertionError(f"{name} was seen twice")
        self.found[name] = value.detach().to(torch.float64).numpy().copy()

    def output(self, module, name, change=lambda value: value):
        """Keeps what a module gives, of the only sequence in the batch."""
        hook = lambda _module, _args, out: self.keep(name, change(out[0]))
        self.handles.append(module.register_forward_hook(hook))

    def input(self, module, name):
        hook = lambda _module, args: self.keep(name, args[0][0])
        self.handles.append(module.register_forward_pre_hook(hook))

    def reorder(self, value):
        """Llama's `[..., rows]` back into GGUF's order."""
        if self.checkpoint.arch != "llama":
            return value
        order = self.checkpoint.pairs(value.shape[-1])
        return value[..., torch.from_numpy(np.argsort(order))]

    def projection(self, linear, name, change):
        """A product, and with a bias what follows it."""
        if linear.bias is None:
            return self.output(linear, name, change)

        def hook(module, args, out):
            self.keep(name, change(torch.nn.functional.linear(args[0][0], module.weight)))
            self.keep(f"{name}.bias", change(out[0]))

        self.handles.append(linear.register_forward_hook(hook))

    def watch_layer(self, i, block):
        name = lambda part: f"blk.{i}.{part}"
        same = lambda value: value
        attention, mlp = block.self_attn, block.mlp
        self.output(block.input_layernorm, name("attn_norm"))
        for part, change in (("q", self.reorder), ("k", self.reorder), ("v", same)):
            self.projection(getattr(attention, f"{part}_proj"), name(f"attn_{part}"), change)
        for part in "qk":
            if hasattr(attention, f"{part}_norm"):
                # Gemma 3 norms [heads, tokens, width], Qwen 3 [tokens, heads, width].
                change = (lambda value: value.transpose(0, 1)) if self.checkpoint.gemma else same
                self.output(getattr(attention, f"{part}_norm"), name(f"attn_{part}.norm"), change)
        self.input(attention.o_proj, name("attn_heads"))
        self.output(attention.o_proj, name("attn_output"))
        if self.checkpoint.gemma:
            self.output(block.post_attention_layernorm, name("attn_post_norm"))
            self.output(block.post_feedforward_layernorm, name("ffn_post_norm"))
            before = block.pre_feedforward_layernorm
        else:
            before = block.post_attention_layernorm
        self.input(before, name("attn_residual"))
        self.output(before, name("ffn_norm"))
        self.output(mlp.gate_proj, name("ffn_gate"))
        self.output(mlp.up_proj, name("ffn_up"))
        self.input(mlp.down_proj, name("ffn_act"))
        self.output(mlp.down_proj, name("ffn_down"))
        self.output(block, name("out"))

    def attend(self, module, query, key, value, mask, **rest):
        """Stands before transformers' eager attention, which does the work."""
        i = module.layer_idx
        self.keep(f"blk.{i}.attn_q.rope", self.reorder(query[0].transpose(0, 1)))
        self.keep(f"blk.{i}.attn_k.rope", self.reorder(key[0].transpose(0, 1)))
        scores = query[0] @ key[0].repeat_interleave(module.num_key_value_groups, 0).transpose(1, 2)
        self.keep(f"blk.{i}.attn_scores", scores * module.scaling if self.checkpoint.gemma else scores)
        output, probs = self.eager(module, query, key, value, mask, **rest)
        self.keep(f"blk.{i}.attn_probs", probs[0])
        return output, probs

    def run(self, ids):
        model = self.model.model
        self.output(model.embed_tokens, "token_embd")
        for i, block in enumerate(model.layers):
            self.watch_layer(i, block)
        self.output(model.norm, "output_norm")
        code = sys.modules[type(self.model).__module__]
        self.eager, code.eager_attention_forward = code.eager_attention_forward, self.attend
        try:
            logits = self.model(input_ids=ids, use_cache=False).logits
        finally:
            code.eager_attention_forward = self.eager
            for handle in self.handles:
                handle.remove()
        self.keep("logits", logits[0])
        return self.found


def run(model, checkpoint, ids):
    """All checkpoints of one pass over `ids` (`[1, tokens]`)."""
    return Recorder(model, checkpoint).run(ids)
