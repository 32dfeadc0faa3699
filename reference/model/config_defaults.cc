#include "reference/model/config_defaults.h"

namespace assay {
namespace {

struct Context {
  std::string_view model_type;
  std::int64_t max_position_embeddings;
};

constexpr Context kContexts[] = {
    {"llama", 2048},       {"mistral", 131072},   {"mixtral", 131072},  {"qwen2", 32768},
    {"qwen3", 32768},      {"qwen2_moe", 32768},  {"qwen3_moe", 32768}, {"olmoe", 4096},
    {"deepseek_v2", 2048}, {"deepseek_v3", 4096}, {"granitemoe", 2048}, {"granitemoeshared", 2048},
    {"gpt_oss", 131072},
};

}  // namespace

std::int64_t default_context(std::string_view model_type) {
  for (const Context& each : kContexts) {
    if (each.model_type == model_type) return each.max_position_embeddings;
  }
  return 0;
}

}  // namespace assay
