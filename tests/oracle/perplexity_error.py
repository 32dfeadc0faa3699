#!/usr/bin/env python3
"""How far the f32 path's perplexity is from the f64 path's, on a model and random ids (or those of a file).

    python3 tests/oracle/perplexity_error.py MODEL [--assay build/release/bin/assay] [--tokens 512] [--prompts 1] [--ids ids.json]

Runs `assay logits` three times: in f64, whose choices of experts are kept; in f32; in f32 with those choices forced, so that a tie that no
f32 program can decide does not count as an error. Prints the mean log-probability of the next token under each and the differences,
which are the differences of ln PPL. Needs numpy. Exit code 1 where the forced difference is above 1e-6.
"""
import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile

import numpy as np

TYPES = {"F32": np.float32, "F64": np.float64, "I64": np.int64}


def read_safetensors(path):
    with open(path, "rb") as f:
        (length,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(length))
        begin = 8 + length
        out = {}
        for name, entry in header.items():
            if name == "__metadata__" or entry["dtype"] not in TYPES:
                continue
            first, end = entry["data_offsets"]
            f.seek(begin + first)
            out[name] = np.frombuffer(f.read(end - first), TYPES[entry["dtype"]]).reshape(entry["shape"])
    return out


def mean_logprob(path, prompts):
    logits = read_safetensors(path)
    total, n = 0.0, 0
    for i, ids in enumerate(prompts):
        rows = logits[f"logits.{i}"].astype(np.float64)[:-1]
        top = rows.max(axis=1, keepdims=True)
        norm = top[:, 0] + np.log(np.exp(rows - top).sum(axis=1))
        total += (rows[np.arange(len(rows)), ids[1:]] - norm).sum()
        n += len(rows)
    return total / n


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model")
    p.add_argument("--assay", default="build/release/bin/assay")
    p.add_argument("--tokens", type=int, default=512)
    p.add_argument("--prompts", type=int, default=1)
    p.add_argument("--ids")
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        where = lambda name: os.path.join(folder, name)
        if a.ids:
            prompts = json.load(open(a.ids))
        else:
            inspect = subprocess.run([a.assay, "--json", "inspect", a.model], check=True, capture_output=True)
            vocabulary = json.loads(inspect.stdout).get("vocab_size")
            if vocabulary is None:
                vocabulary = json.load(open(os.path.join(a.model, "config.json")))["vocab_size"]
            rng = np.random.default_rng(a.seed)
            prompts = rng.integers(0, vocabulary, (a.prompts, a.tokens)).tolist()
        json.dump(prompts, open(where("ids.json"), "w"))
        run = lambda out, *more: subprocess.run(
            [a.assay, "--json", "logits", a.model, "--ids", where("ids.json"), "--out", where(out), *more],
            check=True, stdout=subprocess.DEVNULL)
        run("f64", "--oracle", "--trace", where("trace"))
        exact = mean_logprob(where("f64"), prompts)
        os.unlink(where("f64"))
        run("f32")
        free = mean_logprob(where("f32"), prompts)
        forced = free
        if any(name.startswith("experts.") for name in read_safetensors(where("trace"))):
            run("f32", "--force-experts", where("trace"))
            forced = mean_logprob(where("f32"), prompts)
        print(f"mean log-probability in f64 {exact:.12f}, ln PPL error of f32 {exact - free:+.2e}, with the experts of f64 {exact - forced:+.2e}")
        sys.exit(not abs(exact - forced) <= 1e-6)


if __name__ == "__main__":
    main()
