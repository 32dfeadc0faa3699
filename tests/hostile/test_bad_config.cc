// Configurations that must be refused: one changed key each, with the code and the field of the refusal.
#include <nlohmann/json.hpp>

#include "reference/model/config.h"
#include "tests/catch.h"

using namespace assay;

namespace {

Json good() {
  auto json = read_json_file(ASSAY_TREE "/suites/data/demo/model/config.json");
  REQUIRE(json.ok());
  return *json;
}

struct Wrong {
  const char* pointer;  // JSON pointer of the changed key
  const char* value;    // "" removes the key
  Code code;
  const char* field;
};

const Wrong kWrong[] = {
    {"/model_type", "\"deepseek_v9\"", Code::unsupported, "model_type"},
    {"/model_type", "", Code::missing_field, "model_type"},
    {"/model_type", "7", Code::bad_value, "model_type"},
    {"/architectures", "[\"LlamaForCausalLM\"]", Code::unsupported, "architectures"},
    {"/vocab_size", "0", Code::bad_value, "vocab_size"},
    {"/vocab_size", "1.5", Code::bad_value, "vocab_size"},
    {"/vocab_size", "99999999999", Code::too_large, "vocab_size"},
    {"/vocab_size", "18446744073709551615", Code::bad_value, "vocab_size"},
    {"/hidden_size", "-160", Code::bad_value, "hidden_size"},
    {"/hidden_size", "", Code::missing_field, "hidden_size"},
    {"/num_hidden_layers", "1000000", Code::too_large, "num_hidden_layers"},
    {"/rms_norm_eps", "0", Code::bad_value, "rms_norm_eps"},
    {"/rms_norm_eps", "\"small\"", Code::bad_value, "rms_norm_eps"},
    {"/rms_norm_eps", "", Code::missing_field, "rms_norm_eps"},
    {"/hidden_act", "\"gelu\"", Code::unsupported, "hidden_act"},
    {"/num_key_value_heads", "2", Code::unsupported, "num_key_value_heads"},
    {"/qk_rope_head_dim", "15", Code::bad_value, "qk_rope_head_dim"},
    {"/head_dim", "77", Code::unsupported, "head_dim"},
    {"/n_group", "5", Code::bad_value, "n_group"},
    {"/n_group", "12", Code::bad_value, "n_group"},
    {"/topk_group", "0", Code::bad_value, "topk_group"},
    {"/topk_group", "9", Code::too_large, "topk_group"},
    {"/num_experts_per_tok", "7", Code::bad_value, "topk_group"},
    {"/num_experts_per_tok", "13", Code::too_large, "num_experts_per_tok"},
    {"/scoring_func", "\"softmax\"", Code::unsupported, "scoring_func"},
    {"/topk_method", "\"greedy\"", Code::unsupported, "topk_method"},
    {"/rope_scaling/type", "\"dynamic\"", Code::unsupported, "rope_scaling.rope_type"},
    {"/rope_scaling/rope_type", "\"linear\"", Code::bad_value, "rope_scaling.type"},
    {"/rope_scaling/factor", "", Code::missing_field, "rope_scaling.factor"},
    {"/rope_scaling/factor", "0.5", Code::bad_value, "rope_scaling.factor"},
    {"/rope_scaling/attention_factor", "1.2", Code::unsupported, "rope_scaling.attention_factor"},
    {"/rope_scaling", "\"yarn\"", Code::bad_value, "rope_scaling"},
    {"/rope_parameters", "{}", Code::bad_value, "rope_parameters"},
    {"/rope_theta", "0", Code::bad_value, "rope_theta"},
    {"/rope_scaling/rope_theta", "5000.0", Code::bad_value, "rope_theta"},
    {"/attention_bias", "1", Code::bad_value, "attention_bias"},
    {"/mlp_bias", "true", Code::unsupported, "mlp_bias"},
    {"/bos_token_id", "1024", Code::bad_value, "bos_token_id"},
    {"/eos_token_id", "\"end\"", Code::bad_value, "eos_token_id"},
    {"/quantization_config", "{\"quant_method\": \"gptq\"}", Code::unsupported,
     "quantization_config.quant_method"},
    {"/quantization_config", "{\"quant_method\": \"fp8\", \"fmt\": \"e3m4\"}", Code::unsupported,
     "quantization_config.fmt"},
    {"/quantization_config", "{\"quant_method\": \"fp8\", \"weight_block_size\": [128]}", Code::bad_value,
     "quantization_config.weight_block_size"},
    {"/quantization_config", "7", Code::bad_value, "quantization_config"},
    {"/logit_softcap", "30.0", Code::unsupported, "logit_softcap"},
    {"/sliding_window", "64", Code::unsupported, "sliding_window"},
    {"/layer_types", "[\"full_attention\"]", Code::unsupported, "layer_types"},
    {"/index_topk", "2048", Code::unsupported, "index_topk"},
    {"/norm_topk_prob", "", Code::missing_field, "norm_topk_prob"},
    {"/routed_scaling_factor", "", Code::missing_field, "routed_scaling_factor"},
    {"/n_group", "", Code::missing_field, "n_group"},
    {"/quantization_config", "{\"quant_method\": \"mxfp4\"}", Code::unsupported,
     "quantization_config.quant_method"},
    {"/embedding_multiplier", "12.0", Code::unsupported, "embedding_multiplier"},
};

Json changed(const Wrong& wrong) {
  Json config = good();
  const Json::json_pointer at(wrong.pointer);
  if (*wrong.value) {
    config[at] = Json::parse(wrong.value);
  } else {
    (at.parent_pointer().empty() ? config : config[at.parent_pointer()]).erase(at.back());
  }
  return config;
}

}  // namespace

