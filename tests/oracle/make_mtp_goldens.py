"""Logits of multi-token prediction modules in float64, written in numpy from DeepSeek-V3's report (2412.19437, sections 2.1 and 2.2).

    OMP_NUM_THREADS=1 python tests/oracle/make_mtp_goldens.py --model suites/data/demo/model --ids tests/golden/data/bundled_ids.json \
        --small ../shared/models/hf-oracles/deepseek_v3-negative-bias --out tests/golden/data/mtp_logits.safetensors

Needs numpy only and shares nothing with the product. The trunk is checked against float64 logits that were made elsewhere (the small
model's cases.safetensors, all cases within 1e-9; the bundled model's golden of transformers within 1e-9) before its modules are run.

Written, for MODEL in bundled, small: MODEL.ids.I (n) the prompts; MODEL.K.READING.I (n - K, columns) the logits of module K = 1, 2 under a
reading: `default`, or one that differs in one choice (`hidden-first`, `raw`, `masked`, `chain-normed`). Module 2 exists in neither file: it
is module 1 once more, to exercise the chain. The bundled model's columns are ids 0, 32, 64, ...; the small one's all.
"""
import argparse
import json
import math
import pathlib
import struct

import numpy as np

WIDE = {"F32": "<f4", "F64": "<f8", "I64": "<i8"}
READINGS = {"default": {}, "hidden-first": {"order": "hidden-first"}, "raw": {"hidden": "raw"}, "masked": {"first": "masked"},
            "chain-normed": {"chain": "normed"}}


def read_file(path):
    raw = pathlib.Path(path).read_bytes()
    (n,) = struct.unpack_from("<Q", raw)
    header = json.loads(raw[8 : 8 + n])
    header.pop("__metadata__", None)
    out = {}
    for name, entry in header.items():
        begin, end = (8 + n + x for x in entry["data_offsets"])
        if entry["dtype"] == "BF16":
            bits = np.frombuffer(raw[begin:end], "<u2").astype(np.uint32) << 16
            values = bits.view(np.float32).astype(np.float64)
        else:
            values = np.frombuffer(raw[begin:end], WIDE[entry["dtype"]])
            values = values if entry["dtype"] == "I64" else values.astype(np.float64)
        out[name] = values.reshape(entry["shape"])
    return out


