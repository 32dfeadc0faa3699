// What a configuration means, choice by choice: each of these keys has been read wrongly by a published engine or
// is off by one for the asking.
#include "tests/small_model.h"

using namespace assay;

namespace {

ModelConfig read(const std::string& own) {
  const auto config = parse_model_config(small::config_of(own), "config.json");
  if (!config.ok()) FAIL(config.error().text());
  return *config;
}

std::string moe_layers(const ModelConfig& c) {
  std::string out;
  for (const LayerChoice& layer : c.layers) out += layer.is_moe ? 'm' : 'd';
  return out;
}

std::string windows(const ModelConfig& c) {
  std::string out;
  for (const LayerChoice& layer : c.layers) out += layer.window > 0 ? 's' : 'f';
  return out;
}

// V3 has to state what published codes fill in differently; `more` wins.
Json deepseek_json(const std::string& version, const std::string& more) {
  Json json =
      Json::parse(R"({"num_hidden_layers": 6, "kv_lora_rank": 14, "q_lora_rank": null, "qk_nope_head_dim": 6,
      "qk_rope_head_dim": 4, "v_head_dim": 7, "n_routed_experts": 8, "num_experts_per_tok": 3, "moe_intermediate_size": 10})");
  if (version == "v3")
    json.update(Json::parse(
        R"({"n_group": 1, "topk_group": 1, "norm_topk_prob": true, "routed_scaling_factor": 2.5})"));
  json["model_type"] = "deepseek_" + version;
  json.update(Json::parse(more));
  return json;
}

ModelConfig deepseek(const std::string& version, const std::string& more = "{}") {
  return read(deepseek_json(version, more).dump());
}

ModelConfig qwen_moe(const std::string& more) {
  return read(
      R"({"model_type": "qwen3_moe", "num_hidden_layers": 6, "num_key_value_heads": 2, "num_experts": 5,
      "num_experts_per_tok": 2, "moe_intermediate_size": 12)" +
      more + "}");
}

}  // namespace

TEST_CASE("config choices: first_k_dense_replace layers are dense, moe_layer_freq counts from layer 0") {
  CHECK(moe_layers(deepseek("v3", R"({"first_k_dense_replace": 3})")) == "dddmmm");
  CHECK(moe_layers(deepseek("v3", R"({"first_k_dense_replace": 1, "moe_layer_freq": 2})")) == "ddmdmd");
}

TEST_CASE("config choices: decoder_sparse_step counts from 1, mlp_only_layers wins") {
  CHECK(moe_layers(qwen_moe("")) == "mmmmmm");
  CHECK(moe_layers(qwen_moe(R"(, "decoder_sparse_step": 2)")) == "dmdmdm");
  CHECK(moe_layers(qwen_moe(R"(, "mlp_only_layers": [0, 4])")) == "dmmmdm");
}

TEST_CASE("config choices: layers from max_window_layers on slide") {
  const std::string base =
      R"({"model_type": "qwen2", "num_hidden_layers": 6, "num_key_value_heads": 2, "sliding_window": 9)";
  CHECK(windows(read(base + R"(, "use_sliding_window": true, "max_window_layers": 2})")) == "ffssss");
  CHECK(windows(read(base + R"(, "max_window_layers": 2})")) == "ffffff");  // the switch is off by default
  CHECK(
      windows(read(
          R"({"model_type": "mistral", "num_hidden_layers": 6, "num_key_value_heads": 2, "sliding_window": 9})")) ==
      "ssssss");
}

TEST_CASE("config choices: several shared experts are one as wide as all of them") {
  CHECK(deepseek("v3", R"({"n_shared_experts": 2})").shared_intermediate_size == 20);
  CHECK(deepseek("v2").shared_intermediate_size == 0);
}

TEST_CASE("config choices: V3 divides by the sum and scales, V2 divides without scaling, Qwen as it says") {
  CHECK(deepseek("v3").router.topk_norm == TopkNorm::sum);
  CHECK(deepseek("v2", R"({"norm_topk_prob": true})").router.topk_norm == TopkNorm::sum_unscaled);
  CHECK(deepseek("v2").router.topk_norm == TopkNorm::none);
  CHECK(qwen_moe("").router.topk_norm == TopkNorm::none);
  CHECK(qwen_moe(R"(, "norm_topk_prob": true)").router.topk_norm == TopkNorm::sum);
  CHECK(read(R"({"model_type": "mixtral", "num_key_value_heads": 2, "num_local_experts": 5,
      "num_experts_per_tok": 2, "sliding_window": null})")
            .router.topk_norm == TopkNorm::sum);
}

TEST_CASE("config choices: V3 ranks groups by two and closes them with -inf, V2 by one and with 0") {
  const RouterConfig v3 = deepseek("v3", R"({"n_group": 4, "topk_group": 2})").router;
  CHECK((v3.group_score == GroupScore::top2_sum && v3.closed_groups == ClosedGroups::minus_infinity));
  CHECK((v3.scoring == Scoring::sigmoid && v3.correction_bias && v3.epsilon == 1e-20));
  CHECK((v3.n_groups == 4 && v3.n_open_groups == 2));
  const RouterConfig v2 =
      deepseek("v2", R"({"n_group": 4, "topk_group": 2, "topk_method": "group_limited_greedy"})").router;
  CHECK((v2.group_score == GroupScore::max && v2.closed_groups == ClosedGroups::zero));
  CHECK((v2.scoring == Scoring::softmax && !v2.correction_bias));
  CHECK(deepseek("v2", R"({"n_group": 4, "topk_group": 2, "topk_method": "greedy"})").router.group_score ==
        GroupScore::none);
}

TEST_CASE("config choices: what published codes fill in differently must be stated") {
  for (const char* key : {"n_group", "topk_group", "norm_topk_prob", "routed_scaling_factor"}) {
    Json json = small::config_of(deepseek_json("v3", "{}").dump());
    json.erase(key);
    const auto config = parse_model_config(json, "config.json");
    INFO(key);
    REQUIRE_FALSE(config.ok());
    CHECK(config.error().field == key);
  }
}

TEST_CASE("config choices: a head's width is given or hidden over heads, key heads default to all") {
  CHECK(read(R"({"model_type": "llama"})").head_dim == 6);
  CHECK(read(R"({"model_type": "llama"})").num_key_value_heads == 4);
  CHECK(read(R"({"model_type": "qwen3", "num_key_value_heads": 2, "head_dim": 16})").head_dim == 16);
  CHECK(deepseek("v3").rope.layout == RopeLayout::pairs);
  CHECK(read(R"({"model_type": "llama"})").rope.layout == RopeLayout::halves);
}