TEST_CASE("bad config: every wrong key is refused with its code and field") {
  for (const Wrong& wrong : kWrong) {
    INFO(wrong.pointer << " = " << wrong.value);
    const auto config = parse_model_config(changed(wrong), "config.json");
    REQUIRE(!config.ok());
    CHECK(name_of(config.error().code) == name_of(wrong.code));
    CHECK(config.error().field == wrong.field);
    CHECK(config.error().file == "config.json");
  }
}

namespace {

Json small(const std::string& type) {
  Json c = {{"model_type", type},       {"vocab_size", 9},        {"hidden_size", 32},
            {"intermediate_size", 32},  {"num_hidden_layers", 3}, {"num_attention_heads", 2},
            {"num_key_value_heads", 1}, {"head_dim", 4},          {"max_position_embeddings", 64},
            {"rms_norm_eps", 1e-5},     {"num_local_experts", 4}, {"num_experts_per_tok", 2}};
  if (type == "gpt_oss" || type == "mistral") c["sliding_window"] = 8;
  if (type == "mistral") {
    c.erase("num_local_experts");
    c.erase("num_experts_per_tok");
  }
  return c;
}

struct WrongIn {
  const char *type, *key, *value;  // "" removes the key
  Code code;
  const char* field;
};

const WrongIn kWrongIn[] = {
    {"granitemoe", "attention_multiplier", "0", Code::bad_value, "attention_multiplier"},
    {"granitemoe", "logits_scaling", "-1", Code::bad_value, "logits_scaling"},
    {"granitemoe", "residual_multiplier", "\"big\"", Code::bad_value, "residual_multiplier"},
    {"granitemoe", "shared_intermediate_size", "16", Code::too_large, "shared_intermediate_size"},
    {"granitemoe", "num_experts_per_tok", "5", Code::too_large, "num_experts_per_tok"},
    {"granitemoe", "swiglu_limit", "7.0", Code::unsupported, "swiglu_limit"},
    {"granitemoe", "quantization_config", "{\"quant_method\": \"mxfp4\"}", Code::unsupported,
     "quantization_config.quant_method"},
    {"granitemoeshared", "shared_intermediate_size", "-1", Code::bad_value, "shared_intermediate_size"},
    {"granitemoeshared", "normalization_function", "\"layernorm\"", Code::unsupported,
     "normalization_function"},
    {"gpt_oss", "head_dim", "", Code::missing_field, "head_dim"},
    {"gpt_oss", "num_key_value_heads", "", Code::missing_field, "num_key_value_heads"},
    {"gpt_oss", "sliding_window", "", Code::missing_field, "sliding_window"},
    {"gpt_oss", "sliding_window", "null", Code::missing_field, "sliding_window"},
    {"gpt_oss", "sliding_window", "0", Code::bad_value, "sliding_window"},
    {"gpt_oss", "experts_per_token", "3", Code::bad_value, "experts_per_token"},
    {"gpt_oss", "swiglu_limit", "0", Code::bad_value, "swiglu_limit"},
    {"gpt_oss", "layer_types", "[\"sliding_attention\"]", Code::unsupported, "layer_types"},
    {"gpt_oss", "layer_types", "[\"full_attention\", \"chunked_attention\", \"full_attention\"]",
     Code::unsupported, "layer_types"},
    {"gpt_oss", "layer_types", "7", Code::unsupported, "layer_types"},
    {"gpt_oss", "hidden_act", "\"gelu\"", Code::unsupported, "hidden_act"},
    {"gpt_oss", "quantization_config", "{\"quant_method\": \"mxfp4\", \"group_size\": 16}", Code::unsupported,
     "quantization_config.group_size"},
    {"gpt_oss", "quantization_config", "{\"quant_method\": \"mxfp8\"}", Code::unsupported,
     "quantization_config.quant_method"},
    {"gpt_oss", "residual_multiplier", "0.5", Code::unsupported, "residual_multiplier"},
    {"mistral", "sliding_window", "", Code::missing_field, "sliding_window"},
    {"mistral", "num_key_value_heads", "", Code::missing_field, "num_key_value_heads"},
};

}  // namespace

