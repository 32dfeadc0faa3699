"""Prints reference/text/class_delta.inc: characters that the `tokenizers` library (char methods of Rust, its crate
unicode_categories) puts into another class than Unicode 14 (utf8proc 2.8, Python 3.11) does: P punctuation, N numeric,
C dropped by BertNormalizer, M accents that it strips. Run: /path/to/python tests/oracle/class_delta.py > class_delta.inc"""

import unicodedata

from tokenizers import normalizers, pre_tokenizers

PUNCTUATION, DIGITS = pre_tokenizers.Punctuation(), pre_tokenizers.Digits()
PLAIN = dict(handle_chinese_chars=False, lowercase=False)
CLEAN = normalizers.BertNormalizer(clean_text=True, strip_accents=False, **PLAIN)
ACCENTS = normalizers.BertNormalizer(clean_text=False, strip_accents=True, **PLAIN)


def differs(c):
    """The classes in which the library and Unicode 14 disagree about a character."""
    char, kind = chr(c), unicodedata.category(chr(c))
    text = "a" + char + "a"
    if (len(PUNCTUATION.pre_tokenize_str(text)) == 3) != kind.startswith("P"):
        yield "P"
    if (len(DIGITS.pre_tokenize_str(text)) == 3) != kind.startswith("N"):
        yield "N"
    if (CLEAN.normalize_str(text) == "aa") != (kind in ("Cc", "Cf", "Co") or c == 0xFFFD):
        yield "C"
    stays = unicodedata.normalize("NFD", char) == char
    if stays and (ACCENTS.normalize_str(text) == "aa") != (kind == "Mn"):
        yield "M"


rows = []
for code in range(0x80, 0x110000):
    if 0xD800 <= code < 0xE000:
        continue
    for name in differs(code):
        last = next((r for r in reversed(rows) if r[2] == name), None)
        if last and last[1] == code - 1:
            last[1] = code
        else:
            rows.append([code, code, name])
print(f"// {{first, last, class}}; written by tests/oracle/class_delta.py against Unicode {unicodedata.unidata_version}.")
for first, last, name in rows:
    print(f"{{0x{first:X}, 0x{last:X}, '{name}'}},")
