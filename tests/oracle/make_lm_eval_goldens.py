"""Log-likelihoods of lm-evaluation-harness 0.4.13 (HF backend, float64) on the bundled model, for tests/golden/test_lm_eval.cc, and what its
own tasks make of them (multiple choice with acc, acc_norm, acc_bytes, acc_mutual_info; bits per byte).

transformers' float64 run keeps float32 islands; `exact` beside every value is the same computation with these widened (make_bundled_logits.py).

Covers what the harness does to texts: trailing white space of a context, empty contexts, texts that begin with BOS, contexts longer than the
model's (cut on the left), rolling texts longer than one window.

`logits_cache=False`: with it the harness takes the logits of the first of two requests whose tokens are the same and whose splits are not
(("", "Max went to the barn.") and ("<|bos|>Max went to the", " barn.") here), and reports -25.03 for the second, which alone gets -2.34.

usage: HF_HUB_OFFLINE=1 python make_lm_eval_goldens.py  (writes tests/golden/data/lm_eval.jsonl and lm_eval_tasks.json)
"""
import json
import pathlib
import tempfile

import make_bundled_logits
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask
from lm_eval.models.huggingface import HFLM

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAIRS = [
    ("Question: What is the main crop of Rerdrarea?\nAnswer:", " velhurot"),
    ("Question: What is the main crop of Rerdrarea?\nAnswer: ", "velhurot"),
    ("Question: What is the main crop of Rerdrarea?\nAnswer: \u2003\n", "velhurot"),
    ("Q: Ivy has 91 apples and picks 32 more. How many apples does Ivy have now?\nA:", " 91 + 30 = 121. 121 + 2 = 123. The answer is 123."),
    ("", "Max went to the barn."),
    ("", "<|bos|>Max went to the barn."),
    (" ", "Max went to the barn."),
    ("<|bos|>Max went to the", " barn."),
    ("<|user|>How many?<|assistant|>", "The answer is 3.<|eos|>"),
    ("Krënshea \U0001f600", " ½ ٣ 生活"),
    ("Max went to the barn. " * 200, "Max"),
    ("Ella took the map. Ella went to the", " mill. Who has the map?"),
]
TEXTS = [
    "It was a warm day. Finn was in the school.",
    "x",
    "<|bos|>It was a warm day.",
    "Krënshea ½ \U0001f600\n\n生活",
    "Max went to the barn. Ella went to the mill. " * 120,
]


N_ITEMS, N_TEXTS = 40, 8  # every so many-th of the suite


def some(name, n):
    rows = [json.loads(line) for line in (ROOT / f"suites/data/demo/suites/{name}.jsonl").read_text().splitlines()]
    return rows[:: len(rows) // n][:n]


def task(folder, name, rows, **config):
    path = folder / f"{name}.json"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ConfigurableTask(config=dict(task=name, dataset_path="json", dataset_kwargs={"data_files": {"test": str(path)}}, test_split="test", **config))


def choices(model, folder):
    """Items of world-mc as the harness's own multiple-choice task asks and scores them."""
    metrics = ["acc", "acc_norm", "acc_bytes", "acc_mutual_info"]
    rows = some("world-mc", N_ITEMS)
    mc = task(folder, "mc", rows, output_type="multiple_choice", doc_to_text="{{passage}}{{'\n' if passage else ''}}Question: {{question}}\nAnswer:",
              doc_to_choice="{{options}}", doc_to_target="{{answer}}", metric_list=[dict(metric=m) for m in metrics])
    made = []
    for row in mc.eval_docs:
        context = mc.doc_to_text(row)
        requests = mc.construct_requests(row, context, metadata=("mc", 0, 1))
        answers = model.loglikelihood(requests, disable_tqdm=True)
        scores = mc.process_results(row, answers)
        made.append(dict(id=row["id"], prompt=context, logprobs=[float(a[0]) for a in answers], greedy=[bool(a[1]) for a in answers],
                         **{m: int(scores[m]) for m in metrics}))
    return made


def texts(model, folder):
    rolling = task(folder, "rolling", some("tales-bpb", N_TEXTS), output_type="loglikelihood_rolling", doc_to_text="", doc_to_target="{{text}}",
                   metric_list=[dict(metric="bits_per_byte")])
    made, parts = [], []
    for row in rolling.eval_docs:
        (logprob,) = model.loglikelihood_rolling([rolling.construct_requests(row, "", metadata=("rolling", 0, 1))], disable_tqdm=True)
        parts.append(rolling.process_results(row, [logprob])["bits_per_byte"])
        made.append(dict(id=row["id"], logprob=float(logprob)))
    return dict(items=made, bits_per_byte=float(rolling.aggregation()["bits_per_byte"](parts)))


def lines(model):
    made = []
    pairs = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(PAIRS)]
    for (context, continuation), (logprob, greedy) in zip(PAIRS, model.loglikelihood(pairs, disable_tqdm=True)):
        made.append(dict(context=context, continuation=continuation, logprob=float(logprob), greedy=bool(greedy)))
    rolling = [Instance("loglikelihood_rolling", {}, (text,), i) for i, text in enumerate(TEXTS)]
    for text, logprob in zip(TEXTS, model.loglikelihood_rolling(rolling, disable_tqdm=True)):
        made.append(dict(text=text, logprob=float(logprob)))
    return made


def main():
    model = HFLM(pretrained=str(ROOT / "suites/data/demo/model"),
                 dtype="float64", device="cpu", batch_size=1, max_length=1024, experts_implementation="eager", logits_cache=False)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        made, mc, bpb = lines(model), choices(model, folder), texts(model, folder)
        make_bundled_logits.widen(model.model)
        for one, exact in zip(made, lines(model)):
            one["exact"] = exact["logprob"]
        for one, exact in zip(mc, choices(model, folder)):
            one["exact"] = exact["logprobs"]
        exact = texts(model, folder)
        for one, other in zip(bpb["items"], exact["items"]):
            one["exact"] = other["logprob"]
        bpb["exact"] = exact["bits_per_byte"]
    (ROOT / "tests/golden/data/lm_eval.jsonl").write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in made))
    text = ",\n".join(json.dumps(one, ensure_ascii=False) for one in mc)
    (ROOT / "tests/golden/data/lm_eval_tasks.json").write_text(f'{{"choices": [\n{text}\n],\n"rolling": {json.dumps(bpb)}}}\n')


if __name__ == "__main__":
    main()
