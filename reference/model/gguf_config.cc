#include "reference/model/gguf_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "reference/model/config_keys.h"
#include "reference/weights/dequant.h"
#include "reference/weights/gguf.h"
#include "reference/weights/gguf_files.h"
#include "reference/weights/gguf_tensors.h"

namespace assay {
namespace {

constexpr std::int64_t kMost = std::int64_t{1} << 40;  // parse_model_config bounds each size by its own limit
constexpr double kLargest = 1e12;

// Written by converters, without influence on a logit.
constexpr std::string_view kHarmlessGgufKeys[] = {"tensor_data_layout", "rope.scaling.finetuned"};

// The entries below "ARCHITECTURE." with that cut off. Long arrays are no hyper-parameters; they stay unknown.
Json entries_below(const GgufHeader& header, const std::string& prefix) {
  constexpr std::uint64_t kMaxElements = 4096;  // one for each layer
  Json out = Json::object();
  for (const GgufEntry& entry : header.metadata) {
    if (!entry.key.starts_with(prefix)) continue;
    const GgufValue& v = entry.value;
    Json& to = out[entry.key.substr(prefix.size())];
    if (const auto integer = v.integer()) {
      to = *integer;
    } else if (const auto number = v.number()) {
      to = *number;
    } else if (const auto boolean = v.boolean()) {
      to = *boolean;
    } else if (const auto text = v.text()) {
      to = std::string(*text);
    } else if (v.count <= kMaxElements && v.integers()) {
      to = *v.integers();
    } else if (v.count <= kMaxElements && v.numbers()) {
      to = *v.numbers();
    } else {
      to = fmt::format("an array of {} {}", v.count, name_of(v.element));
    }
  }
  return out;
}

class Converter {
 public:
  Converter(const Checkpoint& checkpoint, const std::string& architecture)
      : checkpoint_(checkpoint),
        header_(*checkpoint.gguf()),
        architecture_(architecture),
        entries_(entries_below(header_, architecture + ".")),
        keys_(entries_, checkpoint.path(), architecture + ".") {}

  Result<Json> run() {
    ASSAY_OK(check_general());
    ASSAY_OK(sizes());
    ASSAY_OK(special_ids());
    ASSAY_OK(architecture_ == "deepseek2" ? latent() : grouped());
    ASSAY_OK(rope());
    ASSAY_OK(family());
    ASSAY_OK(keys_.refuse_rest(kHarmlessGgufKeys));
    return std::move(out_);
  }

 private:
  bool has_tensor(std::string_view name) const { return checkpoint_.find(name) != nullptr; }
  std::int64_t rows_of(const std::string& name) const {
    const TensorView* view = checkpoint_.find(name);
    return view == nullptr || view->shape.empty() ? 0 : view->shape[0];
  }

  // What is not the model that it would be taken for.
  Status check_general() {
    const auto only = [&](std::string_view key, std::string_view wanted) -> Status {
      const GgufValue* value = header_.find(key);
      if (value == nullptr || value->text() == wanted) return {};
      return Error{.code = Code::unsupported,
                   .message = "this GGUF file is no language model",
                   .file = checkpoint_.path(),
                   .offset = value->offset,
                   .field = std::string(key),
                   .expected = std::string(wanted),
                   .got = std::string(value->text().value_or("another type")).substr(0, 80)};
    };
    ASSAY_OK(only("general.type", "model"));
    const GgufValue* version = header_.find("general.quantization_version");
    if (version == nullptr || version->integer() == 2) return {};  // GGML_QNT_VERSION since 2023
    return Error{.code = Code::unsupported,
                 .message = "the blocks of another version of ggml are not read",
                 .file = checkpoint_.path(),
                 .offset = version->offset,
                 .field = "general.quantization_version",
                 .expected = "2",
                 .got = std::to_string(version->integer().value_or(-1))};
  }

  // A number, or one for each layer where all are the same.
  Result<std::int64_t> same(const std::string& key, std::int64_t fallback) {
    const Json* value = keys_.find(key);
    if (value == nullptr) return fallback;
    ASSAY_TRY(const auto list, keys_.integers(key, 0, kMost));
    const bool alike =
        !list.empty() && std::all_of(list.begin(), list.end(), [&](std::int64_t n) { return n == list[0]; });
    if (alike) return list[0];
    return keys_.refuse(Code::unsupported, key, "the layers of this model differ, which is not read",
                        "one number", dump_json(*value).substr(0, 80));
  }
  Result<std::int64_t> same(const std::string& key) {
    ASSAY_TRY(const std::int64_t value, same(key, -1));
    if (value >= 0) return value;
    return keys_.refuse(Code::missing_field, key, "the metadata lack a number", "an integer", "nothing");
  }

