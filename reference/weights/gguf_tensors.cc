#include "reference/weights/gguf_tensors.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <set>

#include "reference/weights/safetensors.h"

namespace assay {
namespace {

constexpr GgufNames kTensorNames[] = {
    {"llama", "block_sparse_moe", "", "gate", "w1", "w3", "w2", true},  // with experts it is Mixtral
    {"qwen2", "mlp", "", "gate", "gate_proj", "up_proj", "down_proj", false},
    {"qwen3", "mlp", "", "gate", "gate_proj", "up_proj", "down_proj", false},
    {"qwen2moe", "mlp", "shared_expert", "gate", "gate_proj", "up_proj", "down_proj", false},
    {"qwen3moe", "mlp", "", "gate", "gate_proj", "up_proj", "down_proj", false},
    {"olmoe", "mlp", "", "gate", "gate_proj", "up_proj", "down_proj", false},
    {"deepseek2", "mlp", "shared_experts", "gate", "gate_proj", "up_proj", "down_proj", false},
    {"granitemoe", "block_sparse_moe", "shared_mlp", "router.layer", "gate_proj", "up_proj", "down_proj",
     true},
    {"gpt-oss", "mlp", "", "router", "gate_proj", "up_proj", "down_proj", false},
};

// Below model.layers.N of every architecture.
struct Rename {
  std::string_view from, to;
  bool is_matrix;
};
constexpr Rename kInLayer[] = {{"attn_norm", "input_layernorm", false},
                               {"ffn_norm", "post_attention_layernorm", false},
                               {"attn_q", "self_attn.q_proj", true},
                               {"attn_k", "self_attn.k_proj", true},
                               {"attn_v", "self_attn.v_proj", true},
                               {"attn_output", "self_attn.o_proj", true},
                               {"attn_q_norm", "self_attn.q_norm", false},
                               {"attn_k_norm", "self_attn.k_norm", false},
                               {"attn_q_a", "self_attn.q_a_proj", true},
                               {"attn_q_b", "self_attn.q_b_proj", true},
                               {"attn_q_a_norm", "self_attn.q_a_layernorm", false},
                               {"attn_kv_a_mqa", "self_attn.kv_a_proj_with_mqa", true},
                               {"attn_kv_a_norm", "self_attn.kv_a_layernorm", false},
                               {"attn_kv_b", "self_attn.kv_b_proj", true},
                               {"post_attention_norm", "post_attention_layernorm", false},  // gpt-oss
                               {"ffn_gate", "mlp.gate_proj", true},
                               {"ffn_up", "mlp.up_proj", true},
                               {"ffn_down", "mlp.down_proj", true}};
constexpr Rename kOutside[] = {{"token_embd.weight", "model.embed_tokens.weight", true},
                               {"output_norm.weight", "model.norm.weight", false},
                               {"output.weight", "lm_head.weight", true},
                               {"rope_freqs.weight", kRopeFactorsName, false}};

// "blk.3.attn_q.weight" in parts.
struct LayerName {
  std::int64_t layer = 0;
  std::string_view tensor, ending;  // "attn_q", ".weight" or ".bias"
};

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = -1;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = failed == std::errc() && end == text.data() + text.size() && value >= 0;
  return whole && (text.size() == 1 || text[0] != '0') ? std::optional(value) : std::nullopt;
}

std::optional<LayerName> layer_name(std::string_view name) {
  constexpr std::string_view kPrefix = "blk.";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  const std::size_t dot = name.find('.', kPrefix.size()), last = name.rfind('.');
  if (dot == std::string_view::npos || last <= dot) return std::nullopt;
  const auto layer = number(name.substr(kPrefix.size(), dot - kPrefix.size()));
  const std::string_view ending = name.substr(last);
  if (!layer || (ending != ".weight" && ending != ".bias")) return std::nullopt;
  return LayerName{*layer, name.substr(dot + 1, last - dot - 1), ending};
}

void make_matrix(TensorView& view) {  // tools of ggml drop extents of 1 at the end of their list
  if (view.shape.size() == 1) view.shape.insert(view.shape.begin(), 1);
}

class Publisher {
 public:
  explicit Publisher(std::span<const GgufPart> parts) : parts_(parts), header_(*parts[0].header) {
    names_ = find_gguf_names(header_.architecture());
  }

  Result<std::vector<TensorView>> run() {
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      for (const GgufTensor& tensor : parts_[i].header->tensors) {
        TensorView view{.name = tensor.name,
                        .format = tensor.format,
                        .shape = tensor.shape,
                        .bytes = parts_[i].bytes.subspan(tensor.begin, tensor.size),
                        .file_index = i,
                        .offset = static_cast<std::int64_t>(tensor.begin)};
        ASSAY_OK(publish(std::move(view)));
      }
    }
    ASSAY_OK(join_latent());
    return std::move(out_);
  }

