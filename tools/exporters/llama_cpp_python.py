"""Records what llama.cpp computes, for `fidelis conformance MODEL.gguf --recording OUT.safetensors`.

    python llama_cpp_python.py MODEL.gguf OUT.safetensors --tokens 1,15043,3186

Uses llama-cpp-python's eval callback: every node of the graph is recorded under its name and operation, `Qcur-0 (ROPE)`; Fidelis has the name
map. Flash attention is off and keys and values are f32, so that every step can be seen and rounding explains nothing. With
quantised weights llama.cpp rounds activations to bytes; say so to Fidelis by `--computed-in quantised`, which is what the file then says.
Needs llama-cpp-python, numpy and safetensors.
"""

import argparse
import ctypes

import llama_cpp
import numpy as np
from safetensors.numpy import save_file

# The beginning of ggml's tensor, as ggml.h has it.
MAX_DIMS, MAX_NAME, MAX_OP_PARAMS, MAX_SRC = 4, 64, 64, 10
F32 = 0


class Tensor(ctypes.Structure):
    pass


Tensor._fields_ = [
    ("type", ctypes.c_int),
    ("buffer", ctypes.c_void_p),
    ("ne", ctypes.c_int64 * MAX_DIMS),
    ("nb", ctypes.c_size_t * MAX_DIMS),
    ("op", ctypes.c_int),
    ("op_params", ctypes.c_int32 * (MAX_OP_PARAMS // 4)),
    ("flags", ctypes.c_int32),
    ("src", ctypes.POINTER(Tensor) * MAX_SRC),
    ("view_src", ctypes.POINTER(Tensor)),
    ("view_offs", ctypes.c_size_t),
    ("data", ctypes.c_void_p),
    ("name", ctypes.c_char * MAX_NAME),
]


class Recorder:
    """Keeps every node that holds f32 rows one after another."""

    def __init__(self, library):
        self.seen = {}
        self.library = library
        library.ggml_op_desc.restype = ctypes.c_char_p
        library.ggml_op_desc.argtypes = [ctypes.c_void_p]

    def __call__(self, address, ask, _user):
        if ask:
            return True
        tensor = ctypes.cast(address, ctypes.POINTER(Tensor)).contents
        ne, nb = list(tensor.ne), list(tensor.nb)
        whole = nb[0] == 4 and all(nb[d] == nb[d - 1] * ne[d - 1] for d in range(1, 4) if ne[d] > 1)
        name = tensor.name.decode()
        if tensor.type == F32 and whole and tensor.data and not name.startswith(("node_", "norm", "cache_", "leaf_")):
            count = int(np.prod(ne))
            values = np.ctypeslib.as_array((ctypes.c_float * count).from_address(tensor.data)).copy()
            shape = [n for n in reversed(ne)]
            while len(shape) > 1 and shape[0] == 1:
                shape.pop(0)
            operation = self.library.ggml_op_desc(address).decode()
            # Reshapes show the same values again.
            if operation not in ("RESHAPE", "VIEW", "PERMUTE", "TRANSPOSE"):
                key = name if operation == "CONT" else f"{name} ({operation})"
                self.seen[key] = values.reshape(shape)
        return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("out")
    parser.add_argument("--tokens", required=True, help="ids, such as 1,15043,3186")
    options = parser.parse_args()
    tokens = [int(id) for id in options.tokens.replace(",", " ").split()]
    # ggml is loaded with it.
    library = llama_cpp.llama_cpp._lib
    recorder = Recorder(library)
    llama_cpp.llama_backend_init()
    model = llama_cpp.llama_model_load_from_file(options.model.encode(), llama_cpp.llama_model_default_params())
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = max(32, len(tokens))
    params.n_threads = params.n_threads_batch = 1
    params.type_k = params.type_v = F32
    if hasattr(params, "flash_attn_type"):
        params.flash_attn_type = 0
    callback = llama_cpp.llama_cpp.ggml_backend_sched_eval_callback(recorder)
    params.cb_eval = callback
    context = llama_cpp.llama_init_from_model(model, params)
    batch = llama_cpp.llama_batch_init(len(tokens), 0, 1)
    batch.n_tokens = len(tokens)
    for i, token in enumerate(tokens):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = token, i, 1, 0, True
    recorder.seen.clear()
    if llama_cpp.llama_decode(context, batch) != 0:
        raise SystemExit("llama.cpp could not read the ids")
    found = recorder.seen
    found["tokens"] = np.array(tokens, dtype=np.int32)
    about = {"engine": "llama.cpp", "version": llama_cpp.__version__, "tier": "f32", "cache": "f32"}
    save_file({name: np.ascontiguousarray(value) for name, value in found.items()}, options.out, metadata=about)
    print(f"{options.out}: {len(found) - 1} tensors of {len(tokens)} tokens")


if __name__ == "__main__":
    main()
