"""Writes tests/fuzz/corpus/tokenizer: small files of every kind of tokenizer, good ones and broken ones, made up here.
Run from the tree's root: python3 tests/oracle/tokenizer_corpus.py"""

import base64
import json
import pathlib
import struct

OUT = pathlib.Path("tests/fuzz/corpus/tokenizer")


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, payload):
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def flag(number, value):
    return varint(number << 3) + varint(value)


def piece(text, score, kind=1):
    return field(1, field(1, text.encode()) + b"\x15" + struct.pack("<f", score) + flag(3, kind))


def model(pieces, model_type, fallback=0, normalizer=b""):
    body = b"".join(piece(*p) for p in pieces)
    return body + field(2, flag(3, model_type) + flag(35, fallback)) + field(3, normalizer)


def charsmap(replacements):
    """A double array with the one-byte keys given: unit 0 is the root, key k lies at k (offset 1 << 8 | k ...)."""
    size = 1024
    units = [0] * size
    units[0] = 256 << 10  # children of the root at 256 ^ byte
    blob = b""
    for i, (key, value) in enumerate(sorted(replacements.items())):
        at = 256 ^ key
        leaf = 512 + i
        units[at] = (at ^ leaf) << 10 | 1 << 8 | key
        units[leaf] = 1 << 31 | len(blob)
        blob += value.encode() + b"\0"
    data = struct.pack(f"<{size}I", *units)
    return struct.pack("<I", len(data)) + data + blob


SPECIAL = [("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3)]
WORDS = [("\u2581", -3.0), ("a", -2.0), ("b", -2.5), ("ab", -1.0), ("\u2581a", -1.5), ("\u2581ab", -0.5), ("\u00e9", -4.0)]
BYTES = [(f"<0x{b:02X}>", 0.0, 6) for b in range(256)]
OWN = [("<own>", 0.0, 4)]

spm = {
    "spm-unigram.model": model(SPECIAL + WORDS, 1),
    "spm-bpe.model": model(SPECIAL + [(w, -i) for i, (w, _) in enumerate(WORDS)] + OWN, 2, 0, flag(4, 0)),
    "spm-bytes.model": model(SPECIAL + BYTES + WORDS, 2, 1, flag(3, 1) + flag(4, 0)),
    "spm-charsmap.model": model(SPECIAL + WORDS, 1, 0, field(2, charsmap({ord("A"): "a", ord("B"): "b", 9: " "}))),
    "spm-no-byte.model": model(SPECIAL + BYTES[1:] + WORDS, 2, 1),
    "spm-minus-byte.model": model(SPECIAL + [("<0x-1>", 0.0, 6)] + WORDS, 2, 0),
    "spm-nan.model": model(SPECIAL + [("x", float("nan"))], 1),
    "spm-word.model": model(SPECIAL + WORDS, 3),
    "spm-unused.model": model(SPECIAL + WORDS + [("c", 0.0, 5)], 2),
}
plain = {"added_tokens": [{"id": 5, "content": "<x>", "special": True, "lstrip": True}], "normalizer": {"type": "NFC"},
         "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\s+|\\p{L}+"}, "behavior": "Isolated", "invert": False},
         "post_processor": None, "decoder": {"type": "Fuse"},
         "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, " ": 3, "aa": 4}, "merges": ["a b", "a a"]}}
unigram = plain | {"model": {"type": "Unigram", "unk_id": 0, "vocab": [["?", 0], ["a", -1], ["ab", -1.5], ["b", -2], ["c", -3]]}}
words = plain | {"normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "lowercase": True,
                                "strip_accents": None}, "pre_tokenizer": {"type": "BertPreTokenizer"},
                 "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
                 "model": {"type": "WordPiece", "unk_token": "?", "vocab": {"?": 0, "a": 1, "##b": 2, "##a": 3, "b": 4}}}
tekken = {"config": {"pattern": "\\s+|[^\\s]+", "num_vocab_tokens": 258, "default_vocab_size": 263, "default_num_special_tokens": 5,
                     "version": "v3"},
          "vocab": [{"rank": i, "token_bytes": base64.b64encode(t).decode(), "token_str": None}
                    for i, t in enumerate([bytes([b]) for b in range(256)] + [b"ab", b"abab"])]}
ranks = "".join(f"{base64.b64encode(bytes([b])).decode()} {b}\n" for b in range(256)) + "YWI= 256\n"

OUT.mkdir(parents=True, exist_ok=True)
for name, data in spm.items():
    (OUT / name).write_bytes(data)
for name, data in {"bpe.json": plain, "unigram.json": unigram, "words.json": words, "tekken.json": tekken}.items():
    (OUT / name).write_text(json.dumps(data, separators=(",", ":")))
(OUT / "bytes.tiktoken").write_text(ranks)
(OUT / "twice.tiktoken").write_text(ranks + "YWI= 256\n")
(OUT / "empty").write_text("")