 private:
  Error refuse(const TensorView& view, Code code, std::string message, std::string expected,
               std::string got) const {
    return Error{.code = code,
                 .message = std::move(message),
                 .file = parts_[view.file_index].path,
                 .offset = view.offset,
                 .field = view.name,
                 .expected = std::move(expected),
                 .got = std::move(got)};
  }

  Status publish(TensorView view) {
    if (names_ == nullptr) return keep(std::move(view));
    for (const Rename& rename : kOutside) {
      if (view.name != rename.from) continue;
      view.name = rename.to;
      if (rename.is_matrix) make_matrix(view);
      return keep(std::move(view));
    }
    const auto name = layer_name(std::string_view(view.name));
    if (!name) return keep(std::move(view));
    return in_layer(name->layer, std::string(name->tensor), std::string(name->ending), std::move(view));
  }

  Status keep(TensorView view) {
    out_.push_back(std::move(view));
    return {};
  }

  Status in_layer(std::int64_t layer_number, const std::string& tensor, const std::string& ending,
                  TensorView view) {
    const std::string layer = fmt::format("model.layers.{}.", layer_number);
    for (const Rename& rename : kInLayer) {
      if (tensor != rename.from) continue;
      const bool turned = names_->paired && (rename.from == "attn_q" || rename.from == "attn_k");
      if (turned) ASSAY_OK(pair_rows(rename.from == "attn_q", view));
      if (rename.is_matrix && ending == ".weight") make_matrix(view);
      view.name = layer + std::string(rename.to) + ending;
      if (tensor == "attn_kv_b") whole_latent_.insert(layer_number);
      return keep(std::move(view));
    }
    if (tensor == "attn_sinks") {
      view.name = layer + "self_attn.sinks";
      return keep(std::move(view));
    }
    if (tensor == "attn_k_b" || tensor == "attn_v_b") {
      latent_[layer_number][tensor == "attn_v_b" ? 1U : 0U] = std::move(view);
      return {};
    }
    return of_experts(layer + std::string(names_->moe_block), tensor, ending, std::move(view));
  }

  // LlamaModel.permute: within each head the two halves alternate.
  Status pair_rows(bool queries, TensorView& view) const {
    const std::string heads_key = fmt::format("{}.attention.head_count", names_->architecture);
    const GgufValue* heads = header_.find(heads_key);
    const GgufValue* kv_heads = queries ? nullptr : header_.find(heads_key + "_kv");
    const auto n = kv_heads ? kv_heads->integer() : (heads ? heads->integer() : std::nullopt);
    const std::int64_t rows = view.shape[0];
    if (n && *n >= 1 && rows % *n == 0 && rows / *n % 2 == 0) {
      view.paired_rows = rows / *n;
      return {};
    }
    return refuse(view, Code::bad_shape, "the rows of queries or keys are no even number for each head",
                  fmt::format("a multiple of twice {}", kv_heads ? heads_key + "_kv" : heads_key),
                  fmt::format("{} rows, {} heads", rows, n.value_or(0)));
  }

  Status of_experts(const std::string& block, const std::string& tensor, const std::string& ending,
                    TensorView view) {
    const std::string shared = fmt::format("{}.{}", block, names_->shared_name);
    const auto renamed = [&]() -> std::string {
      if (tensor == "ffn_gate_inp") return fmt::format("{}.{}{}", block, names_->router, ending);
      if (tensor == "exp_probs_b") return block + ".gate.e_score_correction_bias";
      if (tensor == "ffn_gate_inp_shexp") return block + ".shared_expert_gate" + ending;
      if (tensor == "ffn_gate_shexp") return shared + ".gate_proj" + ending;
      if (tensor == "ffn_up_shexp") return shared + ".up_proj" + ending;
      if (tensor == "ffn_down_shexp") return shared + ".down_proj" + ending;
      return "";
    }();
    if (!renamed.empty()) {
      view.name = renamed;
      if (tensor != "exp_probs_b" && ending == ".weight") make_matrix(view);
      return keep(std::move(view));
    }
    for (const auto& [from, to] : {std::pair(std::string("ffn_gate"), names_->gate),
                                   {"ffn_up", names_->up},
                                   {"ffn_down", names_->down}}) {
      if (tensor == from + "_exps" && ending == ".bias")
        return slice_biases(block, std::string(to), std::move(view));
      if (tensor == from + "_exps") return slice_experts(block, std::string(to) + ending, std::move(view));
      if (!tensor.starts_with(from + ".")) continue;  // Mixtral before experts were fused: ffn_gate.3
      const auto expert = number(std::string_view(tensor).substr(from.size() + 1));
      if (!expert || *expert >= kMaxGgufExperts) break;
      view.name = fmt::format("{}.experts.{}.{}{}", block, *expert, to, ending);
      return keep(std::move(view));
    }
    return keep(std::move(view));
  }

