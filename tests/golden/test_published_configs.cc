// Every published configuration of ../shared/configs: accepted with the parameters that its authors state, or refused in words that name
// the key. The table names all of them, so that a new file must be looked at.
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "reference/model/config.h"
#include "reference/model/families.h"
#include "reference/model/tensors.h"
#include "tests/catch.h"

using namespace assay;
namespace fs = std::filesystem;

namespace {

const std::string kRoot = ASSAY_SHARED "/configs/";

struct Published {
  const char* file;
  const char*
      add_type;  // model_type that the file leaves out (a dump of arguments, not a config.json); "" where it is whole
  double total_b, active_b;        // billions as published (model cards, reports); 0: not stated there
  double tolerance_b;              // of both: about half a step of the published figures' last digits
  double active_tolerance_b = 0;   // 0: the same
  bool without_embedding = false;  // DeepSeek's and gpt-oss's active parameters leave the embedding table out
};

// DeepSeek-V3 2412.19437 (671B, 37B active), DeepSeek-V2 report 2405.04434 (15.7B, 2.4B), Qwen3 report 2505.09388
// (30.5B, 3.3B; 235B, 22B; 8.2B, 14.8B, 32.8B, 4.0B, 1.7B, 0.6B), Qwen3-Coder card (480B, 35B), OLMoE 2409.02060 (6.9B, 1.3B), Mixtral
// 2401.04088 (46.7B, 12.9B) and its 8x22B release (141B, 39B), Llama 3.1 cards (8.03B, 70.6B, 405B with 8 key heads: 405.85B), Qwen2.5
// report 2412.15115 (7.6B, 14.7B, 1.5B), gpt-oss card 2508.10925 (116.8B, 5.1B; 20.9B, 3.6B: there without embeddings in the active ones).
const Published kAccepted[] = {
    {"hf-configs-SimAI/deepseek_R1_0528_config.json", "", 671, 37, 0.5, 0, true},
    {"hf-configs-maxtext/deepseek3_671b_dict.json", "", 671, 37, 0.5, 0, true},
    {"hf-configs-maxtext/deepseek2_16b_dict.json", "", 15.7, 2.4, 0.05, 0.06, true},
    {"hf-configs-SimAI/qwen3-30B-A3B_config.json", "", 30.5, 3.3, 0.06},
    {"hf-configs-maxtext/qwen3_30b_a3b_base_config.json", "", 30.5, 3.3, 0.06},
    {"hf-configs-maxtext/qwen3_30b_a3b_thinking_2507_config.json", "", 30.5, 3.3, 0.06},
    {"hf-configs-SimAI/qwen3-235B-A22B_config.json", "", 235, 22, 0.5},
    {"hf-configs-maxtext/qwen3_235b_a22b_thinking_2507_config.json", "", 235, 22, 0.5},
    {"hf-configs-maxtext/qwen3_coder_480b_a35b_config.json", "", 480, 35, 0.5},
    {"hf-configs-SimAI/qwen3-8B_config.json", "", 8.2, 8.2, 0.05},
    {"hf-configs-maxtext/qwen3_8b_config.json", "qwen3", 8.2, 8.2, 0.05},
    {"hf-configs-maxtext/qwen3_14b_config.json", "qwen3", 14.8, 14.8, 0.05},
    {"hf-configs-maxtext/qwen3_32b_config.json", "qwen3", 32.8, 32.8, 0.05},
    {"hf-configs-maxtext/qwen3_4b_config.json", "qwen3", 4.0, 4.0, 0.05},
    {"hf-configs-maxtext/qwen3_1_7b_config.json", "qwen3", 1.7, 1.7, 0.05},
    {"hf-configs-maxtext/qwen3_0_6b_config.json", "qwen3", 0.6, 0.6, 0.05},
    {"hf-configs-maxtext/qwen25_7b_config.json", "qwen2", 7.6, 7.6, 0.05},
    {"hf-configs-maxtext/qwen25_14b_config.json", "qwen2", 14.8, 14.8, 0.05},
    {"hf-configs-maxtext/qwen25_1_5b_config.json", "qwen2", 1.5, 1.5, 0.05},
    {"hf-configs-maxtext/llama31_8b_config.json", "", 8.03, 8.03, 0.005},
    {"hf-configs-maxtext/llama31_70b_config.json", "llama", 70.6, 70.6, 0.05},
    {"hf-configs-maxtext/llama31_405b_config.json", "llama", 405.85, 405.85, 0.05},
    {"hf-configs-maxtext/mixtral_8x7b_dict.json", "", 46.7, 12.9, 0.05},
    {"hf-configs-maxtext/mixtral_8x22b_dict.json", "", 141, 39, 0.5},
    {"wizardlm-2-8x22b/config.json", "", 141, 39, 0.5},
    {"olmoe-1b-7b-0125-instruct/config.json", "", 6.9, 1.3, 0.05},
    {"hf-configs-maxtext/gpt_oss_120b_dict.json", "", 116.8, 5.1, 0.05, 0, true},
    {"hf-configs-maxtext/gpt_oss_20b_dict.json", "", 20.9, 3.6, 0.05, 0, true},
};

struct Refused {
  const char* file;
  Code code;
  const char* field;
};

const Refused kRefused[] = {
    {"hf-configs-SimAI/deepseek_v3_config.json", Code::missing_field,
     "n_routed_experts"},  // spelt num_routed_experts
    {"hf-configs-SimAI/qwen3-235B-A22B_FP8_config.json", Code::unsupported,
     "architectures"},  // names two families
    {"hf-configs-SimAI/qwen3-next-80B-A3B_config.json", Code::unsupported, "model_type"},
    {"hf-configs-SimAI/qwen3-next-80B-A3B_Instruct_FP8_config.json", Code::unsupported, "model_type"},
    {"hf-configs-maxtext/qwen3_next_80b_a3b_dict.json", Code::unsupported, "model_type"},
    {"hf-configs-maxtext/qwen3_5_35b_a3b_dict.json", Code::unsupported, "model_type"},
    {"hf-configs-maxtext/qwen3_5_397b_a17b_dict.json", Code::unsupported, "model_type"},
    {"hf-configs-maxtext/qwen3_vl_2b_dict.json", Code::unsupported, "model_type"},
    {"hf-configs-maxtext/qwen3_vl_4b_dict.json", Code::unsupported, "model_type"},
    {"hf-configs-maxtext/qwen3_vl_30b_a3b_dict.json", Code::unsupported, "model_type"},
    {"hf-configs-maxtext/qwen3_omni_30b_a3b_config.json", Code::missing_field, "model_type"},
    {"hf-configs-maxtext/deepseek32_671b_dict.json", Code::unsupported, "model_type"},
    {"hf-configs-maxtext/deepseek4_284b_dict.json", Code::unsupported, "model_type"},
    {"hf-configs-maxtext/olmo3_7b_dict.json", Code::unsupported, "model_type"},
    {"deepseek-ocr2/config.json", Code::unsupported, "model_type"},
    {"deepseek-v3-inference-configs/config_16B.json", Code::unsupported, "model_type"},
    {"deepseek-v3-inference-configs/config_236B.json", Code::unsupported, "model_type"},
    {"deepseek-v3-inference-configs/config_671B.json", Code::unsupported, "model_type"},
    {"deepseek-v3-inference-configs/config_v3.1.json", Code::unsupported, "model_type"},
};

bool present() {
  if (fs::exists(kRoot)) return true;
  WARN("skipped: no " << kRoot);
  return false;
}

Json read(const std::string& file) {
  auto json = read_json_file(kRoot + file);
  REQUIRE(json.ok());
  return std::move(*json);
}

bool near(std::int64_t count, double billions, double tolerance) {
  return std::abs(static_cast<double>(count) / 1e9 - billions) <= tolerance;
}

}  // namespace