def write_file(path, tensors):
    header, data = {}, b""
    for name in sorted(tensors):
        values = np.ascontiguousarray(tensors[name])
        kind = "I64" if values.dtype == np.int64 else "F64"
        raw = values.astype(WIDE[kind]).tobytes()
        header[name] = {"dtype": kind, "shape": list(values.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def rms(x, w, eps):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * w


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def mscale(s, m):
    return 0.1 * m * math.log(s) + 1 if s > 1 else 1.0


class Model:
    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.c = json.loads((folder / "config.json").read_text())
        self.w = {}
        for file in sorted(folder.glob("model*.safetensors")):
            self.w.update(read_file(file))
        self.eps = self.c["rms_norm_eps"]

    def frequencies(self):
        """Angle per position of each pair, and what the soft-max scale is multiplied with."""
        d, base, yarn = self.c["qk_rope_head_dim"], self.c["rope_theta"], self.c.get("rope_scaling")
        f = base ** (-np.arange(0, d, 2) / d)
        if not yarn:
            return f, 1.0
        at = lambda turns: d * math.log(yarn["original_max_position_embeddings"] / (turns * 2 * math.pi)) / (2 * math.log(base))
        low, high = max(math.floor(at(yarn["beta_fast"])), 0), min(math.ceil(at(yarn["beta_slow"])), d - 1)
        ramp = np.clip((np.arange(d // 2) - low) / max(high - low, 0.001), 0, 1)
        assert yarn["mscale"] == yarn["mscale_all_dim"]  # no factor on cos and sin
        return f / yarn["factor"] * ramp + f * (1 - ramp), mscale(yarn["factor"], yarn["mscale_all_dim"]) ** 2

    def turn(self, x):
        """x (n, heads, d): neighbours turn together."""
        f, _ = self.frequencies()
        angle = np.arange(len(x))[:, None, None] * f
        a, b = x[..., ::2], x[..., 1::2]
        return np.stack((a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)), -1).reshape(x.shape)

    def attention(self, p, x):
        c, w, n = self.c, self.w, len(x)
        heads, nope, rope, dv, rank = (c[k] for k in ("num_attention_heads", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "kv_lora_rank"))
        q = rms(x @ w[p + "q_a_proj.weight"].T, w[p + "q_a_layernorm.weight"], 1e-6) @ w[p + "q_b_proj.weight"].T
        q = q.reshape(n, heads, nope + rope)
        kv = x @ w[p + "kv_a_proj_with_mqa.weight"].T
        up = (rms(kv[:, :rank], w[p + "kv_a_layernorm.weight"], 1e-6) @ w[p + "kv_b_proj.weight"].T).reshape(n, heads, nope + dv)
        turned = self.turn(kv[:, None, rank:])
        q = np.concatenate((q[..., :nope], self.turn(q[..., nope:])), -1)
        k = np.concatenate((up[..., :nope], np.broadcast_to(turned, (n, heads, rope))), -1)
        scores = np.einsum("ihd,jhd->hij", q, k) * (nope + rope) ** -0.5 * self.frequencies()[1]
        scores = np.where(np.tril(np.ones((n, n), bool)), scores, -np.inf)
        share = np.exp(scores - scores.max(-1, keepdims=True))
        share /= share.sum(-1, keepdims=True)
        return np.einsum("hij,jhd->ihd", share, up[..., nope:]).reshape(n, -1) @ w[p + "o_proj.weight"].T

    def mlp(self, p, x):
        g = x @ self.w[p + "gate_proj.weight"].T
        return (g * sigmoid(g) * (x @ self.w[p + "up_proj.weight"].T)) @ self.w[p + "down_proj.weight"].T

    def mixture(self, p, x):
        c, n = self.c, len(x)
        scores = sigmoid(x @ self.w[p + "gate.weight"].T)
        choice = (scores + self.w[p + "gate.e_score_correction_bias"]).reshape(n, c["n_group"], -1)
        best = np.argsort(-np.sort(choice, -1)[..., -2:].sum(-1), -1, kind="stable")[:, : c["topk_group"]]
        open_group = np.zeros((n, c["n_group"], 1), bool)
        np.put_along_axis(open_group[..., 0], best, True, -1)
        choice = np.where(open_group, choice, -np.inf).reshape(n, -1)
        chosen = np.argsort(-choice, -1, kind="stable")[:, : c["num_experts_per_tok"]]
        y = self.mlp(p + "shared_experts.", x)
        for i in range(n):
            weights = scores[i, chosen[i]]
            weights = weights / (weights.sum() + 1e-20) * c["routed_scaling_factor"]
            for e, share in zip(chosen[i], weights):
                y[i] += share * self.mlp(f"{p}experts.{e}.", x[i : i + 1])[0]
        return y

    def layer(self, number, x):
        p = f"model.layers.{number}."
        x = x + self.attention(p + "self_attn.", rms(x, self.w[p + "input_layernorm.weight"], self.eps))
        h = rms(x, self.w[p + "post_attention_layernorm.weight"], self.eps)
        moe = number >= self.c["first_k_dense_replace"]
        return x + (self.mixture if moe else self.mlp)(p + "mlp.", h)

    def trunk(self, ids):
        x = self.w["model.embed_tokens.weight"][ids]
        for i in range(self.c["num_hidden_layers"]):
            x = self.layer(i, x)
        return x

    def normed(self, x):
        return rms(x, self.w["model.norm.weight"], self.eps)

    def logits(self, ids):
        return self.normed(self.trunk(ids)) @ self.w["lm_head.weight"].T

    def mtp(self, ids, depth, order="embedding-first", hidden="normed", first="kept", chain="raw"):
        """Logits of modules 1 .. depth, all with the weights of the one that is stored."""
        n, number, out = len(ids), self.c["num_hidden_layers"], []
        p = f"model.layers.{number}."
        table = self.w.get(p + "embed_tokens.weight", self.w["model.embed_tokens.weight"])
        head = self.w.get(p + "shared_head.head.weight", self.w["lm_head.weight"])
        h = self.trunk(ids)
        h = self.normed(h) if hidden == "normed" else h
        for k in range(1, depth + 1):
            e = table[ids[k:]].copy()
            if first == "masked":
                e[0] = 0
            halves = [rms(e, self.w[p + "enorm.weight"], self.eps), rms(h[: n - k], self.w[p + "hnorm.weight"], self.eps)]
            halves = halves if order == "embedding-first" else halves[::-1]
            x = self.layer(number, np.concatenate(halves, -1) @ self.w[p + "eh_proj.weight"].T)
            normed = rms(x, self.w[p + "shared_head.norm.weight"], self.eps)
            out.append(normed @ head.T)
            h = x if chain == "raw" else normed
        return out


def check_small(model, folder):
    cases = read_file(pathlib.Path(folder) / "cases.safetensors")
    worst, prompts = 0, []
    for i in range(6):
        ids = cases[f"case{i}.input_ids"]
        want = cases[f"case{i}.logits"]
        got = model.logits(ids)[cases[f"case{i}.positions"]]
        worst = max(worst, abs(got - want).max() / abs(want).max())
        prompts.append(ids)
    print("small trunk against float64 made elsewhere:", worst)
    assert worst < 1e-9
    return prompts


def check_bundled(model, golden, prompts, which):
    stored, worst = read_file(golden), 0
    for i in which:
        got = model.logits(np.array(prompts[i]))[stored[f"positions.{i}"]][:, ::32]
        worst = max(worst, abs(got - stored[f"values.{i}"]).max() / stored["max_abs"][i])
    print("bundled trunk against transformers in float64:", worst)
    assert worst < 1e-9


def collect(out, name, model, prompts, step, readings):
    for i, ids in enumerate(prompts):
        ids = np.array(ids, dtype=np.int64)
        out[f"{name}.ids.{i}"] = ids
        for reading in READINGS if i in readings else ["default"]:
            for k, logits in enumerate(model.mtp(ids, 2 if len(ids) > 2 else 1, **READINGS[reading]), 1):
                if (k == 1 and reading != "chain-normed") or (k == 2 and reading in ("default", "chain-normed")):
                    out[f"{name}.{k}.{reading}.{i}"] = logits[:, ::step]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("--model", "--ids", "--small", "--out"):
        parser.add_argument(option, required=True)
    args = parser.parse_args()
    bundled, small, out = Model(args.model), Model(args.small), {}
    ids = json.loads(pathlib.Path(args.ids).read_text())
    which = [i for i in range(64) if len(ids[i]) in (38, 75, 112)][:3]
    check_bundled(bundled, pathlib.Path(args.ids).parent / "bundled_logits.safetensors", ids, which)
    small_prompts = check_small(small, args.small)
    collect(out, "bundled", bundled, [ids[i] for i in which], 32, {0})
    collect(out, "small", small, [p for p in small_prompts if 1 < len(p) <= 70], 1, {1})
    write_file(args.out, out)
    print(len(out), "tensors,", pathlib.Path(args.out).stat().st_size, "bytes")


if __name__ == "__main__":
    main()
