"""The logits that llama.cpp gives for some token ids, for conformance/examples/accuracy.rs.

    python llama_cpp_logits.py MODEL.gguf OUT.safetensors [COUNT [SEED]]

Reads COUNT ids (64 unless told), spread over the vocabulary or drawn with SEED, in one batch with llama-cpp-python's defaults, and writes
`tokens` (I32) and `logits` (F32, [COUNT, vocabulary]).
"""

import sys

import llama_cpp
import numpy as np
from safetensors.numpy import save_file


def main():
    model, out = sys.argv[1:3]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 64
    llm = llama_cpp.Llama(model, n_ctx=count, n_batch=count, logits_all=True, verbose=False)
    vocabulary = llm.n_vocab()
    if len(sys.argv) > 4:
        ids = np.random.default_rng(int(sys.argv[4])).integers(0, vocabulary, count).tolist()
    else:
        ids = [(i * 7919 + 13) % vocabulary for i in range(count)]
    llm.eval(ids)
    logits = np.array(llm.scores[:count], dtype=np.float32)
    save_file({"tokens": np.array(ids, dtype=np.int32), "logits": logits}, out)


if __name__ == "__main__":
    main()
