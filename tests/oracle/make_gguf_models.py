"""Writes the tiny models of tests/golden/data/gguf: each as a Hugging Face checkpoint and as GGUF.

    python make_gguf_models.py OUT [--check]       needs numpy, safetensors, gguf; --check also torch and transformers

The GGUF file is written with the gguf package (its writer, its keys, its table of tensor names), following what
llama.cpp's convert_hf_to_gguf.py does to each family. Weights are random. Quantised variants are stored as blocks in the
GGUF file and as what those blocks stand for in the checkpoint, so that both must give the same logits, bit for bit.
--check lets transformers read both and prints the largest difference of their logits, where it can read GGUF of the family.
"""
import argparse
import json
import pathlib
import shutil

import gguf
import numpy as np
from safetensors.numpy import save_file

Q = gguf.GGMLQuantizationType
VOCAB, LAYERS = 24, 2


def base(model_type, architecture, width=16, **more):
    return dict(architectures=[architecture], model_type=model_type, hidden_size=width, vocab_size=VOCAB,
                num_hidden_layers=LAYERS, intermediate_size=width, num_attention_heads=4, num_key_value_heads=2,
                head_dim=8, max_position_embeddings=64, rms_norm_eps=1e-5, rope_theta=10000.0,
                tie_word_embeddings=False, torch_dtype="float32", bos_token_id=1, eos_token_id=[2], **more)


def deepseek(model_type, architecture, **more):
    config = base(model_type, architecture, n_routed_experts=8, num_experts_per_tok=2, moe_intermediate_size=8,
                  n_shared_experts=2, first_k_dense_replace=1, moe_layer_freq=1, kv_lora_rank=12, qk_nope_head_dim=8,
                  qk_rope_head_dim=4, v_head_dim=6, **more)
    del config["head_dim"]
    config["num_key_value_heads"] = 4
    return config


YARN = dict(type="yarn", factor=4.0, original_max_position_embeddings=16)
GRANITE = dict(embedding_multiplier=3.0, residual_multiplier=0.5, attention_multiplier=0.25, logits_scaling=2.0)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=32)

# name -> configuration, architecture of GGUF, storage of matrices
MODELS = {
    "llama": (base("llama", "LlamaForCausalLM", rope_scaling=LLAMA3) | dict(tie_word_embeddings=True), "llama", Q.F32),
    "llama-q8_0": (base("llama", "LlamaForCausalLM", 32, attention_bias=True, mlp_bias=True,
                        rope_scaling=dict(rope_type="linear", factor=2.0)), "llama", Q.Q8_0),
    "mixtral": (base("mixtral", "MixtralForCausalLM", num_local_experts=4, num_experts_per_tok=2, sliding_window=None),
                "llama", Q.F16),
    "mixtral-mxfp4": (base("mixtral", "MixtralForCausalLM", 32, num_local_experts=3, num_experts_per_tok=2,
                           sliding_window=None), "llama", Q.MXFP4),
    "qwen2": (base("qwen2", "Qwen2ForCausalLM", rope_scaling=YARN), "qwen2", Q.F32),
    "qwen3": (base("qwen3", "Qwen3ForCausalLM"), "qwen3", Q.F16),
    "qwen2moe": (base("qwen2_moe", "Qwen2MoeForCausalLM", num_experts=4, num_experts_per_tok=2, norm_topk_prob=False,
                      moe_intermediate_size=8, shared_expert_intermediate_size=12), "qwen2moe", Q.F32),
    "qwen3moe": (base("qwen3_moe", "Qwen3MoeForCausalLM", num_experts=4, num_experts_per_tok=2, norm_topk_prob=True,
                      moe_intermediate_size=8), "qwen3moe", Q.BF16),
    "olmoe": (base("olmoe", "OlmoeForCausalLM", num_experts=4, num_experts_per_tok=2, norm_topk_prob=False,
                   clip_qkv=1.5) | dict(head_dim=4), "olmoe", Q.F32),
    "granitemoe": (base("granitemoe", "GraniteMoeForCausalLM", num_local_experts=4, num_experts_per_tok=2, **GRANITE)
                   | dict(head_dim=4), "granitemoe", Q.F32),
    "granitemoeshared": (base("granitemoeshared", "GraniteMoeSharedForCausalLM", num_local_experts=4,
                              num_experts_per_tok=2, shared_intermediate_size=12, **GRANITE) | dict(head_dim=4),
                         "granitemoe", Q.F32),
    "gpt-oss": (base("gpt_oss", "GptOssForCausalLM", num_local_experts=4, num_experts_per_tok=2, sliding_window=4,
                     attention_bias=True, rope_scaling=YARN | dict(truncate=False)), "gpt-oss", Q.F32),
    "deepseek-v2": (deepseek("deepseek_v2", "DeepseekV2ForCausalLM", q_lora_rank=None, scoring_func="softmax",
                             topk_method="greedy", norm_topk_prob=False, routed_scaling_factor=1.5, n_group=1,
                             topk_group=1, rope_scaling=YARN | dict(beta_fast=32, beta_slow=1, mscale=0.707,
                                                                   mscale_all_dim=0.707)), "deepseek2", Q.F32),
    "deepseek-v3": (deepseek("deepseek_v3", "DeepseekV3ForCausalLM", q_lora_rank=16, scoring_func="sigmoid",
                             topk_method="noaux_tc", norm_topk_prob=True, routed_scaling_factor=2.5, n_group=4,
                             topk_group=2), "deepseek2", Q.F32),
}


