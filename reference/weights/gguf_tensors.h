// Tensors of GGUF files as the Hugging Face checkpoint has them: names, shapes, order of rows, experts apart. What
// llama.cpp's convert_hf_to_gguf.py did is undone by views alone; no byte is touched.
//
//   renamed        blk.3.attn_q.weight is model.layers.3.self_attn.q_proj.weight, and so on (gguf-py tensor_mapping.py)
//   halves paired  `llama`: rows of queries and keys are stored as ggml's rotation wants them (LlamaModel.permute)
//   experts fused  blk.3.ffn_gate_exps.weight (experts, inner, hidden) becomes a slice an expert
//   kv_b split     `deepseek2`: attn_k_b (heads, latent, nope), transposed, and attn_v_b (heads, v, latent) are kv_b_proj
//
// Tensors without a known name, and all those of unknown architectures, keep the name of the file.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "reference/weights/checkpoint.h"
#include "reference/weights/gguf.h"

namespace assay {

inline constexpr std::int64_t kMaxGgufExperts = 1024;  // of one tensor; kernels/contract.h kMaxExperts

// The factors that divide the rotary frequencies (llama3 scaling), (rope_dim / 2).
inline constexpr std::string_view kRopeFactorsName = "model.rotary_emb.freq_factors";

struct GgufPart {
  const GgufHeader* header;
  std::span<const std::byte> bytes;  // of the whole file
  std::string path;                  // for errors
};

// Of all parts, in no order; the first has the metadata. `file_index` of a view is its part's.
Result<std::vector<TensorView>> published_tensors(std::span<const GgufPart> parts);

// What the configuration asks of an architecture's tensors.
struct GgufNames {
  std::string_view architecture;  // general.architecture
  std::string_view moe_block,
      shared_name;  // "mlp" or "block_sparse_moe" below model.layers.N, and of the shared expert in it
  std::string_view router, gate, up, down;  // of the experts
  bool paired;                              // queries and keys are stored in pairs
};
const GgufNames* find_gguf_names(std::string_view architecture);  // nullptr: not known
std::span<const GgufNames> gguf_architectures();

}  // namespace assay
