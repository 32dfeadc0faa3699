"""What lm-evaluation-harness 0.4.13 asks, for tests/golden/test_suite_renderings.cc: its own task files over rows made here.

Every task is loaded from the installed lm_eval with its data set replaced by local JSON lines of invented rows in the published layout
(two items and a few dozen examples a suite), few-shot seed 1234 as simple_evaluate sets it. Written: the rows, and of every request the
sha256 of context and continuation. None of the harness' text is kept.

usage: HF_HUB_OFFLINE=1 /opt/oracle/bin/python tests/oracle/make_lme_renderings.py
"""
import hashlib
import json
import os
import pathlib

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_CACHE"] = "/tmp/lme-renderings-cache"

import lm_eval  # noqa: E402
from lm_eval.api.task import ConfigurableTask  # noqa: E402
from lm_eval.tasks._yaml_loader import load_yaml  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/golden/data/lme"
TASKS = pathlib.Path(lm_eval.__file__).parent / "tasks"

NOUNS = ["barn", "river", "Ländle", "mill", "lantern", "gate", "harbour", "orchard", "cellar", "tower", "bridge", "meadow", "quarry", "shed",
         "attic", "well"]


def noun(i):
    return NOUNS[i % len(NOUNS)]


def arc(i):
    letters = ["1", "2", "3", "4"] if i % 5 == 4 else ["A", "B", "C", "D"]
    return {"id": f"made_{i}", "question": f"Which of these lies beside the {noun(i)} of row {i}?",
            "choices": {"text": [f"the {noun(i + k + 1)}, {k}" for k in range(4)], "label": letters}, "answerKey": letters[i % 4]}


def hellaswag(i):
    return {"activity_label": f"Walking to the {noun(i)}", "ctx_a": f"  A girl [step] walks  to the {noun(i)} [title] at noon.",
            "ctx_b": ["she", "the DOG", "", "a man"][i % 4],
            "endings": [f"opens the {noun(i + k)}. [substeps] Then  she rests [title] there." for k in range(4)], "label": str(i % 4)}


def piqa(i):
    return {"goal": f"How to sweep the {noun(i)}?", "sol1": f"Use a broom in the {noun(i)}.", "sol2": f"Use a spoon, {i} times.", "label": i % 2}


def winogrande(i):
    return {"sentence": f"Anna trusted Berta with the {noun(i)} because _ was careful on day {i}. ", "option1": "Anna", "option2": "Berta",
            "answer": str(1 + i % 2)}


def mmlu(i):
    return {"question": f" How many doors has the {noun(i)}? " if i % 3 else f"How many doors has the {noun(i)}?", "subject": "invented_buildings",
            "choices": [str(i + k) for k in range(4)], "answer": i % 4}


def gsm8k(i):
    return {"question": f"The {noun(i)} has {i} rows of {i + 1} pears. How many pears?",
            "answer": f"There are {i} * {i + 1} = <<{i}*{i + 1}={i * (i + 1)}>>{i * (i + 1)} pears.\n#### {i * (i + 1)}"}


def mmlu_pro(i):
    return {"question_id": i, "question": f"What weighs the {noun(i)} in case {i}?", "options": [f" {i + k} kg" for k in range(3 + i % 8)],
            "answer": "A", "answer_index": 0, "category": "history",
            "cot_content": f"A: Let's think step by step. The {noun(i)} is heavy. The answer is (A)."}


def triviaqa(i):
    return {"question_id": f"t{i}", "question": f"Who built the {noun(i)}", "answer": {"aliases": [f"Builder {i}", f"B. {i}"], "value": f"Builder {i}"}}


def drop(i):
    return {"section_id": "s", "query_id": f"d{i}", "passage": f"In {1900 + i} the {noun(i)} burnt.", "question": f"When did the {noun(i)} burn?",
            "answer": {"number": str(1900 + i), "date": {"day": "", "month": "", "year": ""}, "spans": [], "worker_id": "", "hit_id": ""},
            "validated_answers": {"number": [], "date": [], "spans": [], "worker_id": [], "hit_id": []}, "answers_spans": {"spans": [str(1900 + i)]}}


def aime(i):
    return {"ID": f"made-{i}", "Problem": f"Find the {i}th number.", "Solution": "By counting.", "Answer": i}


# suite: rows, [(protocol, task file, shots)], split of the items
SUITES = {
    "arc-challenge": (arc, [("lme-0shot", "arc/arc_challenge.yaml", 0), ("lme-norm-25shot", "arc/arc_challenge.yaml", 25)], "test"),
    "hellaswag": (hellaswag, [("lme-norm-0shot", "hellaswag/hellaswag.yaml", 0), ("lme-norm-10shot", "hellaswag/hellaswag.yaml", 10)], "validation"),
    "piqa": (piqa, [("lme-0shot", "piqa/piqa.yaml", 0)], "validation"),
    "winogrande": (winogrande, [("lme-partial-0shot", "winogrande/default.yaml", 0), ("lme-partial-5shot", "winogrande/default.yaml", 5)], "validation"),
    "mmlu": (mmlu, [("lme-5shot", "mmlu/default/mmlu_abstract_algebra.yaml", 5)], "test"),
    "gsm8k": (gsm8k, [("lme-5shot-strict", "gsm8k/gsm8k.yaml", 5)], "test"),
    "mmlu-pro": (mmlu_pro, [("lme-5shot", "mmlu_pro/mmlu_pro_history.yaml", 5)], "test"),
    "triviaqa": (triviaqa, [("lme-0shot", "triviaqa/default.yaml", 0)], "validation"),
    "drop": (drop, [("lme-0shot", "drop/default.yaml", 0)], "validation"),
    "aime": (aime, [("lme-greedy", "aime/aime24.yaml", 0)], "train"),
}
ITEMS, EXAMPLES = 3, 40


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def load(suite, file, shots, split, folder):
    config = load_yaml(TASKS / file)
    files = {name: str(folder / f"{suite}.{'items' if name == split else 'train'}.jsonl") for name in ("train", "validation", "test", "dev")}
    if split == "train":
        files = {"train": str(folder / f"{suite}.items.jsonl")}
    config.update(dataset_path="json", dataset_name=None, dataset_kwargs={"data_files": files}, num_fewshot=shots)
    if suite == "mmlu":
        config["description"] = "The following are multiple choice questions (with answers) about invented buildings.\n\n"
    config.pop("tag", None)
    return ConfigurableTask(config=config)


def main():
    lines = []
    for suite, (make, protocols, split) in SUITES.items():
        write_rows(OUT / f"{suite}.items.jsonl", [make(i) for i in range(ITEMS)])
        write_rows(OUT / f"{suite}.train.jsonl", [make(100 + i) for i in range(EXAMPLES)])
        for protocol, file, shots in protocols:
            task = load(suite, file, shots, split, OUT)
            task.set_fewshot_seed(1234)
            task.build_all_requests(limit=None, rank=0, world_size=1)
            for request in task.instances:
                context, rest = request.args[0], request.args[1]
                lines.append({"suite": suite, "protocol": protocol, "item": request.doc_id, "option": request.idx, "context": sha(context),
                              "continuation": sha(rest) if isinstance(rest, str) else None})
    write_rows(OUT / "renderings.jsonl", lines)
    print(len(lines), "requests")


if __name__ == "__main__":
    main()
