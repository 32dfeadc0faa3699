#!/usr/bin/env python3
"""How fast another engine reads a prompt of 512 tokens, and how far its logits are from float64: for the row of README about SmolLM2.

    python make_smollm2_oracle.py --gguf SmolLM2-135M-Instruct.Q4_1.gguf --export FOLDER       (the oracle script of the shared material)
    python tests/oracle/prefill_speed.py float64 FOLDER                                        (transformers; keeps the logits in /tmp/prefill_speed.npz)
    assay bench --whole --for SmolLM2-135M-Instruct.Q4_1.gguf --against 'python tests/oracle/prefill_speed.py transformers FOLDER' --against-rate 'rate ([0-9.]+)'
    assay bench --whole --for SmolLM2-135M-Instruct.Q4_1.gguf --against 'python tests/oracle/prefill_speed.py llama SmolLM2-135M-Instruct.Q4_1.gguf' ...
    python tests/oracle/prefill_speed.py assay SmolLM2-135M-Instruct.Q4_1.gguf                 (the error alone; `bench` has the rate)

llama: llama.cpp through the package cyllama. Every engine reads the same four prompts of random ids; errors are of the last position's logits.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile
import time

import numpy

TOKENS, PROMPTS, KEPT = 512, 4, pathlib.Path("/tmp/prefill_speed.npz")


def prompts(vocabulary):
    return numpy.random.default_rng(1).integers(3, vocabulary, (PROMPTS, TOKENS)).tolist()


def by_transformers(path, dtype, threads):
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(threads)
    model = AutoModelForCausalLM.from_pretrained(path, dtype=getattr(torch, dtype)).eval()

    def last(ids):
        with torch.no_grad():
            return model(torch.tensor([ids]), logits_to_keep=1, use_cache=False).logits[0, -1].double().numpy()

    return model.config.vocab_size, last


def by_llama(path, threads):
    from cyllama.llama import llama_cpp as llama

    llama.disable_logging()
    parameters = llama.LlamaModelParams()
    parameters.n_gpu_layers = 0

    class Model(llama.LlamaModel):  # cyllama 0.2.18 asks its own model for what that no longer has
        n_vocab = property(lambda self: self.get_vocab().n_vocab)

    model = Model(path, parameters)
    context = llama.LlamaContextParams()
    context.n_ctx, context.n_batch, context.n_ubatch = 2 * TOKENS, TOKENS, TOKENS
    context.n_threads = context.n_threads_batch = threads
    running = llama.LlamaContext(model, context)

    def last(ids):
        (running.kv_cache_clear if hasattr(running, "kv_cache_clear") else lambda: running.memory_clear(True))()
        running.decode(llama.llama_batch_get_one(ids, 0))
        return numpy.asarray(running.get_logits_ith(-1), dtype=numpy.float64)

    return None, last


def by_assay(path, assay):
    from safetensors.numpy import load_file

    with tempfile.TemporaryDirectory() as folder:
        ids, out = pathlib.Path(folder, "ids.json"), pathlib.Path(folder, "out.safetensors")
        ids.write_text(json.dumps(numpy.load(KEPT)["ids"].tolist()))
        subprocess.run([assay, "logits", path, "--ids", ids, "--out", out], check=True, stdout=subprocess.DEVNULL)
        made = load_file(out)
        return [made[f"logits.{i}"][-1].astype(numpy.float64) for i in range(PROMPTS)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=["float64", "transformers", "llama", "assay"])
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--assay", default="build/release/bin/assay")
    given = parser.parse_args()
    if given.engine == "float64":
        vocabulary, last = by_transformers(given.model, "float64", given.threads)
        ids = prompts(vocabulary)
        numpy.savez(KEPT, ids=ids, logits=[last(one) for one in ids])
        return
    exact = numpy.load(KEPT)
    rate = ""
    if given.engine == "assay":
        logits = by_assay(given.model, given.assay)
    else:
        _, last = by_transformers(given.model, "float32", given.threads) if given.engine == "transformers" else by_llama(given.model, given.threads)
        ids = exact["ids"].tolist()
        logits = [last(one) for one in ids]  # warm by now
        seconds = []
        for _ in range(given.repetitions):
            start = time.perf_counter()
            last(ids[0])
            seconds.append(time.perf_counter() - start)
        rate = f"rate {TOKENS / sorted(seconds)[len(seconds) // 2]:.1f} tokens/s, "
    errors = [float(numpy.abs(mine - theirs).max()) for mine, theirs in zip(logits, exact["logits"])]
    print(f"{given.engine}: {rate}largest logit error {max(errors):.2g} of logits up to {numpy.abs(exact['logits']).max():.3g}")


if __name__ == "__main__":
    main()
