#!/usr/bin/env python3
"""Which examples lighteval shows, for tests/golden/test_lighteval_shots.cc: its own FewShotSampler (lighteval 0.6.2, `pip download lighteval==0.6.2
--no-deps`, unpacked) over the items of BIG-Bench Hard, for three examples a task as huggingface/smollm's tasks.py asks.

    PYTHONPATH=FOLDER_OF_THE_UNPACKED_WHEEL python tests/oracle/make_lighteval_shots.py ../shared/data/bbh/items

Written are the places of the pool, four a task: the item that is asked is dropped where it is among them, and then the first three are shown.
"""
import gzip
import json
import pathlib
import sys
import types

for name in ("lighteval.logging.hierarchical_logger", "lighteval.models.abstract_model"):  # heavy imports that the sampler does not use
    stub = types.ModuleType(name)
    stub.hlog_warn, stub.LightevalModel = print, object
    sys.modules[name] = stub
from lighteval.tasks.prompt_manager import FewShotSampler
from lighteval.tasks.requests import Doc

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Task:
    fewshot_selection = None  # as tasks.py leaves it
    fewshot_split = ["train"]

    def __init__(self, docs):
        self.docs = docs

    def fewshot_docs(self):
        return list(self.docs)


made = {}
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.json.gz")):
    rows = json.loads(gzip.decompress(path.read_bytes()))["examples"]
    docs = [Doc(query=f"Question: {r['input']}\nAnswer: ", choices=[r["target"]], gold_index=0, specific={"place": i}) for i, r in enumerate(rows)]
    sampler = FewShotSampler(Task(docs))
    sampler.sample_fewshot_examples(num_fewshot=3, variance_seed=0)
    made[path.name.removesuffix(".json.gz")] = [doc.specific["place"] for doc in sampler._fewshot_cache[0]]
lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(places)}" for name, places in made.items())
(ROOT / "tests/golden/data/lighteval_shots.json").write_text("{" + lines + "}\n")