def expert_names(c):
    if c["model_type"] == "mixtral":
        return "block_sparse_moe", "w1", "w3", "w2"
    if c["model_type"].startswith("granite"):
        return "block_sparse_moe", "gate_proj", "up_proj", "down_proj"
    return "mlp", "gate_proj", "up_proj", "down_proj"


def shapes(c):
    """name -> shape of every tensor of the checkpoint."""
    hidden = c["hidden_size"]
    out = {"model.embed_tokens.weight": (VOCAB, hidden), "model.norm.weight": (hidden,)}
    if not c["tie_word_embeddings"]:
        out["lm_head.weight"] = (VOCAB, hidden)
    experts = c.get("num_local_experts") or c.get("num_experts") or c.get("n_routed_experts") or 0
    for i in range(LAYERS):
        p = f"model.layers.{i}."
        out[p + "input_layernorm.weight"] = out[p + "post_attention_layernorm.weight"] = (hidden,)
        out |= attention_shapes(c, p + "self_attn.")
        if experts and i >= c.get("first_k_dense_replace", 0):
            out |= expert_shapes(c, p, experts)
        else:
            out |= mlp_shapes(p + "mlp.", hidden, c["intermediate_size"], c.get("mlp_bias"))
    return out


def mlp_shapes(p, hidden, inner, bias=False):
    out = {p + "gate_proj.weight": (inner, hidden), p + "up_proj.weight": (inner, hidden),
           p + "down_proj.weight": (hidden, inner)}
    return out | ({k.replace("weight", "bias"): (v[0],) for k, v in out.items()} if bias else {})


def attention_shapes(c, p):
    heads, kv, hidden = c["num_attention_heads"], c["num_key_value_heads"], c["hidden_size"]
    if "kv_lora_rank" in c:
        rank, rope, nope, v = (c[k] for k in ("kv_lora_rank", "qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim"))
        out = {p + "kv_a_proj_with_mqa.weight": (rank + rope, hidden), p + "kv_a_layernorm.weight": (rank,),
               p + "kv_b_proj.weight": (heads * (nope + v), rank), p + "o_proj.weight": (hidden, heads * v)}
        if c["q_lora_rank"] is None:
            return out | {p + "q_proj.weight": (heads * (nope + rope), hidden)}
        return out | {p + "q_a_proj.weight": (c["q_lora_rank"], hidden), p + "q_a_layernorm.weight": (c["q_lora_rank"],),
                      p + "q_b_proj.weight": (heads * (nope + rope), c["q_lora_rank"])}
    d = c["head_dim"]
    out = {p + "q_proj.weight": (heads * d, hidden), p + "k_proj.weight": (kv * d, hidden),
           p + "v_proj.weight": (kv * d, hidden), p + "o_proj.weight": (hidden, heads * d)}
    if c["model_type"] in ("qwen2", "qwen2_moe") or c.get("attention_bias"):
        out |= {p + f"{x}_proj.bias": out[p + f"{x}_proj.weight"][:1] for x in "qkv"}
    if c.get("attention_bias"):
        out[p + "o_proj.bias"] = (hidden,)
    if c["model_type"] == "gpt_oss":
        out[p + "sinks"] = (heads,)
    if c["model_type"] in ("qwen3", "qwen3_moe"):
        out |= {p + "q_norm.weight": (d,), p + "k_norm.weight": (d,)}
    if c["model_type"] == "olmoe":
        out |= {p + "q_norm.weight": (heads * d,), p + "k_norm.weight": (kv * d,)}
    return out


