// The same model under the spellings of older and newer programs, and keys that look harmless and are not.
#include <nlohmann/json.hpp>

#include "reference/model/config.h"
#include "reference/model/tensors.h"
#include "tests/catch.h"

using namespace assay;

namespace {

Json dense(const char* model_type) {
  return {{"model_type", model_type}, {"vocab_size", 64},
          {"hidden_size", 32},        {"intermediate_size", 48},
          {"num_hidden_layers", 2},   {"num_attention_heads", 4},
          {"num_key_value_heads", 2}, {"max_position_embeddings", 128},
          {"rms_norm_eps", 1e-6},     {"head_dim", 8}};
}

Json qwen3_moe() {
  Json c = dense("qwen3_moe");
  c.update({{"moe_intermediate_size", 16}, {"num_experts", 8}, {"num_experts_per_tok", 2}});
  return c;
}

Json deepseek_v3() {
  Json c = dense("deepseek_v3");
  c.erase("num_key_value_heads");
  c.erase("head_dim");
  c.update({{"num_hidden_layers", 5},
            {"kv_lora_rank", 16},
            {"qk_nope_head_dim", 8},
            {"qk_rope_head_dim", 4},
            {"v_head_dim", 8},
            {"moe_intermediate_size", 16},
            {"n_routed_experts", 32},
            {"num_experts_per_tok", 4},
            {"n_group", 8},
            {"topk_group", 4},
            {"norm_topk_prob", true},
            {"routed_scaling_factor", 2.5}});
  return c;
}

Json with(Json config, const Json& changes) {
  for (const auto& [key, value] : changes.items()) config[key] = value;
  return config;
}

ModelConfig read(const Json& json) {
  const auto config = parse_model_config(json, "config.json");
  if (!config.ok()) FAIL(config.error().text());
  return *config;
}

struct Wrong {
  Json changes;
  Code code;
  const char* field;
};

void check_refused(const Json& base, const std::vector<Wrong>& list) {
  REQUIRE(parse_model_config(base, "config.json").ok());
  for (const Wrong& wrong : list) {
    INFO(wrong.changes.dump());
    const auto config = parse_model_config(with(base, wrong.changes), "config.json");
    REQUIRE(!config.ok());
    CHECK(name_of(config.error().code) == name_of(wrong.code));
    CHECK(config.error().field == wrong.field);
  }
}

}  // namespace

