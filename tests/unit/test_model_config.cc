// Configurations: families, counts, conventions, rope tables.
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "reference/model/config.h"
#include "reference/model/conventions.h"
#include "reference/model/rope.h"
#include "reference/model/tensors.h"
#include "tests/catch.h"

using namespace assay;

namespace {

const std::string kConfigFolder = ASSAY_TREE "/suites/data/demo/model/config.json";

ModelConfig bundled_config() {
  auto config = read_model_config(kConfigFolder);
  REQUIRE(config.ok());
  return *config;
}

std::string value_of(const ModelConfig& c, std::string_view name) {
  for (const auto& [n, v] : conventions_of(c)) {
    if (n == name) return v;
  }
  return "absent";
}

}  // namespace

TEST_CASE("model config: the bundled model is read as its makers counted it") {
  const ModelConfig c = bundled_config();
  CHECK(c.model_type == "deepseek_v3");
  CHECK(c.n_moe_layers() == 3);
  CHECK(!c.layers[0].is_moe);
  CHECK(c.key_dim() == 48);
  const ModelCounts n = count_model(c);
  CHECK(n.params_total == 2'029'188);
  CHECK(n.params_active == 1'199'748);
  CHECK(n.kv_bytes_per_token == (64 + 16) * 4 * 2);
  CHECK(n.forward_flops_per_token > 2 * (1'199'748 - 1024 * 160) - 20'000);
  CHECK(n.forward_flops_per_token < 2 * (1'199'748 - 1024 * 160));
  CHECK(n.attention_flops_per_key == 2 * 4 * (48 + 32) * 4);
}

TEST_CASE(
    "model config: DeepSeek-V3 as published has 671B parameters, 37B active and 70,272 bytes of cache") {
  const std::string path = ASSAY_SHARED "/configs/hf-configs-SimAI/deepseek_R1_0528_config.json";
  if (!std::filesystem::exists(path)) {
    WARN("skipped: no " << path);
    return;
  }
  const auto config = read_model_config(path);
  REQUIRE(config.ok());
  const ModelCounts n = count_model(*config);
  CHECK(n.params_total == 671'026'419'200);  // technical report: 671B
  CHECK(n.kv_bytes_per_token == 70'272);
  CHECK(n.params_active > 37'000'000'000);
  CHECK(n.params_active < 38'000'000'000);
}

TEST_CASE("model config: every published configuration is read or refused in words") {
  const std::string root = ASSAY_SHARED "/configs";
  if (!std::filesystem::exists(root)) {
    WARN("skipped: no " << root);
    return;
  }
  const std::pair<const char*, const char*> expected[] = {
      {"hf-configs-SimAI/qwen3-30B-A3B_config.json", ""},
      {"hf-configs-SimAI/qwen3-8B_config.json", ""},
      {"hf-configs-SimAI/qwen3-235B-A22B_FP8_config.json", "architectures"},
      {"hf-configs-SimAI/deepseek_v3_config.json", "n_routed_experts"},
      {"hf-configs-SimAI/qwen3-next-80B-A3B_config.json", "model_type"},
      {"hf-configs-maxtext/llama31_8b_config.json", ""},
      {"hf-configs-maxtext/mixtral_8x7b_dict.json", ""},
      {"hf-configs-maxtext/deepseek2_16b_dict.json", ""},
      {"hf-configs-maxtext/deepseek3_671b_dict.json", ""},
      {"hf-configs-maxtext/deepseek32_671b_dict.json", "model_type"},
      {"hf-configs-maxtext/gpt_oss_20b_dict.json", ""},
      {"hf-configs-maxtext/gpt_oss_120b_dict.json", ""},
      {"olmoe-1b-7b-0125-instruct/config.json", ""},
      {"wizardlm-2-8x22b/config.json", ""},
  };
  for (const auto& [name, field] : expected) {
    INFO(name);
    const auto config = read_model_config(root + "/" + name);
    CHECK(config.ok() == (std::string(field).empty()));
    if (!config.ok()) CHECK(config.error().field == field);
  }
}

TEST_CASE("model config: Llama-3.1-8B has 8,030,261,248 parameters") {
  const std::string path = ASSAY_SHARED "/configs/hf-configs-maxtext/llama31_8b_config.json";
  if (!std::filesystem::exists(path)) {
    WARN("skipped: no " << path);
    return;
  }
  const auto config = read_model_config(path);
  REQUIRE(config.ok());
  CHECK(count_model(*config).params_total == 8'030'261'248);
  CHECK(count_model(*config).kv_bytes_per_token == 131'072);
}

TEST_CASE("model config: gpt-oss as published has 20.9B and 117B parameters, 3.6B and 5.1B active") {
  const std::string root = ASSAY_SHARED "/configs/hf-configs-maxtext/";
  if (!std::filesystem::exists(root)) {
    WARN("skipped: no " << root);
    return;
  }
  const auto small = read_model_config(root + "gpt_oss_20b_dict.json"),
             large = read_model_config(root + "gpt_oss_120b_dict.json");
  REQUIRE(small.ok());
  REQUIRE(large.ok());
  // Model card, table 1: 20.91B and 116.83B in total; active 3.61B and 5.13B, which leaves the embedding table out.
  CHECK(count_model(*small).params_total == 20'914'757'184);
  CHECK(count_model(*large).params_total == 116'829'156'672);
  const std::int64_t table = 201'088LL * 2880;
  CHECK(std::abs(static_cast<double>(count_model(*small).params_active - table) / 3.61e9 - 1) < 2e-3);
  CHECK(std::abs(static_cast<double>(count_model(*large).params_active - table) / 5.13e9 - 1) < 2e-3);
  CHECK(count_model(*small).kv_bytes_per_token == 2 * 8 * 64 * 24 * 2);
  CHECK(small->layers[0].window == 128);
  CHECK(small->layers[1].window == 0);
  CHECK(!small->rope.truncate);
  CHECK(rope_gain(small->rope, small->attention) == Approx(0.1 * std::log(32.0) + 1).epsilon(1e-15));
}

TEST_CASE("model config: parameters do not depend on how experts are stored") {
  Json c = {{"model_type", "gpt_oss"},  {"vocab_size", 9},        {"hidden_size", 32},
            {"intermediate_size", 64},  {"num_hidden_layers", 2}, {"num_attention_heads", 2},
            {"num_key_value_heads", 1}, {"head_dim", 4},          {"max_position_embeddings", 64},
            {"rms_norm_eps", 1e-5},     {"num_local_experts", 4}, {"num_experts_per_tok", 1},
            {"sliding_window", 8}};
  const auto plain = parse_model_config(c, "c");
  c["quantization_config"] = {{"quant_method", "mxfp4"}};
  const auto mxfp4 = parse_model_config(c, "c");
  REQUIRE(plain.ok());
  REQUIRE(mxfp4.ok());
  const ModelCounts a = count_model(*plain), b = count_model(*mxfp4);
  const std::int64_t attention = 32 * (8 + 4 + 4 + 8) + (8 + 4 + 4 + 32) + 2,
                     expert = 3 * 32 * 64 + 2 * 64 + 32, rest = 2 * 9 * 32 + 32;
  CHECK(a.params_total == 2 * (attention + 2 * 32 + 4 * 33 + 4 * expert) + rest);
  CHECK(a.params_active == 2 * (attention + 2 * 32 + 4 * 33 + expert) + rest);
  CHECK(a.forward_flops_per_token == 2 * (2 * (32 * 24 + 4 * 32 + 3 * 32 * 64) + 9 * 32));
  CHECK(b.params_total == a.params_total);
  CHECK(b.params_active == a.params_active);
  CHECK(b.forward_flops_per_token == a.forward_flops_per_token);
}

TEST_CASE("conventions: the authors' choices are the default, each can be switched, others are refused") {
  ModelConfig c = bundled_config();
  CHECK(value_of(c, "yarn-softmax-scale") == "mscale-squared");
  CHECK(value_of(c, "closed-groups") == "minus-infinity");
  CHECK(value_of(c, "group-score") == "top2-sum");
  CHECK(value_of(c, "mixing-weight") == "unbiased");
  CHECK(value_of(c, "rope-layout") == "pairs");
  CHECK(value_of(c, "clip-qkv") == "absent");
  REQUIRE(set_convention(c, "closed-groups=zero").ok());
  CHECK(c.router.closed_groups == ClosedGroups::zero);
  CHECK(value_of(c, "closed-groups") == "zero");
  for (const char* wrong :
       {"closed-groups", "closed-groups=", "closed-groups=one", "clip-qkv=after-norm", "x=y", ""}) {
    INFO(wrong);
    const Status status = set_convention(c, wrong);
    REQUIRE(!status.ok());
    CHECK(status.error().code == Code::usage);
    CHECK(!status.error().expected.empty());
  }
  CHECK(convention_help().find("yarn-softmax-scale") != std::string::npos);
}

TEST_CASE(
    "rope: YaRN of the bundled model keeps fast pairs, divides slow ones, and scales the soft-max by mscale "
    "squared") {
  ModelConfig c = bundled_config();
  const auto f = rope_frequencies(c.rope, c.rope_dim());
  REQUIRE(f.size() == 8);
  CHECK(f[0] == 1.0);
  CHECK(f[7] == Approx(std::pow(10000.0, -14.0 / 16) / 4).epsilon(1e-15));
  const double m = 0.1 * std::log(4.0) + 1;
  CHECK(attention_scale(c) == Approx(m * m / std::sqrt(48.0)).epsilon(1e-15));
  CHECK(rope_gain(c.rope, c.attention) == 1.0);
  c.softmax_scale = SoftmaxScale::plain;
  CHECK(attention_scale(c) == Approx(1 / std::sqrt(48.0)).epsilon(1e-15));
}

TEST_CASE("rope: llama3 has three bands") {
  RopeConfig r{.kind = RopeKind::llama3,
               .theta = 500000,
               .factor = 8,
               .original_length = 8192,
               .low_freq_factor = 1,
               .high_freq_factor = 4};
  const auto scaled = rope_frequencies(r, 128);
  r.kind = RopeKind::plain;
  const auto plain = rope_frequencies(r, 128);
  int kept = 0, divided = 0, between = 0;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const double ratio = plain[i] / scaled[i];
    kept += ratio == 1;
    divided += std::abs(ratio - 8) < 1e-12;
    between += ratio > 1 && ratio < 8 - 1e-12;
  }
  CHECK(kept == 29);
  CHECK(kept + divided + between == 64);
  CHECK(between > 0);
  CHECK(divided > 20);
}

TEST_CASE(
    "rope: the gain of YaRN is the authors' ratio, or 1-based where one mscale is missing and transformers "
    "is asked for") {
  RopeConfig r{.kind = RopeKind::yarn, .factor = 8, .original_length = 64, .has_mscale = true, .mscale = 0.8};
  CHECK(rope_gain(r, AttentionKind::latent) == Approx(0.08 * std::log(8.0) + 1).epsilon(1e-15));
  r.gain = RopeGain::transformers;
  CHECK(rope_gain(r, AttentionKind::latent) == Approx(0.1 * std::log(8.0) + 1).epsilon(1e-15));
  CHECK(rope_gain(r, AttentionKind::grouped) == Approx(0.1 * std::log(8.0) + 1).epsilon(1e-15));
}