def fused_expert_shapes(c, p, experts):
    """Granite and gpt-oss are published with the experts of a layer in one tensor."""
    hidden, inner = c["hidden_size"], c["intermediate_size"]
    if c["model_type"] == "gpt_oss":
        q = p + "mlp.experts."
        return {p + "mlp.router.weight": (experts, hidden), p + "mlp.router.bias": (experts,),
                q + "gate_up_proj": (experts, hidden, 2 * inner), q + "gate_up_proj_bias": (experts, 2 * inner),
                q + "down_proj": (experts, inner, hidden), q + "down_proj_bias": (experts, hidden)}
    q, shared = p + "block_sparse_moe.", c.get("shared_intermediate_size")
    out = {q + "router.layer.weight": (experts, hidden), q + "input_linear.weight": (experts, 2 * inner, hidden),
           q + "output_linear.weight": (experts, hidden, inner)}
    if shared:
        out |= {p + "shared_mlp.input_linear.weight": (2 * shared, hidden),
                p + "shared_mlp.output_linear.weight": (hidden, shared)}
    return out


def expert_shapes(c, p, experts):
    if c["model_type"].startswith("granite") or c["model_type"] == "gpt_oss":
        return fused_expert_shapes(c, p, experts)
    block, gate, up, down = expert_names(c)
    hidden, inner = c["hidden_size"], c.get("moe_intermediate_size", c["intermediate_size"])
    out = {f"{p}{block}.gate.weight": (experts, hidden)}
    for e in range(experts):
        q = f"{p}{block}.experts.{e}."
        out |= {f"{q}{gate}.weight": (inner, hidden), f"{q}{up}.weight": (inner, hidden),
                f"{q}{down}.weight": (hidden, inner)}
    if c["model_type"] == "qwen2_moe":
        out |= mlp_shapes(p + "mlp.shared_expert.", hidden, c["shared_expert_intermediate_size"])
        out[p + "mlp.shared_expert_gate.weight"] = (1, hidden)
    if c["model_type"].startswith("deepseek"):
        out |= mlp_shapes(p + "mlp.shared_experts.", hidden, inner * c["n_shared_experts"])
    if c["model_type"] == "deepseek_v3":
        out[p + "mlp.gate.e_score_correction_bias"] = (experts,)
    return out


def is_norm(name):
    return "norm" in name


def storage_of(name, shape, kind):
    """What convert_hf_to_gguf.py and llama-quantize do: vectors and routers stay F32."""
    if len(shape) == 1 or ".gate.weight" in name or "shared_expert_gate" in name:
        return Q.F32
    if kind == Q.MXFP4:
        return kind if ".experts." in name else Q.Q8_0
    return kind


def draw(c, kind, seed):
    rng = np.random.default_rng(seed)
    stored = {}
    for name, shape in sorted(shapes(c).items()):
        values = rng.standard_normal(shape).astype(np.float32)
        if is_norm(name):
            values = 1 + values * np.float32(0.2)
        elif name.endswith("bias"):
            values *= np.float32(0.3)
        elif "embed_tokens" not in name:
            values *= np.float32(2 / np.sqrt(shape[-1]))
        how = storage_of(name, shape, kind)
        stored[name] = (how, gguf.quants.quantize(values, how) if how not in (Q.F32, Q.F16) else values)
        if how == Q.F16:
            stored[name] = (how, values.astype(np.float16))
    return stored


def plain(how, data):
    """What is stored, as the checkpoint keeps it: F16 and BF16 as they are, blocks as the float32 they stand for."""
    if how == Q.BF16:
        return gguf.quants.dequantize(data, how)
    return data if how in (Q.F32, Q.F16) else gguf.quants.dequantize(data, how)


