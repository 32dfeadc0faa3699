// Small checkpoints of other projects with the logits that they publish, and what each of them is worth.
#pragma once
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "reference/model/families.h"
#include "reference/model/model_files.h"
#include "tests/catch.h"

namespace foreign {

using namespace assay;

inline const std::string kModels = ASSAY_SHARED "/models/";

inline bool present(const std::string& folder) {
  if (std::filesystem::exists(kModels + folder)) return true;
  WARN("skipped: no " << kModels + folder);
  return false;
}

// A checkpoint whose weights, configuration and reference are three files beside each other.
struct Fixture {
  const char* name;
  const char* weights;  // below kModels
  const char* config;
  const char* reference;
  double bar;                    // largest difference under the authors' formula; 0: the reference is wrong
  const char* convention;        // reproduces a wrong reference within 2e-5; "" where it is right
  double wrong_low, wrong_high;  // how far the authors' formula is from a wrong reference
  const char* missing;           // JSON that the configuration should have said; "" where it is whole
};

struct Reference {
  std::vector<std::vector<std::int32_t>> ids;
  std::vector<std::vector<double>> logits;  // of each sequence (n_tokens, vocab)
};

inline Json document(const std::string& file) {
  auto json = read_json_file(kModels + file, {.max_bytes = std::size_t{64} << 20});
  REQUIRE(json.ok());
  return std::move(*json);
}

// {"sequences": [[id]], "logits": [[[x]]]} or {"input_ids": [id], "hf_logits": [x]}.
inline Reference read_reference(const std::string& file) {
  const Json json = document(file);
  Reference out;
  if (json.contains("input_ids")) {
    out.ids.push_back(json.at("input_ids").get<std::vector<std::int32_t>>());
    out.logits.push_back(json.at("hf_logits").get<std::vector<double>>());
    return out;
  }
  for (const Json& sequence : json.at("sequences"))
    out.ids.push_back(sequence.get<std::vector<std::int32_t>>());
  for (const Json& sequence : json.at("logits")) {
    std::vector<double>& rows = out.logits.emplace_back();
    for (const Json& row : sequence) {
      for (const Json& value : row) rows.push_back(value.get<double>());
    }
  }
  REQUIRE(out.ids.size() == out.logits.size());
  return out;
}

inline Json config_of(const Fixture& fixture) {
  Json config = document(fixture.config);
  const Json missing = *fixture.missing ? Json::parse(fixture.missing) : Json::object();
  for (const auto& [key, value] : missing.items()) config[key] = value;
  return config;
}

// Families that this version does not know are told and left out.
inline bool known(const Fixture& fixture) {
  const std::string type = config_of(fixture).at("model_type").get<std::string>();
  if (find_family(type)) return true;
  WARN("skipped: " << fixture.name << ", the family " << type << " is not known yet");
  return false;
}

inline ModelFiles open(const Fixture& fixture) {
  auto config = parse_model_config(config_of(fixture), fixture.config);
  if (!config.ok()) FAIL(config.error().text());
  auto checkpoint = Checkpoint::open(kModels + fixture.weights);
  if (!checkpoint.ok()) FAIL(checkpoint.error().text());
  auto files = join_model(std::move(*config), std::move(*checkpoint));
  if (!files.ok()) FAIL(files.error().text());
  return std::move(*files);
}

struct Difference {
  double max_abs = 0;
  int wrong_argmax = 0, rows = 0;
};

template <class T>
void compare(const std::vector<T>& got, const std::vector<double>& expected, std::size_t vocab,
             Difference& out) {
  REQUIRE(got.size() == expected.size());
  REQUIRE(got.size() % vocab == 0);
  for (std::size_t at = 0; at < got.size(); at += vocab) {
    std::size_t best_a = at, best_b = at;
    for (std::size_t i = at; i < at + vocab; ++i) {
      const double difference = std::abs(static_cast<double>(got[i]) - expected[i]);
      if (!(difference <= out.max_abs) && !std::isnan(out.max_abs))
        out.max_abs = difference;  // a NaN stays and fails
      if (got[i] > got[best_a]) best_a = i;
      if (expected[i] > expected[best_b]) best_b = i;
    }
    out.wrong_argmax += best_a != best_b;
    ++out.rows;
  }
}

}  // namespace foreign