TEST_CASE("config spellings: rope under both names, alone or together where they agree") {
  const Json yarn = {{"rope_type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 32}};
  const Json named = with(yarn, {{"type", "yarn"}}), themed = with(yarn, {{"rope_theta", 5e5}});
  const ModelConfig old = read(with(dense("qwen3"), {{"rope_scaling", yarn}, {"rope_theta", 5e5}}));
  CHECK(old.rope.kind == RopeKind::yarn);
  CHECK(old.rope.theta == 5e5);
  CHECK(read(with(dense("qwen3"), {{"rope_parameters", themed}})).rope == old.rope);
  CHECK(read(with(dense("qwen3"), {{"rope_parameters", themed}, {"rope_scaling", named}})).rope == old.rope);
  CHECK(read(with(dense("qwen3"), {{"rope_parameters", themed}, {"rope_scaling", nullptr}})).rope ==
        old.rope);
  CHECK(read(with(dense("qwen3"), {{"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 1e6}}}}))
            .rope.theta == 1e6);
}

TEST_CASE(
    "config spellings: rope that is described twice, in parts, or in ways that are not known is refused") {
  const Json yarn = {{"rope_type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 32}};
  const Json more = with(yarn, {{"factor", 8.0}});
  check_refused(
      dense("llama"),
      {{{{"rope_parameters", yarn}, {"rope_scaling", more}}, Code::bad_value, "rope_parameters"},
       {{{"rope_parameters", {{"rope_theta", 1e6}}}, {"rope_theta", 1e4}}, Code::bad_value, "rope_theta"},
       {{{"rope_parameters", {{"full_attention", yarn}}}},
        Code::unsupported,
        "rope_parameters.full_attention"},
       {{{"rope_scaling", {{"rope_type", "longrope"}}}}, Code::unsupported, "rope_scaling.rope_type"},
       {{{"rope_scaling", {{"type", "dynamic"}, {"factor", 2}}}},
        Code::unsupported,
        "rope_scaling.rope_type"},
       {{{"rope_scaling", {{"type", "mrope"}, {"mrope_section", {1, 2}}}}},
        Code::unsupported,
        "rope_scaling.rope_type"},
       {{{"rope_scaling", {{"factor", 2.0}}}}, Code::unsupported, "rope_scaling.factor"},
       {{{"rope_scaling", {{"type", "linear"}}}}, Code::missing_field, "rope_scaling.factor"},
       {{{"rope_scaling", {{"type", "linear"}, {"factor", -1}}}}, Code::bad_value, "rope_scaling.factor"},
       {{{"rope_scaling", {{"type", "linear"}, {"factor", "2"}}}}, Code::bad_value, "rope_scaling.factor"},
       {{{"rope_scaling", with(yarn, {{"attention_factor", 1.1}})}},
        Code::unsupported,
        "rope_scaling.attention_factor"},
       {{{"rope_scaling", with(yarn, {{"mscale", 1.0}})}}, Code::unsupported, "rope_scaling.mscale"},
       {{{"rope_scaling", {{"rope_type", "llama3"}, {"factor", 8.0}}}},
        Code::missing_field,
        "rope_scaling.original_max_position_embeddings"},
       {{{"rope_scaling", Json::array({yarn})}}, Code::bad_value, "rope_scaling"},
       {{{"rope_parameters", {{"partial_rotary_factor", 0.5}}}},
        Code::unsupported,
        "rope_parameters.partial_rotary_factor"},
       {{{"partial_rotary_factor", 0.25}}, Code::unsupported, "partial_rotary_factor"},
       {{{"rope_theta", "10000"}}, Code::bad_value, "rope_theta"},
       {{{"rope_theta", -1e4}}, Code::bad_value, "rope_theta"},
       {{{"rope_theta", 1e300}}, Code::bad_value, "rope_theta"}});
}

TEST_CASE("config spellings: transformers 5 names the number of experts anew, and dtype") {
  Json c = qwen3_moe();
  c.erase("num_experts");
  c["num_local_experts"] = 8;
  c["dtype"] = "float32";
  CHECK(read(c).router.n_experts == 8);
  CHECK(read(c).torch_dtype == "float32");
  CHECK(read(with(qwen3_moe(), {{"num_local_experts", 8}})).router.n_experts == 8);
  CHECK(read(with(deepseek_v3(), {{"num_local_experts", 32}, {"num_mtp_layers", 1}}))
            .num_nextn_predict_layers == 1);
  CHECK(
      read(with(dense("qwen3"), {{"layer_types", {"full_attention", "full_attention"}}})).layers[1].window ==
      0);
}

TEST_CASE(
    "config spellings: keys of early Qwen3-MoE that say what the family does are read, others refused") {
  const Json early = {{"use_qk_norm", true}, {"qkv_bias", false}, {"shared_expert_intermediate_size", 0}};
  CHECK(count_model(read(with(qwen3_moe(), early))).params_total ==
        count_model(read(qwen3_moe())).params_total);
  check_refused(
      qwen3_moe(),
      {{{{"use_qk_norm", false}}, Code::unsupported, "use_qk_norm"},
       {{{"shared_expert_intermediate_size", 16}}, Code::unsupported, "shared_expert_intermediate_size"},
       {{{"num_local_experts", 16}}, Code::bad_value, "num_local_experts"},
       {{{"num_experts", -8}}, Code::bad_value, "num_experts"},
       {{{"num_experts", "8"}}, Code::bad_value, "num_experts"},
       {{{"num_experts", 8.0}}, Code::bad_value, "num_experts"},
       {{{"num_experts_per_tok", 9}}, Code::too_large, "num_experts_per_tok"},
       {{{"norm_topk_prob", 1}}, Code::bad_value, "norm_topk_prob"},
       {{{"mlp_only_layers", {5}}}, Code::bad_value, "mlp_only_layers"},
       {{{"layer_types", {"full_attention", "linear_attention"}}}, Code::unsupported, "layer_types"},
       {{{"layer_types", {"full_attention"}}}, Code::unsupported, "layer_types"},
       {{{"layer_types", "full_attention"}}, Code::unsupported, "layer_types"},
       {{{"layer_types", {"sliding_attention", "full_attention"}}}, Code::unsupported, "layer_types"},
       {{{"tie_word_embeddings", "false"}}, Code::bad_value, "tie_word_embeddings"},
       {{{"hidden_act", "gelu"}}, Code::unsupported, "hidden_act"},
       {{{"attn_logit_softcapping", 50.0}}, Code::unsupported, "attn_logit_softcapping"}});
}

TEST_CASE("config spellings: switches that are on by nature cannot be switched off unread") {
  for (const char* key : {"use_mla", "use_rope", "is_causal", "use_rmsnorm", "scale_attn_weights"}) {
    INFO(key);
    CHECK(parse_model_config(with(deepseek_v3(), {{key, true}}), "c").ok());
    const auto off = parse_model_config(with(deepseek_v3(), {{key, false}}), "c");
    REQUIRE(!off.ok());
    CHECK(off.error().field == key);
    CHECK(off.error().code == Code::unsupported);
  }
  CHECK(parse_model_config(with(deepseek_v3(), {{"use_qk_norm", true}}), "c").error().field == "use_qk_norm");
  CHECK(parse_model_config(with(dense("llama"), {{"use_qk_norm", true}}), "c").error().field ==
        "use_qk_norm");
  CHECK(parse_model_config(with(dense("llama"), {{"use_qk_norm", false}}), "c").ok());
}

TEST_CASE("config spellings: a context that is left out is that of the family's class") {
  Json c = dense("mixtral");
  c.update({{"num_local_experts", 4}, {"num_experts_per_tok", 2}});
  c.erase("max_position_embeddings");
  CHECK(read(c).max_position_embeddings == 131072);
  c["max_position_embeddings"] = 0;
  CHECK(parse_model_config(c, "c").error().field == "max_position_embeddings");
}
