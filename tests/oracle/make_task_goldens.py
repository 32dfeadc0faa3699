"""Requests that lm-evaluation-harness 0.4.13 makes of the tasks in tests/golden/data/tasks, for tests/golden/test_task_import.cc: sha256 of
every context and continuation, and what its own metrics say of made-up outputs under every filter.

usage: HF_DATASETS_OFFLINE=1 python make_task_goldens.py   (writes tests/golden/data/tasks/goldens.json)
"""
import hashlib
import json
import os
import pathlib

from lm_eval.tasks import TaskManager

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/data/tasks"
OUTPUTS = [" The answer is 12.", "The answer is 1,205", " so 4 + 4 = 8.\n The answer is -3 ", "no number", "$12.50 or 7", " ", "the ANSWER is 12. The answer is 12"]


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def judged(task):
    """{filter: [[output, gold, score]]} by the harness's own filters and metric."""
    out = {}
    for name, pipeline in ((f.name, f) for f in task._filters):
        golds = ["12", "The answer is 12.", "1205", "-3", "7"]
        out[name] = []
        for text in OUTPUTS:
            step = [[text]]
            for one in pipeline.filters:
                step = one().apply(step, [{}])
            answer = list(step)[0]
            answer = answer[0] if isinstance(answer, list) else answer
            for gold in golds:
                score = task._metric_fn_list["exact_match"](references=[gold], predictions=[answer], **task._metric_fn_kwargs["exact_match"])
                out[name].append([text, gold, float(score["exact_match"])])
    return out


def main():
    os.chdir(FOLDER)
    manager = TaskManager(include_path=str(FOLDER), include_defaults=False)
    found = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        if path.stem.endswith("_base"):
            continue
        loaded = manager.load([path.stem])
        task = (loaded.get("tasks") or loaded)[path.stem]
        task.set_fewshot_seed(1234)
        task.build_all_requests(limit=None, rank=0, world_size=1)
        rows = {}
        for request in task.instances:
            rows.setdefault(request.doc_id, []).append([digest(arg) for arg in request.args if isinstance(arg, str)])
        found[path.stem] = dict(requests=[rows[i] for i in sorted(rows)])
        if task.config.output_type == "generate_until":
            found[path.stem]["judged"] = judged(task)
    (FOLDER / "goldens.json").write_text(json.dumps(found, indent=0) + "\n")
    print({name: len(entry["requests"]) for name, entry in found.items()})


if __name__ == "__main__":
    main()
