#!/usr/bin/env python3
"""lm-evaluation-harness 0.4.13 (HF backend) on a real trained model, for tests/golden/test_smollm2_lm_eval.cc: SmolLM2-135M-Instruct, the Q4_1
file that tests/oracle/fetch_smollm2.sh fetches, dequantised to a folder by the oracle script of the shared material:

    python make_smollm2_oracle.py --gguf SmolLM2-135M-Instruct.Q4_1.gguf --export FOLDER
    HF_HUB_OFFLINE=1 python tests/oracle/make_smollm2_lm_eval_goldens.py FOLDER --data ../shared/data

100 items of MMLU in cloze form with acc, acc_norm, acc_bytes and mutual information (float64; the likelihoods in float32 beside them), bits per byte
of 12 texts (float64), 30 items of GSM8K with five examples, greedy (float32). Of every generated text the smallest gap between the two likeliest tokens is kept (float64, one pass over
prompt and answer), because where it is a near tie two float32 programs may part.

What is written holds ids, digests of the prompts, likelihoods and the model's own texts, no text of the data sets.
"""
import argparse
import csv
import gzip
import hashlib
import io
import json
import pathlib
import zipfile

import torch
from lm_eval.api.task import ConfigurableTask
from lm_eval.models.huggingface import HFLM

ROOT = pathlib.Path(__file__).resolve().parents[2]
N_MMLU, N_GSM8K, N_TEXTS, N_SHOTS = 100, 30, 12, 5
METRICS = ["acc", "acc_norm", "acc_bytes", "acc_mutual_info"]


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def mmlu_rows(data):
    """All rows in the order in which the suite's definition reads them: members by name."""
    rows = []
    with zipfile.ZipFile(data / "mmlu/mmlu.zip") as archive:
        for name in sorted(n for n in archive.namelist() if n.startswith("data/test/") and n.endswith("_test.csv")):
            for row in csv.reader(io.StringIO(archive.read(name).decode())):
                rows.append(dict(id=f"mmlu-test-{len(rows)}", question=row[0], choices=row[1:5], answer="ABCD".index(row[5])))
    return rows[:: len(rows) // N_MMLU][:N_MMLU]


def gsm8k_rows(data):
    with gzip.open(data / "gsm8k/test.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    for place, row in enumerate(rows):
        row["id"] = f"gsm8k-main-test-#{place}"
    asked = rows[N_SHOTS :: (len(rows) - N_SHOTS) // N_GSM8K][:N_GSM8K]
    return rows[:N_SHOTS], asked


def task(folder, name, rows, **config):
    path = folder / f"{name}.json"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ConfigurableTask(config=dict(task=name, dataset_path="json", dataset_kwargs={"data_files": {"test": str(path)}}, test_split="test", **config))


def choices(model, folder, rows):
    mc = task(folder, "cloze", rows, output_type="multiple_choice", doc_to_text="Question: {{question}}\nAnswer:", doc_to_choice="{{choices}}", doc_to_target="{{answer}}",
              metric_list=[dict(metric=m) for m in METRICS])
    made = []
    for row in mc.eval_docs:
        context = mc.doc_to_text(row)
        requests = mc.construct_requests(row, context, metadata=("cloze", 0, 1))
        answers = model.loglikelihood(requests, disable_tqdm=True)
        tokens = [len(model._encode_pair(*request.args)[1]) for request in requests if request.args[0]]  # of the options after the question
        scores = mc.process_results(row, answers)
        made.append(dict(id=row["id"], prompt=digest(context), logprobs=[float(a[0]) for a in answers], greedy=[bool(a[1]) for a in answers], tokens=tokens,
                         **{m: int(scores[m]) for m in METRICS}))
    return made


def texts(model, folder, rows):
    rolling = task(folder, "rolling", rows, output_type="loglikelihood_rolling", doc_to_text="", doc_to_target="{{question}}", metric_list=[dict(metric="bits_per_byte")])
    made, parts = [], []
    for row in rolling.eval_docs:
        (logprob,) = model.loglikelihood_rolling([rolling.construct_requests(row, "", metadata=("rolling", 0, 1))], disable_tqdm=True)
        parts.append(rolling.process_results(row, [logprob])["bits_per_byte"])
        made.append(dict(id=row["id"], logprob=float(logprob)))
    return dict(items=made, bits_per_byte=float(rolling.aggregation()["bits_per_byte"](parts)))


def answers(model, folder, shots, rows):
    until = ["Question:", "</s>", "<|im_end|>"]
    gen = task(folder, "gsm8k", rows, output_type="generate_until", doc_to_text="Question: {{question}}\nAnswer:", doc_to_target="{{answer}}", num_fewshot=N_SHOTS,
               fewshot_config=dict(sampler="first_n", samples=[{k: s[k] for k in ("question", "answer")} for s in shots]),
               generation_kwargs=dict(until=until, do_sample=False, temperature=0.0), metric_list=[dict(metric="exact_match")])
    made = []
    for row in gen.eval_docs:
        context = gen.fewshot_context(row, N_SHOTS)
        (text,) = model.generate_until([gen.construct_requests(row, context, metadata=("gsm8k", 0, 1))], disable_tqdm=True)
        made.append(dict(id=row["id"], prompt=digest(context), text=text, context=context))
    return made


@torch.no_grad()
def add_gaps(model, made):
    """Smallest gap of logits between the two likeliest tokens where a token of the answer was chosen, and the number of characters before it."""
    for one in made:
        context = model.tok_encode(one.pop("context"))
        whole = context + model.tok_encode(one["text"], add_special_tokens=False)
        logits = model.model(torch.tensor([whole])).logits[0, len(context) - 1 :]
        top = logits.topk(2, dim=-1)
        gaps = (top.values[:, 0] - top.values[:, 1]).tolist()
        chosen = [int(t) == w for t, w in zip(top.indices[:, 0], whole[len(context) :])]
        at = min(range(len(gaps)), key=gaps.__getitem__)
        one.update(tokens=len(whole) - len(context), gap=gaps[at], gap_at=len(model.tok_decode(whole[len(context) : len(context) + at])), greedy_again=sum(chosen))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder with the dequantised weights")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT.parent / "shared/data")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("/tmp"))
    given = parser.parse_args()
    shots, asked = gsm8k_rows(given.data)
    exact = HFLM(pretrained=given.model, dtype="float64", device="cpu", batch_size=1, logits_cache=False)
    mc = choices(exact, given.work, mmlu_rows(given.data))
    bpb = texts(exact, given.work, asked[:N_TEXTS])
    plain = HFLM(pretrained=given.model, dtype="float32", device="cpu", batch_size=1)
    for one, again in zip(mc, choices(plain, given.work, mmlu_rows(given.data))):
        one["float32"] = again["logprobs"]
    gen = answers(plain, given.work, shots, asked)
    add_gaps(exact, gen)
    lines = lambda rows: "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]"
    (ROOT / "tests/golden/data/smollm2_lm_eval.json").write_text(
        f'{{"choices": {lines(mc)},\n"rolling": {json.dumps(bpb)},\n"answers": {lines(gen)}}}\n')


if __name__ == "__main__":
    main()