TEST_CASE("published configs: every supported one has the parameters that its authors state") {
  if (!present()) return;
  for (const Published& p : kAccepted) {
    INFO(p.file);
    Json json = read(p.file);
    if (*p.add_type) {
      CHECK(parse_model_config(json, p.file).error().field == "model_type");
      json["model_type"] = p.add_type;
    }
    if (!find_family(json.at("model_type").get<std::string>())) {
      WARN("skipped: " << p.file << ", its family is not known yet");
      continue;
    }
    const auto config = parse_model_config(json, p.file);
    if (!config.ok()) FAIL(config.error().text());
    const ModelCounts n = count_model(*config);
    INFO(n.params_total << " parameters, " << n.params_active << " active");
    CHECK(near(n.params_total, p.total_b, p.tolerance_b));
    const std::int64_t left_out = p.without_embedding ? config->vocab_size * config->hidden_size : 0;
    const double tolerance = p.active_tolerance_b > 0 ? p.active_tolerance_b : p.tolerance_b;
    if (p.active_b > 0) CHECK(near(n.params_active - left_out, p.active_b, tolerance));
  }
}

TEST_CASE("published configs: the others are refused by the key that is not understood") {
  if (!present()) return;
  for (const Refused& r : kRefused) {
    INFO(r.file);
    const auto config = parse_model_config(read(r.file), r.file);
    REQUIRE(!config.ok());
    CHECK(name_of(config.error().code) == name_of(r.code));
    CHECK(config.error().field == r.field);
    CHECK(!config.error().message.empty());
    CHECK(!config.error().expected.empty());
  }
}

TEST_CASE("published configs: the tables name every configuration that lies there") {
  if (!present()) return;
  std::map<std::string, int> named;
  for (const Published& p : kAccepted) ++named[p.file];
  for (const Refused& r : kRefused) ++named[r.file];
  for (const char* folder : {"hf-configs-SimAI", "hf-configs-maxtext", "deepseek-v3-inference-configs",
                             "deepseek-ocr2", "olmoe-1b-7b-0125-instruct", "wizardlm-2-8x22b"}) {
    for (const auto& entry : fs::directory_iterator(kRoot + folder)) {
      const std::string name = entry.path().filename().string();
      if (!name.ends_with(".json") || name.find("config") == std::string::npos) {
        if (!name.ends_with("_dict.json")) continue;
      }
      if (name.starts_with("tokenizer") || name.starts_with("generation")) continue;
      INFO(folder << "/" << name);
      CHECK(named[std::string(folder) + "/" + name] == 1);
    }
  }
}
