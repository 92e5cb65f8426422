"""A GGUF file as transformers would have it: a config, and weights under its names, in its order, in float64."""

import numpy as np
from gguf import GGUFReader
from transformers import Gemma2Config, Gemma3TextConfig, LlamaConfig, Qwen2Config, Qwen3Config

from blocks import UnknownFormat, dequantize

CONFIGS = {
    "llama": LlamaConfig,
    "gemma2": Gemma2Config,
    "gemma3": Gemma3TextConfig,
    "qwen2": Qwen2Config,
    "qwen3": Qwen3Config,
}

# A tensor's name within a layer, here and there. Gemma norms before and after each half, so its names mean other places.
PARTS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
GEMMA_PARTS = PARTS | {
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
WHOLE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}

# Gemma's period of sliding and global layers, and the depth of the one size whose query scale is its own.
PATTERNS = {"gemma2": 2, "gemma3": 6}
SPECIAL_DEPTHS = {"gemma2": 46, "gemma3": 62}


class Refused(Exception):
    """The file asks for something that this program does not compute."""


class Checkpoint:
    """Metadata and float64 tensors of the file at `path`."""

    def __init__(self, path):
        reader = GGUFReader(path)
        self.fields = {key: field.contents() for key, field in reader.fields.items()}
        self.arch = self.fields["general.architecture"]
        if self.arch not in CONFIGS:
            raise Refused(f"the architecture {self.arch} is none of {', '.join(CONFIGS)}")
        self.gemma = self.arch.startswith("gemma")
        try:
            self.tensors = {t.name: dequantize(t.data, t.tensor_type) for t in reader.tensors}
        except UnknownFormat as unknown:
            raise Refused(str(unknown)) from unknown
        self.vocabulary, self.width = self.tensors["token_embd.weight"].shape
        self.heads = self.key("attention.head_count")
        self.kv_heads = self.key("attention.head_count_kv", self.heads)
        self.head_width = self.key("attention.key_length", self.width // self.heads)
        self.refuse_the_rest()

    def key(self, name, default=None):
        """The metadata value `{architecture}.{name}`. An f32 comes widened to float64, not as the decimal it was made from."""
        value = self.fields.get(f"{self.arch}.{name}", default)
        if value is None:
            raise Refused(f"no metadata key {self.arch}.{name}")
        return value

    def optional(self, name):
        return self.fields.get(f"{self.arch}.{name}")

    def refuse_the_rest(self):
        """Metadata that would change the result and is not handled."""
        if self.optional("rope.scaling.type") not in (None, "none"):
            raise Refused(f"rope scaling {self.optional('rope.scaling.type')!r} is not handled")
        for name in ("attention.scale", "expert_count"):
            if self.optional(name):
                raise Refused(f"{self.arch}.{name} is not handled")
        if self.optional("attention.sliding_window") and not self.gemma:
            raise Refused("a sliding window outside Gemma is not handled")
        for name in ("rope.dimension_count", "attention.value_length"):
            if self.optional(name) not in (None, self.head_width):
                raise Refused(f"{self.arch}.{name} differs from the width of a head")

    def config(self):
        """The transformers config that the metadata describe."""
        base = self.key("rope.freq_base", 10000.0)
        common = dict(
            vocab_size=self.vocabulary,
            hidden_size=self.width,
            intermediate_size=self.key("feed_forward_length"),
            num_hidden_layers=self.key("block_count"),
            num_attention_heads=self.heads,
            num_key_value_heads=self.kv_heads,
            head_dim=self.head_width,
            max_position_embeddings=self.key("context_length"),
            rms_norm_eps=self.key("attention.layer_norm_rms_epsilon"),
            rope_parameters=self.rope(base),
            tie_word_embeddings="output.weight" not in self.tensors,
            pad_token_id=None,
        )
        if not self.gemma:
            return CONFIGS[self.arch](**common)
        pattern = self.fields.get(f"{self.arch}.attention.sliding_window_pattern", PATTERNS[self.arch])
        layers = range(common["num_hidden_layers"])
        special = len(layers) == SPECIAL_DEPTHS[self.arch]
        return CONFIGS[self.arch](
            **common,
            sliding_window=self.key("attention.sliding_window"),
            layer_types=["sliding_attention" if i % pattern < pattern - 1 else "full_attention" for i in layers],
            query_pre_attn_scalar=self.width // self.heads if special else self.head_width,
            attn_logit_softcapping=self.optional("attn_logit_softcapping"),
            final_logit_softcapping=self.optional("final_logit_softcapping"),
        )

    def rope(self, base):
        if self.arch != "gemma3":
            return {"rope_type": "default", "rope_theta": base}
        local = self.key("rope.freq_base_swa", 10000.0)
        return {
            "full_attention": {"rope_type": "default", "rope_theta": base},
            "sliding_attention": {"rope_type": "default", "rope_theta": local},
        }

    def rope_factors(self):
        """What the frequencies of the pairs are divided by, or `None`."""
        return self.tensors.get("rope_freqs.weight")

    def pairs(self, rows):
        """For a llama query or key of so many rows, the GGUF row of each row of transformers'.

        GGUF's llama turns neighbours (2j, 2j + 1), transformers (j, j + half): the converter reorders each head's rows.
        """
        order = np.arange(rows).reshape(-1, self.head_width // 2, 2)
        return order.swapaxes(1, 2).reshape(-1)

    def state(self):
        """All weights, as transformers names and lays them out."""
        state = {}
        for name, value in self.tensors.items():
            if name == "rope_freqs.weight":
                continue
            stem, kind = name.rsplit(".", 1)
            if stem.startswith("blk."):
                _, layer, part = stem.split(".")
                parts = GEMMA_PARTS if self.gemma else PARTS
                target = parts.get(part) and f"model.layers.{layer}.{parts[part]}"
            else:
                part, target = stem, WHOLE.get(stem)
            if target is None:
                raise Refused(f"the tensor {name} has no place in transformers' {self.arch}")
            if self.arch == "llama" and part in ("attn_q", "attn_k"):
                value = value[self.pairs(len(value))]
            if self.gemma and part.endswith("_norm"):
                # The converter added the 1 that transformers adds again; in float64 taking it off is exact.
                value = value - 1.0
            state[f"{target}.{kind}"] = value
        state.setdefault("lm_head.weight", state["model.embed_tokens.weight"])
        return state
