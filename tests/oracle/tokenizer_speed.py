"""Times `assay tokenize` and the `tokenizers` library, one thread each, on the same mixed text in one run: program sources,
English and Markdown as they lie around, and made-up words of eight scripts. Prints processor seconds of encoding alone
and the ratio.

    python tests/oracle/tokenizer_speed.py TOKENIZER.json [--assay build/release/bin/assay] [--megabytes 50] [--texts DIR ...]
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sysconfig
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
import tokenizers

SCRIPTS = [(0x430, 0x44F), (0x4E00, 0x5FFF), (0x3041, 0x3093), (0xAC00, 0xB3FF), (0x627, 0x64A), (0x905, 0x939), (0xE01, 0xE2E), (0xE0, 0xFF)]
PIECE = 4096  # characters a text
SUFFIXES = {".py": "code", ".c": "code", ".h": "code", ".js": "code", ".md": "prose", ".txt": "prose", ".rst": "prose", ".jsonl": "prose",
            ".json": "prose", ".csv": "prose"}


def words(rng, size):
    out, total = [], 0
    while total < size:
        low, high = rng.choice(SCRIPTS)
        text = " ".join("".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 9))) for _ in range(400))
        out.append(text[:PIECE])
        total += len(out[-1].encode())
    return out


def pieces(folders, kind, size, rng):
    files = sorted(f for d in folders for f in pathlib.Path(d).rglob("*") if SUFFIXES.get(f.suffix) == kind and f.is_file())
    rng.shuffle(files)
    out, total = [], 0
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")[:2_000_000]
        except (UnicodeDecodeError, OSError):
            continue
        for at in range(0, len(text), PIECE):
            out.append(text[at : at + PIECE])
            total += len(out[-1].encode())
        if total > size:
            break
    return out


def mixed(folders, size):
    """Two fifths code, two fifths prose, one fifth made-up words; what lies around is repeated where it is too little."""
    rng = random.Random(1)
    out = words(rng, size // 5)
    for kind in ("code", "prose"):
        part = pieces(folders, kind, size * 2 // 5, rng) or [""]
        have = sum(len(t.encode()) for t in part)
        repeats = max(1, -(-size * 2 // 5 // max(have, 1)))
        out += part * min(repeats, 40)
    rng.shuffle(out)
    total, kept = 0, []
    for text in out:
        kept.append(text)
        total += len(text.encode())
        if total >= size:
            break
    return kept


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("tokenizer")
    parser.add_argument("--assay", default="build/release/bin/assay")
    parser.add_argument("--megabytes", type=int, default=50)
    parser.add_argument("--texts", nargs="*", default=[sysconfig.get_paths()["stdlib"], sysconfig.get_paths()["purelib"]])
    options = parser.parse_args()
    texts = mixed(options.texts, options.megabytes * 1_000_000)
    size = sum(len(t.encode()) for t in texts)
    wide = sum(byte > 127 for t in texts for byte in t.encode())
    print(f"{size} bytes in {len(texts)} texts, {100 * wide / size:.0f} % of them beyond ASCII")
    library = tokenizers.Tokenizer.from_file(options.tokenizer)
    begin, count = time.process_time(), 0
    for text in texts:
        count += len(library.encode(text, add_special_tokens=False))
    theirs = time.process_time() - begin
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as lines:
        lines.writelines(json.dumps(text) + "\n" for text in texts)
        lines.flush()
        done = subprocess.run([options.assay, "tokenize", options.tokenizer, "--in", lines.name, "--no-special", "--time"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
    ours = json.loads(done.stderr.splitlines()[-1])
    assert ours["bytes"] == size and ours["tokens"] == count, "not the same tokens"
    seconds = ours["processor_seconds"]
    print(f"tokenizers {tokenizers.__version__}: {theirs:.1f} s, {size / theirs / 1e6:.2f} MB/s")
    print(f"assay: {seconds:.1f} s, {size / seconds / 1e6:.2f} MB/s")
    print(f"ratio {theirs / seconds:.1f} ({count} tokens each)")