  Status slice_experts(const std::string& block, const std::string& name, TensorView view) {
    if (view.shape.size() == 2) view.shape.insert(view.shape.begin(), 1);
    if (view.shape.size() != 3 || view.shape[0] > kMaxGgufExperts) {
      return refuse(view, Code::bad_shape, "the experts of a layer cannot be told apart",
                    fmt::format("(experts, rows, columns), at most {} experts", kMaxGgufExperts),
                    shape_text(view.shape));
    }
    const std::int64_t n = view.shape[0];
    const std::size_t size = view.bytes.size() / static_cast<std::size_t>(n);
    ASSAY_CHECK(size * static_cast<std::size_t>(n) == view.bytes.size());
    for (std::int64_t e = 0; e < n; ++e) {
      const std::size_t begin = size * static_cast<std::size_t>(e);
      ASSAY_OK(keep({.name = fmt::format("{}.experts.{}.{}", block, e, name),
                     .format = view.format,
                     .shape = {view.shape[1], view.shape[2]},
                     .bytes = view.bytes.subspan(begin, size),
                     .file_index = view.file_index,
                     .offset = view.offset + static_cast<std::int64_t>(begin)}));
    }
    return {};
  }

  // (experts, n): one vector an expert.
  Status slice_biases(const std::string& block, const std::string& name, TensorView view) {
    if (view.shape.size() != 2) {
      return refuse(view, Code::bad_shape, "the biases of a layer's experts cannot be told apart",
                    "(experts, n)", shape_text(view.shape));
    }
    view.shape.insert(view.shape.begin() + 1, 1);
    const std::size_t before = out_.size();
    ASSAY_OK(slice_experts(block, name + ".bias", std::move(view)));
    for (std::size_t i = before; i < out_.size(); ++i) out_[i].shape.erase(out_[i].shape.begin());
    return {};
  }

  Status join_latent() {
    for (auto& [layer, pair] : latent_) {
      if (whole_latent_.contains(layer)) continue;  // some converters wrote both: the halves say it again
      TensorView &keys = pair[0], &values = pair[1];
      const TensorView& there = keys.name.empty() ? values : keys;
      const bool both = !keys.name.empty() && !values.name.empty();
      if (!both) {
        return refuse(there, Code::missing_tensor, "one half of a split kv_b is missing",
                      "attn_k_b and attn_v_b", there.name);
      }
      const bool fits = keys.shape.size() == 3 && values.shape.size() == 3 &&
                        keys.shape[0] == values.shape[0] && keys.shape[1] == values.shape[2];
      if (!fits) {
        return refuse(keys, Code::bad_shape, "the halves of a split kv_b do not fit each other",
                      "(heads, latent, nope) and (heads, v, latent)",
                      fmt::format("{} and {}", shape_text(keys.shape), shape_text(values.shape)));
      }
      const std::int64_t nope = keys.shape[2], v = values.shape[1];
      TensorView joined{.name = fmt::format("model.layers.{}.self_attn.kv_b_proj.weight", layer),
                        .format = keys.format == values.format ? keys.format : Format::F32,
                        .shape = {keys.shape[0] * (nope + v), keys.shape[1]},
                        .bytes = {},
                        .file_index = keys.file_index,
                        .offset = keys.offset};
      joined.joined = std::make_shared<const JoinedRows>(JoinedRows{.first = std::move(keys),
                                                                    .second = std::move(values),
                                                                    .first_rows = nope,
                                                                    .second_rows = v,
                                                                    .first_transposed = true});
      ASSAY_OK(keep(std::move(joined)));
    }
    return {};
  }

  std::span<const GgufPart> parts_;
  const GgufHeader& header_;
  const GgufNames* names_ = nullptr;
  std::set<std::int64_t> whole_latent_;                       // layers with attn_kv_b
  std::map<std::int64_t, std::array<TensorView, 2>> latent_;  // attn_k_b and attn_v_b by layer
  std::vector<TensorView> out_;
};

}  // namespace

std::span<const GgufNames> gguf_architectures() { return kTensorNames; }

const GgufNames* find_gguf_names(std::string_view architecture) {
  for (const GgufNames& names : kTensorNames) {
    if (names.architecture == architecture) return &names;
  }
  return nullptr;
}

Result<std::vector<TensorView>> published_tensors(std::span<const GgufPart> parts) {
  ASSAY_CHECK(!parts.empty() && parts[0].header != nullptr);
  return Publisher(parts).run();
}

}  // namespace assay
