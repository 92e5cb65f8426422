"""The SentencePiece tokenizer of each model family, and the chat formats.

    python tokenizer.py --family llama    # trains llama.model from the corpus
    python tokenizer.py --family gemma3
"""

import argparse
import os
import random

import sentencepiece as spm

import corpus

HERE = os.path.dirname(os.path.abspath(__file__))

LLAMA_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ '<|system|>\\n' + message['content'] | trim + '<|end|>\\n' }}"
    "{% elif message['role'] == 'user' %}{{ '<|user|>\\n' + message['content'] | trim + '<|end|>\\n' }}"
    "{% elif message['role'] == 'assistant' %}{{ '<|assistant|>\\n' + message['content'] | trim + '<|end|>\\n' }}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
)
GEMMA_TEMPLATE = (
    "{{ bos_token }}"
    "{% if messages[0]['role'] == 'system' %}{% set prefix = messages[0]['content'] | trim + '\\n\\n' %}{% set turns = messages[1:] %}"
    "{% else %}{% set prefix = '' %}{% set turns = messages %}{% endif %}"
    "{% for message in turns %}"
    "{% if message['role'] == 'assistant' %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}"
    "{{ '<start_of_turn>' + role + '\\n' }}{% if loop.first %}{{ prefix }}{% endif %}{{ message['content'] | trim + '<end_of_turn>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
)

FAMILIES = {
    "llama": {"control": ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"], "end": "<|end|>", "space": True, "template": LLAMA_TEMPLATE,
              "ids": {"unk_id": 0, "bos_id": 1, "eos_id": 2, "pad_id": -1}},
    "gemma3": {"control": ["<start_of_turn>", "<end_of_turn>"], "end": "<end_of_turn>", "space": False, "template": GEMMA_TEMPLATE,
               "ids": {"pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3}},
}


class Tokenizer:
    """Ids of raw texts and chats, the way llama.cpp makes them."""

    def __init__(self, family, path=None):
        self.family = family
        self.spec = FAMILIES[family]
        self.sp = spm.SentencePieceProcessor(model_file=path or os.path.join(HERE, family + ".model"))
        self.bos, self.eos = self.sp.bos_id(), self.sp.eos_id()
        self.end = self.sp.piece_to_id(self.spec["end"])
        self.size = self.sp.get_piece_size()

    def text(self, text, first=True):
        """Ids of a piece of plain text; `first` if it follows a control token."""
        return self.sp.encode((" " if self.spec["space"] and first else "") + text) if text else []

    def control(self, name):
        """The id of a control token."""
        return self.sp.piece_to_id(name)

    def raw(self, prefix, rest):
        """Ids and learning flags of a raw text: only `rest` and the end are learnt in full."""
        head = [self.bos] + self.text(prefix)
        tail = self.text(rest, first=False) + [self.eos]
        return head + tail, [0] * len(head) + [1] * len(tail)

    def turn(self, role, content):
        """(ids before the content, ids of the content with its end) of one message."""
        if self.family == "llama":
            return [self.control(f"<|{role}|>")] + self.text("\n"), self.text(content, first=False) + [self.end]
        role = "model" if role == "assistant" else role
        return [self.control("<start_of_turn>")] + self.text(role + "\n"), self.text(content) + [self.end]

    def chat(self, messages, generate=False):
        """Ids and learning flags of a chat; only answers are learnt in full."""
        messages = [dict(m) for m in messages]
        if self.family == "gemma3" and messages[0]["role"] == "system":
            system = messages.pop(0)["content"]
            messages[0]["content"] = system + "\n\n" + messages[0]["content"]
        ids, flags = [self.bos], [0]
        for i, message in enumerate(messages):
            before, content = self.turn(message["role"], message["content"].strip())
            newline = self.text("\n") if i + 1 < len(messages) or generate else []
            answer = int(message["role"] == "assistant")
            ids += before + content + newline
            flags += [0] * len(before) + [answer] * len(content) + [0] * len(newline)
        if generate:
            before, _ = self.turn("assistant", "")
            ids += before
            flags += [0] * len(before)
        return ids, flags

    def document(self, doc):
        """Ids and flags of a document of the corpus."""
        if doc[0] == "raw":
            return self.raw(doc[1], doc[2])
        messages = [{"role": "system", "content": doc[1]}] if doc[1] else []
        for turn in doc[2]:
            messages += [{"role": "user", "content": turn.user}, {"role": "assistant", "content": turn.answer}]
        return self.chat(messages)

    def prompt(self, item):
        """Ids of a held-out question."""
        if item["kind"] == "raw":
            return [self.bos] + self.text(item["prompt"])
        return self.chat(item["messages"], generate=True)[0]


def sentences(count, seed):
    """Lines of training text for the tokenizer."""
    rng = random.Random(seed)
    for _ in range(count):
        doc = corpus.document(rng)
        texts = [doc[1] + doc[2]] if doc[0] == "raw" else [doc[1] or ""] + [t for turn in doc[2] for t in (turn.user, turn.answer)]
        for text in texts:
            yield from (line for line in text.split("\n") if line)
    yield from corpus.WORDS


def train(family, pieces, out):
    """Trains a BPE model with byte fallback and no normalisation."""
    spec = FAMILIES[family]
    spm.SentencePieceTrainer.train(
        sentence_iterator=sentences(15000, 1), model_prefix=os.path.join(out, family), model_type="bpe", vocab_size=pieces, byte_fallback=True,
        split_digits=True, normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=False, character_coverage=1.0,
        control_symbols=spec["control"], user_defined_symbols=["\n"], num_threads=2, minloglevel=1, **spec["ids"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=sorted(FAMILIES), required=True)
    parser.add_argument("--pieces", type=int, default=2048)
    parser.add_argument("--out", default=HERE)
    args = parser.parse_args()
    train(args.family, args.pieces, args.out)
