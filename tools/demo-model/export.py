"""Writes a trained demo model as a GGUF file: matrices F16 (or F32), norms F32.

    python export.py --family llama llama.npz demo-llama-f16.gguf
"""

import argparse

import gguf
import numpy as np

from tokenizer import Tokenizer

CONTEXT = 1024
# The sizes of train.py that cannot be read off the arrays.
SHAPES = {"llama": {"heads": 4, "kv": 2, "eps": 1e-5}, "gemma3": {"heads": 4, "kv": 2, "eps": 1e-6}}


def tensor_name(name):
    """'blk_3_attn_q' -> 'blk.3.attn_q.weight'."""
    if name.startswith("blk_"):
        _, layer, rest = name.split("_", 2)
        return f"blk.{layer}.{rest}.weight"
    return name + ".weight"


def token_type(sp, i):
    """The GGUF type of a piece; the newline is an ordinary piece."""
    if sp.is_unknown(i):
        return gguf.TokenType.UNKNOWN
    if sp.is_control(i):
        return gguf.TokenType.CONTROL
    if sp.is_byte(i):
        return gguf.TokenType.BYTE
    return gguf.TokenType.NORMAL


def write_tokenizer(writer, tok):
    """The vocabulary, the special ids and the chat template."""
    sp, ids = tok.sp, range(tok.size)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([sp.id_to_piece(i).encode() for i in ids])
    writer.add_token_scores([sp.get_score(i) for i in ids])
    writer.add_token_types([token_type(sp, i) for i in ids])
    writer.add_bos_token_id(tok.bos)
    writer.add_eos_token_id(tok.eos)
    writer.add_eot_token_id(tok.end)
    writer.add_unk_token_id(sp.unk_id())
    if sp.pad_id() >= 0:
        writer.add_pad_token_id(sp.pad_id())
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(tok.spec["space"])
    writer.add_chat_template(tok.spec["template"])


def write_sizes(writer, family, arrays, tok):
    """Names, sizes and constants of the architecture."""
    shape = SHAPES[family]
    dim = arrays["token_embd"].shape[1]
    head_dim = arrays["blk_0_attn_q"].shape[0] // shape["heads"]
    writer.add_name(f"Fidelis demo ({family})")
    writer.add_license("MIT OR Apache-2.0")
    writer.add_description("A tiny demo model of a small world, trained by this project's own script.")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(dim)
    writer.add_block_count(1 + max(int(k.split("_")[1]) for k in arrays if k.startswith("blk_")))
    writer.add_feed_forward_length(arrays["blk_0_ffn_gate"].shape[0])
    writer.add_head_count(shape["heads"])
    writer.add_head_count_kv(shape["kv"])
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_layer_norm_rms_eps(shape["eps"])
    writer.add_vocab_size(tok.size)
    if family == "llama":
        writer.add_rope_dimension_count(head_dim)
        writer.add_rope_freq_base(10000.0)
    else:
        writer.add_rope_freq_base(1000000.0)
        writer.add_float32("gemma3.rope.freq_base_swa", 10000.0)
        writer.add_sliding_window(64)


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=sorted(SHAPES), required=True)
    parser.add_argument("--f32", action="store_true", help="matrices as F32")
    parser.add_argument("weights")
    parser.add_argument("out")
    args = parser.parse_args()
    arrays, tok = dict(np.load(args.weights)), Tokenizer(args.family)
    writer = gguf.GGUFWriter(args.out, args.family)
    write_sizes(writer, args.family, arrays, tok)
    write_tokenizer(writer, tok)
    for name, array in sorted(arrays.items()):
        matrix = array.ndim == 2 and not args.f32
        writer.add_tensor(tensor_name(name), array.astype(np.float16 if matrix else np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(args.out, sum(a.size for a in arrays.values()), "parameters")


if __name__ == "__main__":
    main()
