"""Digests of what gguf.quants.dequantize makes of random blocks, for tests/golden/test_gguf_blocks.cc.

    python gguf_block_goldens.py > ../golden/data/gguf_blocks.json        needs numpy and gguf

Bytes of a block come from splitmix64 (seed: the type's number), eight at a time, little-endian. f16 scales are whatever the
bytes say, subnormal, infinite and NaN included; NaN is made 0x7fc00000 before hashing, because its sign and payload are no
one's promise.
"""
import hashlib
import json

import gguf
import numpy as np

BLOCKS = 2048
TYPES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "MXFP4"]


def splitmix64(seed, count):
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


out = []
for name in TYPES:
    kind = gguf.GGMLQuantizationType[name]
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    total = BLOCKS * size
    data = splitmix64(int(kind), (total + 7) // 8).view(np.uint8)[:total].reshape(BLOCKS, size)
    with np.errstate(all="ignore"):
        values = np.ascontiguousarray(gguf.quants.dequantize(data, kind).astype(np.float32))
    bits = values.view(np.uint32).copy()
    bits[np.isnan(values)] = 0x7FC00000
    out.append({"type": name, "blocks": BLOCKS, "seed": int(kind), "elements": int(bits.size),
                "nan": int(np.isnan(values).sum()), "sha256": hashlib.sha256(bits.tobytes()).hexdigest(),
                "first": [float(v) if np.isfinite(v) else None for v in values.ravel()[:4]]})
print("[\n" + ",\n".join(json.dumps(o) for o in out) + "\n]")