  // A key that may only say what is done anyway.
  Status only_number(const std::string& key, double wanted) {
    ASSAY_TRY(const double got, keys_.number_or(key, wanted, -kLargest, kLargest));
    if (got == wanted) return {};
    return keys_.refuse(Code::unsupported, key,
                        "the metadata ask for something that this architecture does not do here",
                        fmt::format("{}", wanted), fmt::format("{}", got));
  }

  Status sizes() {
    ASSAY_TRY(out_["num_hidden_layers"], same("block_count"));
    ASSAY_TRY(out_["max_position_embeddings"], same("context_length"));
    ASSAY_TRY(out_["hidden_size"], same("embedding_length"));
    ASSAY_TRY(const double eps, keys_.number("attention.layer_norm_rms_epsilon", 0, 1));
    out_["rms_norm_eps"] = eps;
    ASSAY_TRY(out_["vocab_size"], same("vocab_size", rows_of("model.embed_tokens.weight")));
    out_["tie_word_embeddings"] = !has_tensor("lm_head.weight");
    const TensorView* embedding = checkpoint_.find("model.embed_tokens.weight");
    const Format format = embedding == nullptr ? Format::F16 : embedding->format;
    out_["torch_dtype"] =
        format == Format::F32 ? "float32" : (format == Format::BF16 ? "bfloat16" : "float16");
    ASSAY_TRY(const bool causal, keys_.boolean_or("attention.causal", true));
    if (!causal)
      return keys_.refuse(Code::unsupported, "attention.causal", "attention to later tokens is not read",
                          "true", "false");
    return only_number("pooling_type", 0);
  }

