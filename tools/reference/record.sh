#!/bin/sh
# Records conformance/oracle/NAME.f64.safetensors, each below 3 MB: the 512-wide models with fewer tokens (still more than the
# sliding window of 8) and, of Gemma 3, the first, a global and the last layer. PYTHON names the interpreter.
set -eu
cd "$(dirname "$0")/../../conformance/oracle"
record() {
    name=$1
    shift
    "${PYTHON:-python3}" ../../tools/reference/hf_float64.py "$name.gguf" "$name.ref.safetensors" "$name.f64.safetensors" "$@"
    chmod 644 "$name.f64.safetensors"
}
for name in llama-f32 llama3-f32 gemma2-f32 gemma3-f32 qwen2-f32 qwen3-f32; do
    record "$name"
done
record llama-q4_k_m --tokens 15
record gemma3-q4_k_m --tokens 12 --layers 0,5,6
