"""Asks a demo model's GGUF file the held-out questions, through llama.cpp.

Needs the Python package llama-cpp-python (or its sources on PYTHONPATH with
LLAMA_CPP_LIB_PATH naming the folder of libllama).

    python evaluate.py --family llama demo-llama-f16.gguf              # greedy
    python evaluate.py --family llama --sample demo-llama-f16.gguf     # temperature 0.8

An answer is right if it holds one of the accepted substrings; a raw completion
is right if it starts with one. `exact` counts answers equal to the canonical
one. Also checked: llama.cpp's ids of the rendered chat template equal the
training ids.
"""

import argparse
import collections
import json

import jinja2
import llama_cpp

from tokenizer import Tokenizer

SAMPLING = {"temp": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05, "repeat_penalty": 1.0}
GREEDY = {"temp": 0.0, "repeat_penalty": 1.0}


def load(path, no_repack):
    """Opens the model; `no_repack` turns llama.cpp's weight repacking off."""
    defaults = llama_cpp.llama_model_default_params

    def params():
        values = defaults()
        values.use_extra_bufts = not no_repack
        return values

    llama_cpp.llama_cpp.llama_model_default_params = params
    return llama_cpp.Llama(path, n_ctx=1024, n_threads=1, n_threads_batch=1, seed=1, verbose=False)


def render(tok, item):
    """The prompt text that the chat template gives, or the raw prompt."""
    if item["kind"] == "raw":
        return item["prompt"]
    template = jinja2.Environment().from_string(tok.spec["template"])
    return template.render(messages=item["messages"], bos_token=tok.sp.id_to_piece(tok.bos), add_generation_prompt=True)


def engine_ids(llm, tok, item):
    """llama.cpp's ids of a prompt: one bos, wherever it comes from."""
    text = render(tok, item)
    add_bos = not text.startswith(tok.sp.id_to_piece(tok.bos))
    return llm.tokenize(text.encode(), add_bos=add_bos, special=item["kind"] == "chat")


def answer(llm, tok, ids, settings, limit=160):
    """The model's answer."""
    llm.reset()
    out = []
    for token in llm.generate(ids, **settings):
        if token in (tok.eos, tok.end) or len(out) >= limit:
            break
        out.append(token)
    return llm.detokenize(out, prev_tokens=ids).decode(errors="replace").strip()


def right(item, text):
    """Whether the answer is accepted."""
    if item["kind"] == "raw":
        return any(text.startswith(a) for a in item["accept"])
    return any(a in text for a in item["accept"])


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=("llama", "gemma3"), required=True)
    parser.add_argument("--sample", action="store_true", help="sample as the chat does instead of greedily")
    parser.add_argument("--questions", default="held-out.jsonl")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="ask only every Nth question")
    parser.add_argument("--misses", action="store_true", help="print the wrong answers")
    parser.add_argument("--no-repack", action="store_true", help="for llama.cpp builds whose repacked kernels fail")
    parser.add_argument("gguf")
    args = parser.parse_args()
    tok = Tokenizer(args.family)
    llm = load(args.gguf, args.no_repack)
    settings = SAMPLING if args.sample else GREEDY
    total, good, exact, id_faults = collections.Counter(), collections.Counter(), 0, 0
    with open(args.questions, encoding="utf-8") as f:
        items = [json.loads(line) for line in f][:: args.every]
    for item in items:
        ids = engine_ids(llm, tok, item)
        id_faults += ids != tok.prompt(item)
        text = answer(llm, tok, ids, settings)
        ok = right(item, text)
        name = "raw" if item["kind"] == "raw" else item["category"]
        for key in (name, "held out by " + item["held"], "ALL"):
            total[key] += 1
            good[key] += ok
        exact += text == item["answer"]
        if args.misses and not ok:
            question = item["prompt"] if item["kind"] == "raw" else item["messages"][-1]["content"]
            print(f"[{item['category']}] {question!r} -> {text!r}, wanted {item['accept']}")
    for key in sorted(total):
        print(f"{100 * good[key] / total[key]:6.1f} %  {good[key]:4d} of {total[key]:4d}  {key}")
    print(f"{100 * exact / len(items):6.1f} %  exactly the canonical answer")
    print(f"prompts whose llama.cpp ids differ from the training ids: {id_faults} of {len(items)}")


if __name__ == "__main__":
    main()
