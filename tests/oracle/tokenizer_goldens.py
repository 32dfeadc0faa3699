"""Writes tests/golden/data/tokenizer_bundled.jsonl: random Unicode texts with the ids and the decoded text that the
`tokenizers` library gives for the bundled tokenizer. Run from the tree's root:
    /path/to/python tests/oracle/tokenizer_goldens.py [N] > tests/golden/data/tokenizer_bundled.jsonl
With another tokenizer.json as second argument it compares nothing and writes the same for that file."""

import json
import random
import sys

from tokenizers import Tokenizer

SPACES = [9, 10, 11, 12, 13, 32, 0x1C, 0x85, 0xA0, 0x1680, 0x180E, 0x2003, 0x200B, 0x2028, 0x202F, 0x3000]
ODD = [0, 0x200C, 0x200D, 0xFE0F, 0xFEFF, 0xFFFD, 0xFFFE, 0xFFFF, 0x10FFFF, 0x17F, 0x212A, 0x130, 0x131, 0xDF, 0x1E9E]
RANGES = [(0x20, 0x7F), (0xA0, 0x250), (0x300, 0x370), (0x370, 0x600), (0x900, 0xE00), (0x2150, 0x2190), (0x4E00, 0x9FFF),
          (0xAC00, 0xD7A3), (0xE000, 0xE100), (0x1F300, 0x1FB00), (0x31350, 0x31400), (0x16D40, 0x16D80)]
WORDS = ["the", "Hello", "I'm", "don't", "we'LL", "'S", " 123", "1234567", "3.14", "\n\n", "\r\n", "  ", "\t", "def f(x):",
         "<|", "|>", "F\u00fchrer", "<s>", "</s>", "\u2581", "<0x41>", "http://x.y/z?q=1"]


def scalar(rng):
    while True:
        c = rng.randrange(0x110000)
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def part(rng, kind, added):
    if kind == 0:
        return scalar(rng)
    if kind == 1:
        return rng.choice(WORDS) + rng.choice(["", " "])
    if kind == 2:
        return "".join(chr(rng.choice(SPACES)) for _ in range(rng.randrange(1, 4)))
    if kind == 3 and added:
        return rng.choice(["", " ", "\n", "x"]) + rng.choice(added) + rng.choice(["", " ", "x"])
    if kind == 4:
        return chr(rng.choice(ODD))
    low, high = rng.choice(RANGES)
    return "".join(chr(rng.randrange(low, high)) for _ in range(rng.randrange(1, 6)))


def texts(n, added, seed=7):
    rng = random.Random(seed)
    out = ["", " ", "\n", "a" * 200]
    while len(out) < n:
        kinds = rng.choice([[0], [1], [2], [1, 3], [1, 2, 3, 4, 5], [5], [0, 1, 2, 3, 4, 5]])
        out.append("".join(part(rng, rng.choice(kinds), added) for _ in range(rng.randrange(1, 24))))
    return out


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    path = sys.argv[2] if len(sys.argv) > 2 else "suites/data/demo/model/tokenizer.json"
    tokenizer = Tokenizer.from_file(path)
    names = [t.content for t in tokenizer.get_added_tokens_decoder().values()]
    for text in texts(count, names):
        ids = tokenizer.encode(text).ids
        row = {"text": text, "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)}
        print(json.dumps(row, separators=(",", ":")))