  Status special_ids() {
    const auto id = [&](std::string_view key) {
      const GgufValue* value = header_.find(key);
      return value == nullptr ? std::nullopt : value->integer();
    };
    if (const auto bos = id("tokenizer.ggml.bos_token_id")) out_["bos_token_id"] = *bos;
    Json ends = Json::array();
    for (const char* key :
         {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
      const auto end = id(key);
      if (end && std::find(ends.begin(), ends.end(), Json(*end)) == ends.end()) ends.push_back(*end);
    }
    if (!ends.empty()) out_["eos_token_id"] = ends;
    return {};
  }

  Status grouped() {
    ASSAY_TRY(const std::int64_t heads, same("attention.head_count"));
    ASSAY_TRY(out_["num_key_value_heads"], same("attention.head_count_kv", heads));
    out_["num_attention_heads"] = heads;
    const std::int64_t hidden = out_.at("hidden_size").get<std::int64_t>();
    const std::int64_t usual = heads > 0 && hidden % heads == 0 ? hidden / heads : 0;
    ASSAY_TRY(const std::int64_t head, same("attention.key_length", usual));
    ASSAY_TRY(const std::int64_t value, same("attention.value_length", head));
    ASSAY_TRY(const std::int64_t turned, same("rope.dimension_count", head));
    if (value != head || turned != head) {
      return keys_.refuse(Code::unsupported,
                          value != head ? "attention.value_length" : "rope.dimension_count",
                          "heads are not rotated, or not read, as a whole", std::to_string(head),
                          std::to_string(value != head ? value : turned));
    }
    out_["head_dim"] = head;
    // Qwen2's q, k and v, and all four of gpt-oss, always have one.
    const bool fixed = architecture_ == "qwen2" || architecture_ == "qwen2moe" || architecture_ == "gpt-oss";
    if (!fixed && has_tensor("model.layers.0.self_attn.q_proj.bias")) out_["attention_bias"] = true;
    return {};
  }

  // DeepSeek. Files since April 2025 describe the absorbed form: keys as long as latent and rotated part, one key head.
  Status latent() {
    ASSAY_TRY(const std::int64_t heads, same("attention.head_count"));
    ASSAY_TRY(const std::int64_t rank, same("attention.kv_lora_rank"));
    ASSAY_TRY(const std::int64_t turned, same("rope.dimension_count"));
    ASSAY_TRY(const std::int64_t key, same("attention.key_length"));
    ASSAY_TRY(const std::int64_t value, same("attention.value_length"));
    ASSAY_TRY(const std::int64_t whole_key, same("attention.key_length_mla", key));
    ASSAY_TRY(const std::int64_t whole_value, same("attention.value_length_mla", value));
    ASSAY_TRY(const std::int64_t kv_heads, same("attention.head_count_kv", heads));
    const bool absorbed = keys_.has("attention.key_length_mla");
    if (absorbed ? key != rank + turned || value != rank || kv_heads != 1 : kv_heads != heads) {
      return keys_.refuse(Code::bad_value, "attention.key_length",
                          "the sizes of the latent attention do not fit each other",
                          absorbed ? fmt::format("{} and {}, 1 key head", rank + turned, rank)
                                   : fmt::format("{} key heads", heads),
                          fmt::format("{} and {}, {}", key, value, kv_heads));
    }
    ASSAY_TRY(const std::int64_t q_rank, same("attention.q_lora_rank", 0));
    out_["num_attention_heads"] = out_["num_key_value_heads"] = heads;
    out_["q_lora_rank"] = q_rank == 0 ? Json(nullptr) : Json(q_rank);
    out_["kv_lora_rank"] = rank;
    out_["qk_rope_head_dim"] = turned;
    out_["qk_nope_head_dim"] = whole_key - turned;
    out_["v_head_dim"] = whole_value;
    if (has_tensor("model.layers.0.self_attn.kv_a_proj_with_mqa.bias")) out_["attention_bias"] = true;
    return {};
  }

  Status rope() {
    ASSAY_TRY(const double theta,
              keys_.number_or("rope.freq_base", 10000, 0, kLargest));  // llama.cpp's default
    out_["rope_theta"] = theta;
    ASSAY_TRY(const double old_factor,
              keys_.number_or("rope.scale_linear", 1, 0, kLargest));  // before rope.scaling.*
    const bool old_linear = old_factor != 1 && old_factor != 0;
    ASSAY_TRY(const std::string type, keys_.text_or("rope.scaling.type", old_linear ? "linear" : "none"));
    ASSAY_TRY(const double factor,
              keys_.number_or("rope.scaling.factor", old_linear ? old_factor : 1, 0, kLargest));
    ASSAY_OK(only_number("rope.scaling.attn_factor", 1));
    const TensorView* factors = checkpoint_.find(kRopeFactorsName);
    if (factors != nullptr) return rope_factors(*factors, type);
    if (type == "yarn") return yarn(factor);
    ASSAY_OK(same("rope.scaling.original_context_length", 0));  // only YaRN asks for it
    if (type == "none") return {};
    if (type == "linear") {
      out_["rope_scaling"] = {{"rope_type", "linear"}, {"factor", factor}};
      return {};
    }
    return keys_.refuse(Code::unsupported, "rope.scaling.type", "a rope type that this version does not know",
                        "none, linear or yarn", type.substr(0, 80));
  }

  Status rope_factors(const TensorView& view, const std::string& type) {
    ASSAY_OK(same("rope.scaling.original_context_length", 0));
    if (type != "none")
      return keys_.refuse(Code::unsupported, "rope.scaling.type",
                          "frequencies are scaled twice: by rope_freqs.weight and so", "none",
                          type.substr(0, 80));
    ASSAY_TRY(const std::vector<float> factors, load_f32(checkpoint_, view.name, view.shape));
    Json list = Json::array();
    for (const float factor : factors) list.push_back(finite_or_null(factor));
    out_["rope_scaling"] = {{"rope_type", "frequency_factors"}, {"factors", std::move(list)}};
    return {};
  }

  Status yarn(double factor) {
    Json scaling = {{"rope_type", "yarn"}, {"factor", factor}};
    ASSAY_TRY(scaling["original_max_position_embeddings"], same("rope.scaling.original_context_length"));
    ASSAY_TRY(scaling["beta_fast"], keys_.number_or("rope.scaling.yarn_beta_fast", 32, 0, kLargest));
    ASSAY_TRY(scaling["beta_slow"], keys_.number_or("rope.scaling.yarn_beta_slow", 1, 0, kLargest));
    ASSAY_OK(only_number("rope.scaling.yarn_ext_factor", 1));
    ASSAY_OK(only_number("rope.scaling.yarn_attn_factor", 1));
    if (architecture_ == "gpt-oss") scaling["truncate"] = false;  // as all its configurations say
    if (architecture_ == "deepseek2") {
      ASSAY_TRY(const double log_multiplier, keys_.number("rope.scaling.yarn_log_multiplier", 1e-6, 1e6));
      // 0.1 mscale_all_dim as an f32; the decimal that was meant, 0.707 and not 0.7070000000000001
      const double mscale = std::stod(fmt::format("{:.6g}", log_multiplier * 10));
      scaling["mscale"] = scaling["mscale_all_dim"] = mscale;
    }
    out_["rope_scaling"] = std::move(scaling);
    return {};
  }

  void name(const char* model_type) { out_["model_type"] = model_type; }

  Status family() {
    ASSAY_TRY(const std::int64_t experts, same("expert_count", 0));
    ASSAY_TRY(const std::int64_t window, same("attention.sliding_window", 0));
    const Json window_or_null = window > 0 ? Json(window) : Json(nullptr);
    if (architecture_ == "llama") return llama(experts, window_or_null);
    if (architecture_ == "gpt-oss") return gpt_oss(experts, window);
    if (architecture_ == "qwen3moe")
      out_["sliding_window"] = window_or_null, out_["use_sliding_window"] = window > 0;
    if (architecture_ != "qwen3moe" && window > 0)
      return keys_.refuse(Code::unsupported, "attention.sliding_window",
                          "it is not said which layers of this architecture slide", "0",
                          std::to_string(window));
    if (architecture_ == "deepseek2") return deepseek();
    if (architecture_ == "granitemoe") return granite(experts);
    ASSAY_TRY(out_["intermediate_size"], same("feed_forward_length", expert_inner()));
    if (architecture_ == "qwen2" || architecture_ == "qwen3") {
      name(architecture_ == "qwen2" ? "qwen2" : "qwen3");
      return dense(experts);
    }
    ASSAY_OK(routing(experts, "num_experts", architecture_ == "qwen3moe"));
    if (architecture_ == "olmoe") {
      name("olmoe");
      ASSAY_TRY(const double clip, keys_.number_or("attention.clamp_kqv", 0, 0, kLargest));
      if (clip > 0) out_["clip_qkv"] = clip;
      return {};
    }
    return qwen_experts();
  }

  Status dense(std::int64_t experts) {
    if (experts == 0) return only_number("expert_used_count", 0);
    return keys_.refuse(Code::unsupported, "expert_count", "this architecture has no experts", "0",
                        std::to_string(experts));
  }

  Status llama(std::int64_t experts, const Json& window) {
    name(experts > 0 ? "mixtral" : (window.is_null() ? "llama" : "mistral"));
    if (experts > 0 || !window.is_null()) out_["sliding_window"] = window;
    ASSAY_TRY(out_["intermediate_size"], same("feed_forward_length", expert_inner()));
    if (has_tensor("model.layers.0.mlp.gate_proj.bias")) out_["mlp_bias"] = true;
    if (experts > 0) return routing(experts, "num_local_experts", true);
    return only_number("expert_used_count", 0);
  }

  // Soft-max over the chosen experts, which is what normalising a soft-max over all of them gives.
  Status granite(std::int64_t experts) {
    constexpr std::pair<const char*, const char*> kMultipliers[] = {
        {"embedding_scale", "embedding_multiplier"},
        {"residual_scale", "residual_multiplier"},
        {"attention.scale", "attention_multiplier"},
        {"logit_scale", "logits_scaling"}};
    for (const auto& [key, name_here] : kMultipliers) {
      ASSAY_TRY(const double value, keys_.number(key, 0, kLargest));
      out_[name_here] = value;
    }
    ASSAY_TRY(out_["intermediate_size"], same("feed_forward_length", expert_inner()));
    out_["num_local_experts"] = experts;
    ASSAY_TRY(out_["num_experts_per_tok"], same("expert_used_count"));
    ASSAY_TRY(const std::int64_t shared, same("expert_shared_feed_forward_length", 0));
    name(shared > 0 ? "granitemoeshared" : "granitemoe");
    if (shared > 0) out_["shared_intermediate_size"] = shared;
    ASSAY_OK(only_number("expert_gating_func", 1));
    return only_number("expert_weights_scale", 1);
  }

  // Windows in layers 0, 2, 4, ...; alpha and limit of the gates are constants there (llama.cpp, openai-moe).
  Status gpt_oss(std::int64_t experts, std::int64_t window) {
    name("gpt_oss");
    if (window <= 0)
      return keys_.refuse(Code::missing_field, "attention.sliding_window",
                          "the windows of gpt-oss are not given", "an integer", "nothing");
    out_["sliding_window"] = window;
    ASSAY_TRY(out_["intermediate_size"], same("expert_feed_forward_length", expert_inner()));
    ASSAY_OK(same("feed_forward_length", 0));  // the same, or what a dense layer would have
    out_["num_local_experts"] = experts;
    ASSAY_TRY(out_["num_experts_per_tok"], same("expert_used_count"));
    constexpr double kSoftmaxOfChosen = 3;  // LLAMA_EXPERT_GATING_FUNC_TYPE_SOFTMAX_WEIGHT
    return only_number("expert_gating_func", kSoftmaxOfChosen);
  }

  // Rows of the first expert's gate, in the first layer that has one.
  std::int64_t expert_inner() const {
    const GgufNames* names = find_gguf_names(architecture_);
    for (std::int64_t i = 0; i < out_.at("num_hidden_layers").get<std::int64_t>() && i < 4096; ++i) {
      const auto rows =
          rows_of(fmt::format("model.layers.{}.{}.experts.0.{}.weight", i, names->moe_block, names->gate));
      if (rows > 0) return rows;
    }
    return 0;
  }

  // Soft-max over all experts, the best k of them; `normalised` where the metadata do not say.
  Status routing(std::int64_t experts, const char* count_key, bool normalised) {
    out_[count_key] = experts;
    ASSAY_TRY(out_["num_experts_per_tok"], same("expert_used_count"));
    ASSAY_TRY(const bool norm, keys_.boolean_or("expert_weights_norm", normalised));
    if (architecture_ == "llama" && !norm)
      return keys_.refuse(Code::unsupported, "expert_weights_norm", "Mixtral's weights are normalised",
                          "true", "false");
    if (architecture_ != "llama") out_["norm_topk_prob"] = norm;
    ASSAY_OK(only_number("expert_gating_func", 1));
    ASSAY_OK(only_number("expert_weights_scale", 1));
    ASSAY_TRY(const std::int64_t inner, same("expert_feed_forward_length", expert_inner()));
    if (architecture_ == "qwen2moe" || architecture_ == "qwen3moe") {
      out_["moe_intermediate_size"] = inner;
    } else if (inner != out_.at("intermediate_size").get<std::int64_t>()) {
      return keys_.refuse(Code::unsupported, "expert_feed_forward_length",
                          "experts of another width than the model's are not read here",
                          dump_json(out_.at("intermediate_size")), std::to_string(inner));
    }
    return {};
  }

  Status qwen_experts() {
    const bool shared = architecture_ == "qwen2moe";
    name(shared ? "qwen2_moe" : "qwen3_moe");
    Json plain = Json::array();
    std::string first_shared;
    for (std::int64_t i = 0;
         i < std::min<std::int64_t>(out_.at("num_hidden_layers").get<std::int64_t>(), 4096); ++i) {
      const std::string block = fmt::format("model.layers.{}.mlp", i);
      if (!has_tensor(block + ".gate.weight")) plain.push_back(i);
      if (first_shared.empty() && has_tensor(block + ".shared_expert.gate_proj.weight")) first_shared = block;
    }
    out_["mlp_only_layers"] = std::move(plain);
    out_["decoder_sparse_step"] = 1;
    if (!shared) return {};
    ASSAY_TRY(
        out_["shared_expert_intermediate_size"],
        same("expert_shared_feed_forward_length", rows_of(first_shared + ".shared_expert.gate_proj.weight")));
    return {};
  }

  Status deepseek() {
    ASSAY_TRY(out_["intermediate_size"], same("feed_forward_length"));
    ASSAY_TRY(out_["first_k_dense_replace"], same("leading_dense_block_count", 0));
    ASSAY_TRY(out_["n_routed_experts"], same("expert_count"));
    ASSAY_TRY(out_["num_experts_per_tok"], same("expert_used_count"));
    ASSAY_TRY(out_["moe_intermediate_size"], same("expert_feed_forward_length"));
    ASSAY_TRY(out_["n_shared_experts"], same("expert_shared_count", 0));
    ASSAY_TRY(const double scale, keys_.number_or("expert_weights_scale", 1, -kLargest, kLargest));
    out_["routed_scaling_factor"] = scale == 0 ? 1 : scale;  // converters write 0 for none
    ASSAY_TRY(const bool norm, keys_.boolean_or("expert_weights_norm", false));
    out_["norm_topk_prob"] = norm;
    return deepseek_router();
  }

  Status deepseek_router() {
    constexpr std::int64_t kSoftmax = 1, kSigmoid = 2;  // llama_expert_gating_func_type
    const std::int64_t experts = out_.at("n_routed_experts").get<std::int64_t>();
    const bool bias =
        std::any_of(checkpoint_.tensors().begin(), checkpoint_.tensors().end(),
                    [](const TensorView& t) { return t.name.ends_with(".e_score_correction_bias"); });
    ASSAY_TRY(const std::int64_t function, same("expert_gating_func", bias ? 0 : kSoftmax));
    if (function != kSoftmax && function != kSigmoid)
      return keys_.refuse(function == 0 ? Code::missing_field : Code::unsupported, "expert_gating_func",
                          "it is not known how experts are scored", "1 (softmax) or 2 (sigmoid)",
                          std::to_string(function));
    const bool v3 = function == kSigmoid;
    const bool grouped_size = experts == (v3 ? 256 : 160);
    if (grouped_size && !keys_.has("expert_group_count"))
      return keys_.refuse(
          Code::missing_field, "expert_group_count",
          "models of this size choose among groups of experts, and this file does not say how", "an integer",
          "nothing");
    ASSAY_TRY(const std::int64_t groups, same("expert_group_count", 1));
    ASSAY_TRY(out_["topk_group"], same("expert_group_used_count", groups));
    out_["n_group"] = groups;
    name(v3 ? "deepseek_v3" : "deepseek_v2");
    out_["scoring_func"] = v3 ? "sigmoid" : "softmax";
    out_["topk_method"] = v3 ? "noaux_tc" : (groups > 1 ? "group_limited_greedy" : "greedy");
    return only_number("nextn_predict_layers", 0);
  }

  const Checkpoint& checkpoint_;
  const GgufHeader& header_;
  std::string architecture_;
  Json entries_;
  ConfigKeys keys_;
  Json out_ = Json::object();
};

}  // namespace

Result<Json> config_of_gguf(const Checkpoint& checkpoint) {
  ASSAY_CHECK(checkpoint.gguf() != nullptr);
  const std::string architecture(checkpoint.gguf()->architecture());
  if (find_gguf_names(architecture) != nullptr) return Converter(checkpoint, architecture).run();
  std::string known;
  for (const GgufNames& names : gguf_architectures())
    known += (known.empty() ? "" : ", ") + std::string(names.architecture);
  return Error{.code = architecture.empty() ? Code::missing_field : Code::unsupported,
               .message = "an architecture that this version does not read from GGUF",
               .file = checkpoint.path(),
               .field = "general.architecture",
               .expected = known,
               .got = architecture.empty() ? "nothing" : architecture.substr(0, 80)};
}

Result<std::string> config_text(const std::string& folder_or_gguf) {
  constexpr std::size_t kMaxConfigBytes = std::size_t{16} << 20;
  if (!is_gguf_file(folder_or_gguf)) return read_file(folder_or_gguf + "/config.json", kMaxConfigBytes);
  ASSAY_TRY(const Checkpoint checkpoint, Checkpoint::open(folder_or_gguf));
  ASSAY_TRY(const Json config, config_of_gguf(checkpoint));
  return dump_json(config, 2);
}

Result<ModelConfig> model_config_at(const std::string& folder_or_gguf) {
  if (!is_gguf_file(folder_or_gguf)) return read_model_config(folder_or_gguf + "/config.json");
  ASSAY_TRY(const Checkpoint checkpoint, Checkpoint::open(folder_or_gguf));
  return model_config_of(checkpoint);
}

Result<ModelConfig> model_config_of(const Checkpoint& checkpoint) {
  if (checkpoint.gguf() == nullptr) return read_model_config(checkpoint.folder() + "/config.json");
  ASSAY_TRY(const Json document, config_of_gguf(checkpoint));
  ASSAY_TRY(ModelConfig config, parse_model_config(document, checkpoint.path()));
  config.expert_storage = ExpertStorage::per_expert;  // gguf_tensors.h takes them apart
  return config;
}

}  // namespace assay
