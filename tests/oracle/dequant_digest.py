"""SHA-256 over the dequantised matrices of a block-FP8 checkpoint, computed with torch's own float8 types.

    OMP_NUM_THREADS=1 python tests/oracle/dequant_digest.py suites/data/demo/model-fp8

Prints one line a recipe: dequant-f32 is float32(code) * float32(scale); dequant-bf16 rounds that to bfloat16 and back.
Matrices in ascending order of names, values as little-endian float32, row-major.
"""
import hashlib
import pathlib
import sys

import torch
from safetensors import safe_open

tensors = {}
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.safetensors")):
    if path.name.startswith("cases"):
        continue
    with safe_open(path, "pt") as file:
        for name in file.keys():
            tensors[name] = file.get_tensor(name)
digests = {"dequant-f32": hashlib.sha256(), "dequant-bf16": hashlib.sha256()}
count = 0
for name in sorted(tensors):
    codes = tensors[name]
    if codes.dtype != torch.float8_e4m3fn:
        continue
    scale = tensors[name + "_scale_inv"].to(torch.float32)
    scale = scale.repeat_interleave(128, 0).repeat_interleave(128, 1)[: codes.shape[0], : codes.shape[1]]
    values = codes.to(torch.float32) * scale
    digests["dequant-f32"].update(values.contiguous().numpy().tobytes())
    digests["dequant-bf16"].update(values.to(torch.bfloat16).to(torch.float32).contiguous().numpy().tobytes())
    count += 1
for recipe, digest in digests.items():
    print(recipe, count, digest.hexdigest())