def paired(data, heads):
    """LlamaModel.permute of convert_hf_to_gguf.py, on rows of any storage."""
    return (data.reshape(heads, 2, data.shape[0] // heads // 2, *data.shape[1:]).swapaxes(1, 2).reshape(data.shape))


def parted(c, name, data):
    """What Granite's and gpt-oss' converters make of a fused tensor: gate, up and down apart, one row an output."""
    layer, inner = name.split(".")[2], c["intermediate_size"]
    block = "blk.%s.ffn_{}_%s" % (layer, "shexp" if "shared_mlp" in name else "exps")
    if c["model_type"] == "gpt_oss":
        bias = name.endswith("_bias")
        rows = data if bias else data.swapaxes(1, 2)
        ending = ".bias" if bias else ".weight"
        if "down_proj" in name:
            return [(block.format("down") + ending, rows)]
        return [(block.format("gate") + ending, rows[:, ::2]), (block.format("up") + ending, rows[:, 1::2])]
    if "output_linear" in name:
        return [(block.format("down") + ".weight", data)]
    half = data.shape[-2] // 2
    return [(block.format("gate") + ".weight", data[..., :half, :]), (block.format("up") + ".weight", data[..., half:, :])]


def converted(c, arch, stored):
    """(name, storage, data) of the GGUF file."""
    names = gguf.get_tensor_name_map({v: k for k, v in gguf.MODEL_ARCH_NAMES.items()}[arch], LAYERS)
    block, gate, up, down = expert_names(c)
    fused, out = {}, []
    for name, (how, data) in stored.items():
        if "put_linear" in name or (c["model_type"] == "gpt_oss" and ".experts." in name):
            out += [(n, how, np.ascontiguousarray(d)) for n, d in parted(c, name, data)]
            continue
        if c["model_type"] == "gpt_oss" and (name.endswith("sinks") or "post_attention" in name):
            layer = name.split(".")[2]
            out.append((f"blk.{layer}." + ("attn_sinks" if "sinks" in name else "post_attention_norm") + ".weight", how, data))
            continue
        if ".experts." in name:
            layer, expert, which = name.split(".")[2], int(name.split(".")[5]), name.split(".")[6]
            fused.setdefault((f"model.layers.{layer}.{block}.experts.{which}.weight", how), {})[expert] = data
            continue
        if arch in ("llama", "granitemoe") and ".q_proj." in name:
            data = paired(data, c["num_attention_heads"])
        if arch in ("llama", "granitemoe") and ".k_proj." in name:
            data = paired(data, c["num_key_value_heads"])
        if name.endswith("e_score_correction_bias"):
            name = name.replace("e_score_correction_bias", "e_score_correction.bias")
        if name.endswith("kv_b_proj.weight") and c["model_type"] == "deepseek_v3":
            heads, nope = c["num_attention_heads"], c["qk_nope_head_dim"]
            parts = data.reshape(heads, -1, data.shape[-1])
            stem = name.replace("kv_b_proj", "{}_b_proj")
            out.append((stem.format("k"), how, np.ascontiguousarray(parts[:, :nope].swapaxes(1, 2))))
            out.append((stem.format("v"), how, np.ascontiguousarray(parts[:, nope:])))
            continue
        out.append((name, how, data.squeeze() if "shared_expert_gate" in name else data))
    for (name, how), experts in fused.items():
        out.append((name, how, np.stack([experts[e] for e in range(len(experts))])))
    return [(names.get_name(n, try_suffixes=(".weight", ".bias")) or n, how, data) for n, how, data in out]


def llama3_factors(c):
    s, d = c["rope_scaling"], c["head_dim"]
    out = []
    for f in 1.0 / (c["rope_theta"] ** (np.arange(0, d, 2) / d)):
        wave, old = 2 * np.pi / f, s["original_max_position_embeddings"]
        low, high = s["low_freq_factor"], s["high_freq_factor"]
        if wave < old / high:
            out.append(1.0)
        elif wave > old / low:
            out.append(s["factor"])
        else:
            smooth = (old / wave - low) / (high - low)
            out.append(1 / ((1 - smooth) / s["factor"] + smooth))
    return np.array(out, np.float32)


def add_rope(w, c):
    scaling = c.get("rope_scaling") or {}
    kind = scaling.get("type") or scaling.get("rope_type")
    if kind == "linear":
        w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        w.add_rope_scaling_factor(scaling["factor"])
    if kind == "yarn":
        w.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        w.add_rope_scaling_factor(scaling["factor"])
        w.add_rope_scaling_orig_ctx_len(scaling["original_max_position_embeddings"])
    if "mscale_all_dim" in scaling:
        w.add_rope_scaling_yarn_log_mul(0.1 * scaling["mscale_all_dim"])
    if kind == "llama3":
        w.add_tensor("rope_freqs.weight", llama3_factors(c))


def add_experts(w, c):
    w.add_expert_count(c.get("num_local_experts") or c.get("num_experts") or c["n_routed_experts"])
    w.add_expert_used_count(c["num_experts_per_tok"])
    if "moe_intermediate_size" in c:
        w.add_expert_feed_forward_length(c["moe_intermediate_size"])
    if "shared_expert_intermediate_size" in c:
        w.add_expert_shared_feed_forward_length(c["shared_expert_intermediate_size"])
    if not c["model_type"].startswith("deepseek"):
        return
    w.add_leading_dense_block_count(c["first_k_dense_replace"])
    w.add_expert_shared_count(c["n_shared_experts"])
    w.add_expert_weights_scale(c["routed_scaling_factor"])
    w.add_expert_weights_norm(c["norm_topk_prob"])
    sigmoid = c["scoring_func"] == "sigmoid"
    w.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID if sigmoid else gguf.ExpertGatingFuncType.SOFTMAX)
    if c["n_group"] > 1:
        w.add_expert_group_count(c["n_group"])
        w.add_expert_group_used_count(c["topk_group"])


def add_attention(w, c):
    w.add_head_count(c["num_attention_heads"])
    if "kv_lora_rank" not in c:
        w.add_head_count_kv(c["num_key_value_heads"])
        w.add_key_length(c["head_dim"])
        w.add_value_length(c["head_dim"])
        w.add_rope_dimension_count(c["head_dim"])
        return
    rank, rope = c["kv_lora_rank"], c["qk_rope_head_dim"]
    whole = c["qk_nope_head_dim"] + rope
    split = c["model_type"] == "deepseek_v3"
    w.add_head_count_kv(1 if split else c["num_attention_heads"])
    w.add_kv_lora_rank(rank)
    if c["q_lora_rank"]:
        w.add_q_lora_rank(c["q_lora_rank"])
    w.add_rope_dimension_count(rope)
    w.add_key_length(rank + rope if split else whole)
    w.add_value_length(rank if split else c["v_head_dim"])
    if split:
        w.add_key_length_mla(whole)
        w.add_value_length_mla(c["v_head_dim"])


def write_gguf(path, c, arch, stored):
    w = gguf.GGUFWriter(path, arch)
    w.add_context_length(c["max_position_embeddings"])
    w.add_embedding_length(c["hidden_size"])
    w.add_block_count(LAYERS)
    w.add_feed_forward_length(c["intermediate_size"])
    w.add_layer_norm_rms_eps(c["rms_norm_eps"])
    w.add_rope_freq_base(c["rope_theta"])
    w.add_vocab_size(VOCAB)
    w.add_quantization_version(gguf.GGML_QUANT_VERSION)
    w.add_uint32("tokenizer.ggml.bos_token_id", 1)
    w.add_uint32("tokenizer.ggml.eos_token_id", 2)
    if "embedding_multiplier" in c:
        w.add_embedding_scale(c["embedding_multiplier"])
        w.add_residual_scale(c["residual_multiplier"])
        w.add_attention_scale(c["attention_multiplier"])
        w.add_logit_scale(c["logits_scaling"])
    if c["model_type"] == "gpt_oss":
        w.add_sliding_window(c["sliding_window"])
        w.add_expert_feed_forward_length(c["intermediate_size"])
    if "shared_intermediate_size" in c:
        w.add_expert_shared_feed_forward_length(c["shared_intermediate_size"])
    if "clip_qkv" in c:
        w.add_clamp_kqv(c["clip_qkv"])
    add_attention(w, c)
    if any(k in c for k in ("num_local_experts", "num_experts", "n_routed_experts")):
        add_experts(w, c)
    add_rope(w, c)
    for name, how, data in converted(c, arch, stored):
        w.add_tensor(name, data, raw_dtype=None if how in (Q.F32, Q.F16) else how)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def check(folder):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    ids = torch.tensor([[1, 5, 9, 3, 20, 7, 7, 2, 11, 23, 0, 4]])
    with torch.no_grad():
        a = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)(ids).logits
        config = AutoConfig.from_pretrained(folder)  # its reader of metadata knows few of the keys
        b = AutoModelForCausalLM.from_pretrained(folder, gguf_file="model.gguf", config=config, dtype=torch.float32)(ids).logits
    return f"transformers on both: {(a - b).abs().max():.3g} of {a.abs().max():.3g}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    for seed, (name, (c, arch, kind)) in enumerate(MODELS.items()):
        folder = args.out / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        stored = draw(c, kind, seed)
        save_file({n: plain(*s) for n, s in stored.items()}, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(c, indent=1) + "\n")
        write_gguf(folder / "model.gguf", c, arch, stored)
        size = sum(f.stat().st_size for f in folder.iterdir())
        try:
            print(name, size, check(folder) if args.check else "", flush=True)
        except Exception as reason:  # transformers reads GGUF of some families only
            print(name, size, f"transformers cannot: {type(reason).__name__} {str(reason)[:150]}", flush=True)


if __name__ == "__main__":
    main()
