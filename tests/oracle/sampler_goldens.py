"""Writes tests/golden/data/sampler.jsonl: logits, options, seen ids and the probabilities that transformers' logits processors leave, in the order in
which generate() applies them (RepetitionPenalty, Temperature, TopK, TopP, MinP). Cases are kept away from thresholds: no token within 1e-4 of one.
OpenAI's presence and frequency penalties stand between the first two, by the formula of its documentation. Run from the tree's root:
    /path/to/python tests/oracle/sampler_goldens.py > tests/golden/data/sampler.jsonl"""

import json
import random

import torch
from transformers.generation.logits_process import MinPLogitsWarper, RepetitionPenaltyLogitsProcessor, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

VOCAB = 32


def processed(logits, seen, sampled, o):
    scores = torch.tensor([logits], dtype=torch.float32)
    if o["repetition_penalty"] != 1 and seen:
        scores = RepetitionPenaltyLogitsProcessor(o["repetition_penalty"])(torch.tensor([seen]), scores)
    for token in set(sampled):
        scores[0, token] -= torch.tensor(o["frequency_penalty"], dtype=torch.float32) * sampled.count(token)
        scores[0, token] -= torch.tensor(o["presence_penalty"], dtype=torch.float32)
    if o["temperature"] == 0:
        return scores, None
    unused = torch.zeros((1, 0), dtype=torch.long)
    steps = [scores := TemperatureLogitsWarper(o["temperature"])(unused, scores)]
    if o["top_k"]:
        steps.append(TopKLogitsWarper(o["top_k"])(unused, steps[-1]))
    if o["top_p"] < 1:
        steps.append(TopPLogitsWarper(o["top_p"])(unused, steps[-1]))
    if o["min_p"]:
        steps.append(MinPLogitsWarper(o["min_p"])(unused, steps[-1]))
    return steps[-1], steps


def near_threshold(steps, o):
    """Whether float32 and float64 could disagree about a token of this case."""
    shares = torch.softmax(steps[0][0].double(), 0)
    if o["top_k"]:
        kept = torch.softmax(steps[1][0].double(), 0)
        order = torch.sort(steps[0][0], descending=True).values
        if o["top_k"] < VOCAB and order[o["top_k"] - 1] - order[o["top_k"]] < 1e-4:
            return True
        shares = kept
    if o["top_p"] < 1 and (torch.cumsum(torch.sort(shares, descending=True).values, 0) - o["top_p"]).abs().min() < 1e-4:
        return True
    return bool(o["min_p"] and (shares / shares.max() - o["min_p"]).abs().min() < 1e-4)


def case(rng):
    logits = [round(rng.gauss(0, rng.choice([0.5, 1, 2, 4])), 3) for _ in range(VOCAB)]
    prompt = [rng.randrange(VOCAB) for _ in range(rng.choice([0, 3, 20]))]
    sampled = [rng.randrange(8) for _ in range(rng.choice([0, 0, 2, 12]))]
    o = {"temperature": rng.choice([0, 0.3, 0.7, 1.0, 1.7, 5.0]), "top_k": rng.choice([0, 0, 1, 5, 20, 32, 100]), "top_p": rng.choice([1.0, 1.0, 0.95, 0.7, 0.3, 0.01]), "min_p": rng.choice([0.0, 0.0, 0.02, 0.1, 0.5, 1.0]),
         "repetition_penalty": rng.choice([1.0, 1.0, 1.1, 1.5, 0.8]), "presence_penalty": rng.choice([0.0, 0.0, 0.6, -1.0, 2.0]), "frequency_penalty": rng.choice([0.0, 0.0, 0.25, -0.5, 1.5])}
    scores, steps = processed(logits, prompt + sampled, sampled, o)
    if steps is None:
        best = torch.sort(scores[0], descending=True).values
        if best[0] - best[1] < 1e-4:
            return None
        return {"logits": logits, "prompt": prompt, "sampled": sampled, "options": o, "ids": [int(scores[0].argmax())], "probabilities": [1.0]}
    if near_threshold(steps, o):
        return None
    probabilities = torch.softmax(scores[0].double(), 0)
    kept = [i for i in sorted(range(VOCAB), key=lambda i: (-float(scores[0, i]), i)) if torch.isfinite(scores[0, i])]
    return {"logits": logits, "prompt": prompt, "sampled": sampled, "options": o, "ids": kept, "probabilities": [round(float(probabilities[i]), 9) for i in kept]}


if __name__ == "__main__":
    rng = random.Random(7)
    made = 0
    while made < 200:
        one = case(rng)
        if one is None or (len(one["ids"]) == 1 and rng.random() < 0.85):
            continue
        made += 1
        print(json.dumps(one))
