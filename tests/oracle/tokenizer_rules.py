"""Writes tests/golden/data/tokenizer_rules.json: one small tokenizer for each rule of tokenisation, texts, and what
the `tokenizers` library makes of them. Ids that a rule must give are also written here by hand, as `pieces`, so
that neither side can be wrong alone.

    python tests/oracle/tokenizer_rules.py        (tokenizers 0.23)
"""
import json
import pathlib

from tokenizers import Tokenizer

OUT = pathlib.Path(__file__).parent.parent / "golden/data/tokenizer_rules.json"


def bpe(tokens, merges=(), **options):
    return {"type": "BPE", "vocab": {t: i for i, t in enumerate(tokens)}, "merges": [list(m) for m in merges], **options}


def tokenizer(model, added=(), **parts):
    n = len(model["vocab"])
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
    return {"version": "1.0", "truncation": None, "padding": None, "normalizer": None, "pre_tokenizer": None, "post_processor": None,
            "decoder": None, **parts, "model": model,
            "added_tokens": [{**flags, "id": n + i, "content": c, **f} for i, (c, f) in enumerate(added)]}


def byte_characters():
    """The printable bytes stand for themselves, the others for the characters from U+0100 on, in order."""
    printable = [b for b in range(256) if 0x21 <= b <= 0x7E or 0xA1 <= b <= 0xAC or b >= 0xAE]
    rest = iter(range(256, 512))
    return [chr(b) if b in printable else chr(next(rest)) for b in range(256)]


BYTES = byte_characters()
BYTE_LEVEL = {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
              "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}}


def split(behavior, invert=False):
    return {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "-"}, "behavior": behavior, "invert": invert}}


def whole(pieces, **parts):
    """A vocabulary of whole pieces: the ids show how the text was cut."""
    return tokenizer(bpe(pieces, ignore_merges=True), **parts)


def metaspace(scheme):
    part = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": True}
    return tokenizer(bpe(["▁a", "a", "▁b", "▁", "b"], ignore_merges=True), [("<x>", {"special": True})], pre_tokenizer=part, decoder=part)


TEMPLATE = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                                                     {"SpecialToken": {"id": "</s>", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [2], "tokens": ["<s>"]}, "</s>": {"id": "</s>", "ids": [3], "tokens": ["</s>"]}}}

