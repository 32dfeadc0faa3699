"""Log-likelihoods of lm-evaluation-harness 0.4.13 (HF backend, float64) on the bundled model, for tests/golden/test_lm_eval.cc.

Covers what the harness does to texts: trailing white space of a context, empty contexts, texts that begin with BOS, contexts longer than the
model's (cut on the left), rolling texts longer than one window.

`logits_cache=False`: with it the harness takes the logits of the first of two requests whose tokens are the same and whose splits are not
(("", "Max went to the barn.") and ("<|bos|>Max went to the", " barn.") here), and reports -25.03 for the second, which alone gets -2.34.

usage: HF_HUB_OFFLINE=1 python make_lm_eval_goldens.py  (writes tests/golden/data/lm_eval.jsonl)
"""
import json
import pathlib

from lm_eval.api.instance import Instance
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


def main():
    model = HFLM(pretrained=str(ROOT / "suites/data/demo/model"),
                 dtype="float64", device="cpu", batch_size=1, max_length=1024, experts_implementation="eager", logits_cache=False)
    made = []
    pairs = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(PAIRS)]
    for (context, continuation), (logprob, greedy) in zip(PAIRS, model.loglikelihood(pairs, disable_tqdm=True)):
        made.append(dict(context=context, continuation=continuation, logprob=float(logprob), greedy=bool(greedy)))
    texts = [Instance("loglikelihood_rolling", {}, (text,), i) for i, text in enumerate(TEXTS)]
    for text, logprob in zip(TEXTS, model.loglikelihood_rolling(texts, disable_tqdm=True)):
        made.append(dict(text=text, logprob=float(logprob)))
    lines = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in made)
    (ROOT / "tests/golden/data/lm_eval.jsonl").write_text(lines)


if __name__ == "__main__":
    main()