TEST_CASE("bad config: wrong and missing keys of Granite, gpt-oss and Mistral") {
  for (const WrongIn& wrong : kWrongIn) {
    INFO(wrong.type << " " << wrong.key << " = " << wrong.value);
    Json config = small(wrong.type);
    const auto right = parse_model_config(config, "config.json");
    if (!right.ok()) FAIL(right.error().text());
    if (*wrong.value) {
      config[wrong.key] = Json::parse(wrong.value);
    } else {
      config.erase(wrong.key);
    }
    const auto read = parse_model_config(config, "config.json");
    REQUIRE(!read.ok());
    CHECK(name_of(read.error().code) == name_of(wrong.code));
    CHECK(read.error().field == wrong.field);
  }
  Json odd = small("gpt_oss");
  odd["intermediate_size"] = 33;
  CHECK(parse_model_config(odd, "c").ok());
  odd["quantization_config"] = {{"quant_method", "mxfp4"}};
  CHECK(parse_model_config(odd, "c").error().field == "quantization_config.quant_method");
}

TEST_CASE("bad config: families to come are refused by the name people know") {
  const std::pair<const char*, const char*> families[] = {
      {"deepseek_v32", "DeepSeek-V3.2"}, {"deepseek_v4", "DeepSeek-V4"}, {"glm4_moe", "GLM-4.5"},
      {"llama4_text", "Llama 4"},        {"qwen3_next", "Qwen3-Next"},   {"kimi_linear", "Kimi Linear"}};
  for (const auto& [type, name] : families) {
    Json config = small("granitemoe");
    config["model_type"] = type;
    const auto read = parse_model_config(config, "config.json");
    REQUIRE(!read.ok());
    CHECK(read.error().code == Code::unsupported);
    CHECK(read.error().message == std::string(name) + " is not supported yet");
    CHECK(read.error().got == type);
  }
}

TEST_CASE("bad config: what changes no number is accepted") {
  Json config = good();
  config["transformers_version"] = "9";
  config["_name_or_path"] = "somewhere";
  config["use_something"] = false;
  config["sliding_window"] = nullptr;
  CHECK(parse_model_config(config, "config.json").ok());
}

TEST_CASE("bad config: NaN and a document that is no object are refused") {
  CHECK(!parse_json("{\"rms_norm_eps\": NaN}", "config.json").ok());
  CHECK(parse_model_config(Json::array(), "config.json").error().code == Code::bad_value);
  CHECK(read_model_config("/nowhere/config.json").error().code == Code::not_found);
}

TEST_CASE("bad config: sizes that are allowed alone and impossible together") {
  Json config = good();
  config["num_hidden_layers"] = 4096;
  config["n_routed_experts"] = 16384;
  CHECK(parse_model_config(config, "c").error().code == Code::too_large);
  config = good();
  config["hidden_size"] = 1 << 20;
  config["intermediate_size"] = 1 << 20;
  config["num_hidden_layers"] = 4096;
  CHECK(parse_model_config(config, "c").error().code == Code::too_large);
}