# name: (tokenizer, [(text, add special tokens, ids by hand or None)])
RULES = {
    "merge order": (tokenizer(bpe(["a", "b", "c", "ab", "bc", "aa"], [("b", "c"), ("a", "b"), ("a", "a")])),
                    [("abc", 0, [0, 4]), ("aaa", 0, [5, 0]), ("aab", 0, [0, 3]), ("", 0, [])]),
    "long pieces": (tokenizer(bpe(["a", "b", "c", "ab", "bc", "aa", "abc"], [("b", "c"), ("a", "b"), ("a", "bc"), ("a", "a")])),
                    [("a" * 101, 0, [5] * 50 + [0]), ("abc" * 20, 0, [6] * 20), ("aab" * 20, 0, [0, 3] * 20)]),
    "byte characters": (tokenizer(bpe(BYTES), **BYTE_LEVEL),
                        [("\x00\x1f !~\x7f", 0, [0, 0x1F, 0x20, 0x21, 0x7E, 0x7F]), ("\u00ad\u00a0", 0, [0xC2, 0xAD, 0xC2, 0xA0]),
                         ("é€𝄞", 0, list("é€𝄞".encode()))]),
    "ignore merges": (tokenizer(bpe(["a", "b", "ab", "bab"], [("a", "b")], ignore_merges=True)), [("bab", 0, [3]), ("abab", 0, [2, 2])]),
    "byte fallback": (tokenizer(bpe(["a", "<unk>"] + [f"<0x{b:02X}>" for b in range(256)], byte_fallback=True, unk_token="<unk>"),
                                decoder={"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]}),
                      [("aé", 0, [0, 2 + 0xC3, 2 + 0xA9]), ("\u00af", 0, [2 + 0xC2, 2 + 0xAF]), ("€a", 0, None)]),
    "unknown": (tokenizer(bpe(["a", "<unk>"], unk_token="<unk>")), [("axxa", 0, [0, 1, 1, 0]), ("x", 0, [1])]),
    "unknown fused": (tokenizer(bpe(["a", "<unk>"], unk_token="<unk>", fuse_unk=True)), [("axxa", 0, [0, 1, 0]), ("xax", 0, [1, 0, 1])]),
    "added longest": (tokenizer(bpe(["a", "b"]), [("ab", {}), ("aba", {}), ("ba", {})]),
                      [("abab", 0, [3, 1]), ("bab", 0, [4, 1]), ("aab", 0, [0, 2])]),
    "added single word": (tokenizer(bpe(["a", "b", " ", "é", "-"]), [("ab", {"single_word": True})]),
                          [("ab", 0, [5]), ("a ab-", 0, [0, 2, 5, 4]), ("aab", 0, [0, 0, 1]), ("abé", 0, [0, 1, 3]), ("éab", 0, [3, 0, 1])]),
    "added strip": (tokenizer(bpe(["a", " ", "\u3000"]), [("<l>", {"lstrip": True}), ("<r>", {"rstrip": True})]),
                    [("a  <l> a", 0, [0, 3, 1, 0]), ("a <r> \u3000a", 0, [0, 1, 4, 0]), ("<r> <l>", 0, [4, 3])]),
    "added normalized": (tokenizer(bpe(["a", "b", "c", "x"]), [("xc", {"normalized": True})],
                                   normalizer={"type": "Replace", "pattern": {"String": "c"}, "content": "b"}),
                         [("axc", 0, [0, 4]), ("axb", 0, [0, 4]), ("cb", 0, [1, 1])]),
    "template": (tokenizer(bpe(["a", "b"]), [("<s>", {"special": True}), ("</s>", {"special": True})], post_processor=TEMPLATE),
                 [("ab", 1, [2, 0, 1, 3]), ("ab", 0, [0, 1]), ("", 1, [2, 3]), ("<s>a", 1, [2, 2, 0, 3])]),
    "digits alone": (whole(["a", "1", "2", "12"], pre_tokenizer={"type": "Digits", "individual_digits": True}), [("a12", 0, [0, 1, 2])]),
    "digits together": (whole(["a", "1", "2", "12"], pre_tokenizer={"type": "Digits", "individual_digits": False}), [("a12a", 0, [0, 3, 0])]),
    "byte level": (whole(["a", "Ġ", "ĠĠ", "Ġb", "b", "12", "Ġ12", "'s", "Ċ", "ĠĠĠ", "!", "1"],
                         pre_tokenizer={"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
                         decoder={"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}),
                   [("a   b", 0, [0, 2, 3]), ("a's 12", 0, [0, 7, 6]), ("a12!", 0, [0, 5, 10]), ("a  ", 0, [0, 2])]),
    "split isolated": (whole(["a", "-", "--", "b", "a-", "-b"], **split("Isolated")), [("a--b", 0, [0, 1, 1, 3])]),
    "split removed": (whole(["a", "-", "--", "b", "a-", "-b"], **split("Removed")), [("a--b", 0, [0, 3])]),
    "split previous": (whole(["a", "-", "--", "b", "a-", "-b"], **split("MergedWithPrevious")), [("a--b", 0, [4, 1, 3])]),
    "split next": (whole(["a", "-", "--", "b", "a-", "-b"], **split("MergedWithNext")), [("a--b", 0, [0, 1, 5])]),
    "split contiguous": (whole(["a", "-", "--", "b", "a-", "-b"], **split("Contiguous")), [("a--b", 0, [0, 2, 3])]),
    "metaspace always": (metaspace("always"), [("a b", 0, [0, 2]), ("a<x>a", 0, [0, 5, 0]), (" a", 0, [0])]),
    "metaspace first": (metaspace("first"), [("a b", 0, [0, 2]), ("a<x>a", 0, [0, 5, 1])]),
    "metaspace never": (metaspace("never"), [("a b", 0, [1, 2]), ("a<x>a", 0, [1, 5, 1])]),
    "nfc": (tokenizer(bpe(["é", "ﬁ", "f", "i", "e", "\u0301"]), normalizer={"type": "NFC"}), [("e\u0301", 0, [0]), ("ﬁ", 0, [1]), ("fi", 0, [2, 3])]),
}

# The library (0.23) decodes a normalized added token to what normalization makes of it, we to what it is: not compared.
DECODED_OTHERWISE = {"added normalized"}

out = {}
for name, (spec, cases) in RULES.items():
    library = Tokenizer.from_str(json.dumps(spec))
    rows = []
    for text, special, by_hand in cases:
        ids = library.encode(text, add_special_tokens=bool(special)).ids
        assert by_hand is None or ids == by_hand, (name, text, ids, by_hand)
        rows.append({"text": text, "special": bool(special), "ids": ids})
        if name not in DECODED_OTHERWISE:
            rows[-1]["decoded"] = library.decode(ids, skip_special_tokens=False)
            rows[-1]["plain"] = library.decode(ids, skip_special_tokens=True)
    out[name] = {"tokenizer": spec, "cases": rows}
OUT.write_text(json.dumps(out, ensure_ascii=True, separators=(",", ":")) + "\n")
print(len(out), "rules")
