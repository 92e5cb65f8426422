"""The logits that llama.cpp gives for some token ids, for conformance/examples/accuracy.rs.

    python llama_cpp_logits.py MODEL.gguf OUT.safetensors [COUNT]

Reads COUNT ids (64 unless told), spread over the vocabulary, in one batch with llama-cpp-python's defaults, and writes
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
    ids = [(i * 7919 + 13) % vocabulary for i in range(count)]
    llm.eval(ids)
    logits = np.array(llm.scores[:count], dtype=np.float32)
    save_file({"tokens": np.array(ids, dtype=np.int32), "logits": logits}, out)


if __name__ == "__main__":
    main()
