#!/usr/bin/env python3
"""Make the small checkpoints under tests/golden/data/families, with float64 logits from transformers.

    python make_family_goldens.py --tools DIR [--out DIR] [--all] [--only NAME ...]

DIR holds make_oracles.py of the project's shared material (its ORACLES.md says what to install and how the files look); this
script adds variants that it leaves out, and three more ways to store FP8. Without --all only the variants marked `keep` are
made: those are committed. Same seed, same bits.
"""
import argparse
import json
import pathlib
import sys

import torch


def fp8_quantiser(dtype, per_tensor, scale_name, scale_dtype):
    """Codes of `dtype` with one scale a tensor or one per 128 x 128 block; (quantise, dequantise) as make_oracles wants them."""
    def quantise(tools, weights):
        out = {}
        for name, w in weights.items():
            if not name.endswith("_proj.weight") and "kv_a_proj_with_mqa" not in name:
                out[name] = w
                continue
            w = w.float()
            largest = torch.finfo(dtype).max
            if per_tensor:
                scale = (w.abs().max() / largest).to(scale_dtype)
                wide = scale.float()
            else:
                bands = [torch.stack([b.abs().max() for b in band.split(128, 1)]) for band in w.split(128, 0)]
                scale = (torch.stack(bands) / largest).to(scale_dtype)
                wide = tools.expand_blocks(scale.float(), w.shape)
            out[name] = (w / wide).clamp(-largest, largest).to(dtype)
            out[name + scale_name] = scale
        return out

    def dequantise(tools, weights):
        out = {}
        for name, w in weights.items():
            if name.endswith(scale_name) and name[:-len(scale_name)] in weights:
                continue
            scale = weights.get(name + scale_name)
            if scale is None:
                out[name] = w
            elif per_tensor:
                out[name] = w.float() * scale.float()
            else:
                out[name] = w.float() * tools.expand_blocks(scale.float(), w.shape)
        return out

    return quantise, dequantise


def register(tools):
    random_tensor = tools.random_tensor  # transformers has a shared expert of width 0 where n_shared_experts is 0
    tools.random_tensor = lambda shape, *rest: torch.zeros(shape) if 0 in shape else random_tensor(shape, *rest)
    kinds = {
        "fp8-e5m2": (fp8_quantiser(torch.float8_e5m2, False, "_scale_inv", torch.float32),
                     {"activation_scheme": "dynamic", "fmt": "e5m2", "quant_method": "fp8", "weight_block_size": [128, 128]}),
        "fp8-tensor": (fp8_quantiser(torch.float8_e4m3fn, True, "_scale_inv", torch.float32),
                       {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8"}),
        "fp8-tensor-vllm": (fp8_quantiser(torch.float8_e4m3fn, True, "_scale", torch.bfloat16),
                            {"activation_scheme": "dynamic", "quant_method": "fp8"}),
    }
    for name, ((quantise, dequantise), config) in kinds.items():
        tools.QUANTISERS[name] = (lambda w, rng, q=quantise: q(tools, w), lambda w, d=dequantise: d(tools, w))
        tools.QUANTISATION_CONFIGS[name] = config


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tools", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, default=here.parent / "golden" / "data" / "families")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", nargs="*")
    args = parser.parse_args()
    sys.path.insert(0, str(args.tools))
    import make_oracles as tools
    import transformers
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    register(tools)
    for variant in json.loads((here / "family_variants.json").read_text()):
        wanted = variant["name"] in args.only if args.only else args.all or variant.get("keep", False)
        if wanted and not (args.out / variant["name"] / "cases.json").exists():
            tools.make_variant(variant, args.out)


if __name__ == "__main__":
    main()
