"""Logits of the bundled model in float64 by transformers, of 64 prompts; a small part of them becomes a golden.

    OMP_NUM_THREADS=1 python tests/oracle/make_bundled_logits.py --model suites/data/demo/model --out tests/golden/data

transformers keeps float32 islands in a float64 run (RMSNorm, the router's product, rope tables); the patches below widen
them, so that every operation is float64. Writes
  bundled_ids.json              64 prompts of 1 to 200 ids
  bundled_logits.safetensors    per prompt i: positions.i (every 16th and the last), values.i (positions, 32): logits of ids
                                0, 32, 64, ...; top.i (positions, 2): arg-max and margin to the next; max_abs (64): largest
                                logit of each prompt over all positions
"""
import argparse
import json
import pathlib

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.models.deepseek_v3 import modeling_deepseek_v3 as m


def rms_norm(self, x):
    return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))


def router(self, hidden):
    """As DeepSeek-V3 inference/model.py Gate: groups by their two best biased scores, weights from unbiased scores."""
    logits = torch.nn.functional.linear(hidden.view(-1, hidden.shape[-1]), self.weight)
    scores = logits.sigmoid()
    choice = (scores + self.e_score_correction_bias.double()).view(len(scores), self.num_group, -1)
    open_groups = choice.topk(2, -1)[0].sum(-1).topk(self.topk_group, -1)[1]
    closed = torch.ones(choice.shape[:2], dtype=torch.bool).scatter_(1, open_groups, False)
    chosen = choice.masked_fill(closed[:, :, None], float("-inf")).flatten(1).topk(self.top_k, -1)[1]
    weights = scores.gather(1, chosen)
    return logits, weights / (weights.sum(-1, keepdim=True) + 1e-20) * self.routed_scaling_factor, chosen


def rotary(self, x, position_ids):
    angle = position_ids[:, :, None].double() * self.exact[None, None, :]
    angle = torch.cat((angle, angle), -1)
    return angle.cos() * self.attention_scaling, angle.sin() * self.attention_scaling


def yarn(c):
    """(rope_dim / 2) frequencies in float64: YaRN, 2309.00071 section 3.2."""
    import math
    dim, base, s = c.qk_rope_head_dim, 10000.0, dict(factor=4.0, length=256, fast=32, slow=1)
    at = lambda r: dim * math.log(s["length"] / (r * 2 * math.pi)) / (2 * math.log(base))
    low, high = max(math.floor(at(s["fast"])), 0), min(math.ceil(at(s["slow"])), dim - 1)
    f = base ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    ramp = ((torch.arange(dim // 2, dtype=torch.float64) - low) / max(high - low, 0.001)).clamp(0, 1)
    return f / s["factor"] * ramp + f * (1 - ramp)


def prompts(tokenizer, suites):
    """64 prompts: items of the three suites cut to lengths from 1 to 200."""
    texts = [json.loads(line) for name in ("world-mc", "steps-gen", "tales-bpb") for line in (suites / f"{name}.jsonl").read_text().splitlines()]
    texts = [t.get("text") or (t.get("passage") or "") + " " + t["question"] for t in texts]
    out, i = [], 0
    while len(out) < 64:
        want = 1 + (len(out) * 37) % 200
        ids = [0]
        while len(ids) < want:
            ids += tokenizer.encode(texts[(i * 101) % len(texts)], add_special_tokens=False)
            i += 1
        out.append(ids[:want])
    return out


def widen(model):
    """Makes every operation of a float64 run float64."""
    model.double()  # transformers keeps the router's weights in float32
    originals = torch.nn.functional.softmax
    torch.nn.functional.softmax = lambda x, dim=None, dtype=None, **k: originals(x, dim=dim)  # eager attention asks for float32
    m.DeepseekV3RMSNorm.forward = rms_norm
    m.DeepseekV3TopkRouter.forward = router
    m.DeepseekV3RotaryEmbedding.forward = rotary
    model.model.rotary_emb.exact = yarn(model.config)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    folder, out = pathlib.Path(args.model), pathlib.Path(args.out)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager", experts_implementation="eager").eval()
    widen(model)
    assert all(p.dtype == torch.float64 for p in model.parameters())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = prompts(tokenizer, folder.parent / "suites")
    tensors, largest = {}, []
    with torch.no_grad():
        for i, prompt in enumerate(ids):
            logits = model(torch.tensor([prompt])).logits[0]
            assert logits.dtype == torch.float64
            n = len(prompt)
            positions = sorted(set(range(0, n, 16)) | {n - 1})
            rows = logits[positions]
            best = rows.topk(2, -1)
            tensors[f"positions.{i}"] = torch.tensor(positions)
            tensors[f"values.{i}"] = rows[:, ::32].contiguous()
            tensors[f"top.{i}"] = torch.stack((best.indices[:, 0].double(), best.values[:, 0] - best.values[:, 1]), -1)
            largest.append(logits.abs().max())
    tensors["max_abs"] = torch.stack(largest)
    out.mkdir(parents=True, exist_ok=True)
    save_file(tensors, out / "bundled_logits.safetensors")
    (out / "bundled_ids.json").write_text(json.dumps(ids) + "\n")
    print(len(ids), "prompts", sum(map(len, ids)), "tokens, largest logit", max(largest).item())


if __name__ == "__main__":
    main()
