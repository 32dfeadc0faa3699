// Configurations of every family with keys and values exchanged at random: each is read whole or refused with a field, and
// what was read can be enumerated and counted. The corpus is written here: a small configuration a family.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/rng.h"
#include "reference/model/conventions.h"
#include "reference/model/families.h"
#include "reference/model/rope.h"
#include "reference/model/tensors.h"
#include "tests/catch.h"

namespace {

using namespace assay;

Json seed_of(const Family& family) {
  Json c = {{"model_type", family.model_type},
            {"vocab_size", 9},
            {"hidden_size", 64},
            {"intermediate_size", 32},
            {"num_hidden_layers", 3},
            {"num_attention_heads", 2},
            {"num_key_value_heads", 2},
            {"head_dim", 4},
            {"max_position_embeddings", 64},
            {"rms_norm_eps", 1e-5}};
  if (family.window != WindowRule::none) c["sliding_window"] = 8;
  if (family.window == WindowRule::upper_layers) c["max_window_layers"] = 1;
  if (family.moe != MoeStyle::dense) c["num_experts_per_tok"] = 2;
  if (family.moe == MoeStyle::qwen || family.moe == MoeStyle::olmoe) c["num_experts"] = 4;
  if (family.moe == MoeStyle::mixtral || family.moe == MoeStyle::granite || family.moe == MoeStyle::gpt_oss)
    c["num_local_experts"] = 4;
  if (family.moe == MoeStyle::qwen) c["moe_intermediate_size"] = 8;
  if (family.model_type == "qwen2_moe") c["shared_expert_intermediate_size"] = 8;
  if (family.attention == AttentionKind::latent) {
    c.erase("head_dim");
    c.update(Json{{"kv_lora_rank", 8},
                  {"qk_nope_head_dim", 4},
                  {"qk_rope_head_dim", 4},
                  {"v_head_dim", 4},
                  {"n_routed_experts", 4},
                  {"moe_intermediate_size", 8},
                  {"n_group", 2},
                  {"topk_group", 1},
                  {"norm_topk_prob", false},
                  {"routed_scaling_factor", 1.0}});
  }
  return c;
}

const char* const kKeys[] = {"quantization_config",
                             "rope_scaling",
                             "rope_parameters",
                             "layer_types",
                             "tie_word_embeddings",
                             "attention_bias",
                             "mlp_bias",
                             "use_sliding_window",
                             "sliding_window",
                             "max_window_layers",
                             "mlp_only_layers",
                             "decoder_sparse_step",
                             "n_shared_experts",
                             "first_k_dense_replace",
                             "q_lora_rank",
                             "topk_method",
                             "scoring_func",
                             "clip_qkv",
                             "embedding_multiplier",
                             "attention_multiplier",
                             "shared_intermediate_size",
                             "swiglu_limit",
                             "experts_per_token",
                             "hidden_act",
                             "eos_token_id",
                             "torch_dtype",
                             "head_dim",
                             "num_key_value_heads",
                             "num_nextn_predict_layers"};
const char* const kValues[] = {
    "0",
    "1",
    "2",
    "3",
    "32",
    "64",
    "-1",
    "1e300",
    "1e-300",
    "9223372036854775807",
    "18446744073709551615",
    "1048576",
    "true",
    "false",
    "null",
    "\"\"",
    "\"yarn\"",
    "\"noaux_tc\"",
    "\"silu\"",
    "[]",
    "{}",
    "[0, 1]",
    "[\"full_attention\"]",
    "[\"sliding_attention\", \"full_attention\", \"sliding_attention\"]",
    "{\"quant_method\": \"mxfp4\"}",
    "{\"quant_method\": \"fp8\"}",
    "{\"quant_method\": \"fp8\", \"weight_block_size\": [128, 1048576]}",
    "{\"rope_type\": \"yarn\", \"factor\": 8, \"original_max_position_embeddings\": 16}",
    "{\"rope_type\": \"llama3\", \"factor\": 8}",
    "{\"rope_type\": \"linear\", \"factor\": 1e6}"};

Json mutated(Json c, Stream& random) {
  for (std::uint64_t i = 1 + random.below(2); i > 0; --i) {
    const auto own = static_cast<std::size_t>(random.below(c.size() + std::size(kKeys)));
    std::string key =
        own < c.size() ? std::next(c.begin(), static_cast<std::ptrdiff_t>(own)).key() : kKeys[own - c.size()];
    if (random.below(8) == 0) {
      c.erase(key);
    } else {
      c[key] = Json::parse(kValues[random.below(std::size(kValues))]);
    }
  }
  return c;
}

TEST_CASE("fuzz config: 10,000 configurations of every family are read whole or refused with a field") {
  int read = 0, refused = 0;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    Stream random(2, i);
    const Family& family = families()[random.below(families().size())];
    const auto config = parse_model_config(mutated(seed_of(family), random), "config.json");
    if (!config.ok()) {
      ++refused;
      const Error& error = config.error();
      if (error.field.empty() || error.message.empty() || error.text().find('\n') != std::string::npos)
        FAIL("configuration " << i << ": " << error.text());
      continue;
    }
    ++read;
    if (config->num_hidden_layers * std::max<std::int64_t>(1, config->router.n_experts) > 10'000) continue;
    const ModelCounts counts = count_model(*config);
    if (!(counts.params_active > 0 && counts.params_active <= counts.params_total))
      FAIL("configuration " << i);
    if (!(attention_scale(*config) > 0) || conventions_of(*config).empty()) FAIL("configuration " << i);
  }
  CHECK(read > 500);
  CHECK(refused > 1000);
}

TEST_CASE("fuzz config: the unchanged configuration of every family is read") {
  for (const Family& family : families()) {
    INFO(family.model_type);
    const auto config = parse_model_config(seed_of(family), "config.json");
    if (!config.ok()) FAIL(config.error().text());
    CHECK(config->model_type == family.model_type);
  }
}

}  // namespace
