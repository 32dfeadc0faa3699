// Files of other harnesses in a scratch folder, replayed under a small suite of their own.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/json.h"
#include "eval/replay/replay.h"
#include "tests/catch.h"
#include "tests/scratch.h"

namespace assay::formats {

// A suite whose items are only in stored outputs: numbers in texts, and a choice.
inline std::string write_suite(const Scratch& scratch) {
  const Json generate = {{"name", "number"}, {"main", true}, {"kind", "generate"}, {"block", "{question}"}, {"max_tokens", 9},
                         {"extractors", Json::array({Json{{"function", "last-number"}}})}, {"equality", "number"}, {"metrics", {"accuracy", "no_answer"}}};
  const Json letter = {{"name", "letter"}, {"kind", "generate"}, {"block", "{question}"}, {"max_tokens", 9},
                       {"extractors", Json::array({Json{{"function", "last-letter"}}})}, {"equality", "text"}, {"metrics", {"accuracy", "no_answer"}}};
  const Json choice = {{"name", "choice"}, {"kind", "choice"}, {"block", "{question}"}, {"continuation", " {option}"},
                       {"metrics", {"acc", "acc_char", "acc_byte", "acc_token"}}};
  const Json suite = {{"name", "small"}, {"title", "t"}, {"source", "s"}, {"licence", "l"},
                      {"items", {{"origin", "outputs"}, {"sha256", std::string(64, '0')}, {"count", 3}, {"gold", "text"},
                                 {"fields", {{"id", "id"}, {"question", "question"}, {"gold", "gold"}}}}},
                      {"protocols", {generate, letter, choice}}};
  return scratch.write("small.suite.json", dump_json(suite));
}

inline std::vector<ReplayResult> replay_all(const std::string& path, const std::string& format, const std::string& suite, const std::string& protocol = "") {
  ReplayOptions options;
  options.format = format;
  options.suite = suite;
  options.protocol = protocol;
  auto results = replay({path}, options, nullptr);
  INFO((results.ok() ? std::string() : results.error().text()));
  REQUIRE(results.ok());
  return std::move(results).value();
}

inline ReplayResult replay_one(const std::string& path, const std::string& format, const std::string& suite, const std::string& protocol = "") {
  auto results = replay_all(path, format, suite, protocol);
  REQUIRE(results.size() == 1);
  return std::move(results.front());
}

inline double metric(const ReplayResult& result, const std::string& name) {
  for (const auto& m : result.metrics) {
    if (m.name == name) return m.value;
  }
  FAIL("no metric " + name);
  return 0;
}

// "agree/of" of one of the harness's own values; "" where it was not held against ours.
inline std::string own(const ReplayResult& result, const std::string& name) {
  for (const auto& [own_name, agreement] : result.own_values) {
    if (own_name == name) return std::to_string(agreement.agree) + "/" + std::to_string(agreement.of);
  }
  return "";
}

}  // namespace assay::formats
