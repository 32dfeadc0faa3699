"""Prints reference/text/unicode_delta.inc: characters that the `tokenizers` library's regex engine classifies and
Unicode 14 (PCRE2 10.42, Python 3.11) does not. Run: /path/to/python tests/oracle/unicode_delta.py > unicode_delta.inc"""

import unicodedata

from tokenizers import Regex, pre_tokenizers

CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf".split()


def members(pattern, pool):
    split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    return {c for c in pool if split.pre_tokenize_str(chr(c))}


def ranges(codes):
    out = []
    for c in sorted(codes):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


pool = [c for c in range(0x110000) if unicodedata.category(chr(c)) == "Cn"]
rows = [(a, b, k) for k in CATEGORIES for a, b in ranges(members(r"\p{%s}" % k, pool))]
rows += [(a, b, k) for k in ("Han", "Hiragana", "Katakana", "Hangul") for a, b in ranges(members(r"\p{%s}" % k, pool))]
print(f"// {{first, last, property}}; written by tests/oracle/unicode_delta.py against Unicode {unicodedata.unidata_version}.")
for a, b, k in rows:
    print(f'{{0x{a:X}, 0x{b:X}, "{k}"}},')
