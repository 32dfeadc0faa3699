// The checkpoints of ../shared/models/hf-oracles with their float64 logits (ORACLES.md describes the format).
#pragma once
#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/json.h"
#include "reference/model/model_files.h"
#include "tests/catch.h"

namespace hf {

using namespace assay;

inline const std::string kRoot = ASSAY_SHARED "/models/hf-oracles";

inline bool present() {
  if (std::filesystem::exists(kRoot)) return true;
  WARN("skipped: no " << kRoot);
  return false;
}

// Variants of the families that are read here.
inline const std::vector<std::string> kVariants = {"deepseek_v3-yarn",
                                                   "deepseek_v3-noqlora",
                                                   "deepseek_v3-negative-bias",
                                                   "deepseek_v3-onegroup",
                                                   "deepseek_v3-fp8",
                                                   "deepseek_v3-fp8-noqlora",
                                                   "deepseek_v3-fp8-ue8m0",
                                                   "llama-llama3rope",
                                                   "llama-bias",
                                                   "llama-headdim",
                                                   "mistral-window",
                                                   "mistral-nowindow",
                                                   "mistral-sharded",
                                                   "qwen2-tied",
                                                   "qwen2-window",
                                                   "qwen2-yarn",
                                                   "qwen3-plain",
                                                   "qwen3-window",
                                                   "qwen3-tied",
                                                   "mixtral-gqa",
                                                   "mixtral-window",
                                                   "mixtral-top3",
                                                   "qwen2_moe-plain",
                                                   "qwen2_moe-step2",
                                                   "qwen2_moe-mlponly",
                                                   "qwen3_moe-headdim",
                                                   "qwen3_moe-mlponly",
                                                   "qwen3_moe-window",
                                                   "olmoe-plain",
                                                   "olmoe-clip",
                                                   "olmoe-gqa",
                                                   "deepseek_v2-lite",
                                                   "deepseek_v2-group",
                                                   "deepseek_v2-normtopk",
                                                   "deepseek_v2-normtopk-scaled",
                                                   "deepseek_v2-bias",
                                                   "granitemoe-plain",
                                                   "granitemoe-tied",
                                                   "granitemoe-top5",
                                                   "granitemoeshared-plain",
                                                   "granitemoeshared-bias",
                                                   "granitemoeshared-none",
                                                   "gpt_oss-bf16",
                                                   "gpt_oss-mxfp4",
                                                   "gpt_oss-mxfp4-clamp"};

struct Case {
  std::vector<std::int32_t> ids;
  std::vector<std::int64_t> positions;
};

template <class T>
std::vector<T> values(const Checkpoint& file, const std::string& name) {
  const TensorView* view = file.find(name);
  REQUIRE(view);
  std::vector<T> out(view->bytes.size() / sizeof(T));
  std::memcpy(out.data(), view->bytes.data(), view->bytes.size());
  return out;
}

struct Variant {
  std::string name, folder;
  Json meta;
  ModelFiles files;
  Checkpoint stored;  // cases.safetensors
  std::vector<Case> cases;

  // (positions, vocab) of a reading, or of "logits" where it was not stored apart.
  std::vector<double> expected(std::size_t i, const std::string& reading) const {
    const std::string full = "case" + std::to_string(i) + "." + reading;
    return values<double>(stored, stored.find(full) ? full : "case" + std::to_string(i) + ".logits");
  }
  double number(const char* key) const { return meta[key].get<double>(); }
};

inline Variant load_folder(const std::string& folder) {
  auto meta = read_json_file(folder + "/cases.json");
  REQUIRE(meta.ok());
  auto files = open_model(folder);
  if (!files.ok()) FAIL(files.error().text());
  auto stored = Checkpoint::open(folder + "/cases.safetensors");
  REQUIRE(stored.ok());
  Variant v{std::filesystem::path(folder).filename(),
            folder,
            std::move(*meta),
            std::move(*files),
            std::move(*stored),
            {}};
  for (std::size_t i = 0; i < v.meta["cases"].size(); ++i) {
    const std::string p = "case" + std::to_string(i);
    const auto ids = values<std::int64_t>(v.stored, p + ".input_ids");
    v.cases.push_back({{ids.begin(), ids.end()}, values<std::int64_t>(v.stored, p + ".positions")});
  }
  return v;
}

inline Variant load(const std::string& name) { return load_folder(kRoot + "/" + name); }

struct Difference {
  double max_abs = 0, max_logit = 0;
  int wrong_argmax = 0;
};

// Compares rows of `got` (n_tokens, vocab) at the stored positions.
template <class T>
void compare(const std::vector<T>& got, const std::vector<double>& expected, const Case& c, std::size_t vocab,
             Difference& out) {
  REQUIRE(expected.size() == c.positions.size() * vocab);
  REQUIRE(got.size() == c.ids.size() * vocab);
  for (std::size_t r = 0; r < c.positions.size(); ++r) {
    const T* a = got.data() + static_cast<std::size_t>(c.positions[r]) * vocab;
    const double* b = expected.data() + r * vocab;
    std::size_t best_a = 0, best_b = 0;
    for (std::size_t i = 0; i < vocab; ++i) {
      const double difference = std::abs(static_cast<double>(a[i]) - b[i]);
      if (!(difference <= out.max_abs) && !std::isnan(out.max_abs))
        out.max_abs = difference;  // a NaN stays and fails
      out.max_logit = std::max(out.max_logit, std::abs(b[i]));
      if (a[i] > a[best_a]) best_a = i;
      if (b[i] > b[best_b]) best_b = i;
    }
    out.wrong_argmax += best_a != best_b;
  }
}

}  // namespace hf
