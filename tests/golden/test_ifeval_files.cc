// The stored responses and labels of M-IFEval: the printed table from the labels, and the labels from our own checkers.
#include <cstdio>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "eval/replay/replay.h"
#include "tests/catch.h"

namespace {

using namespace assay;
namespace fs = std::filesystem;

const std::string kIfevalFolder = ASSAY_SHARED "/data/ifeval";

std::vector<ReplayResult> replay_all() {
  ReplayOptions options;
  options.format = "m-ifeval";
  options.suite = "ifeval";
  options.threads = 2;
  auto results = replay(list_outputs({kIfevalFolder + "/en", kIfevalFolder + "/es", kIfevalFolder + "/fr"}).value(), options, nullptr);
  INFO((results.ok() ? std::string() : results.error().text()));
  REQUIRE(results.ok());
  return std::move(results).value();
}

void print_agreement(const std::map<std::string, LabelAgreement>& by_suite) {
  for (const auto& [suite, labels] : by_suite) {
    std::printf("%s: strict %lld of %lld, loose %lld of %lld labels equal our checkers'\n", suite.c_str(), static_cast<long long>(labels.strict.agree),
                static_cast<long long>(labels.strict.of), static_cast<long long>(labels.loose.agree), static_cast<long long>(labels.loose.of));
    for (const auto& [id, counts] : labels.by_instruction) {
      const auto& [strict, loose] = counts;
      if (strict.agree == strict.of && loose.agree == loose.of) continue;
      std::printf("  %-52s strict %lld/%lld loose %lld/%lld\n", id.c_str(), static_cast<long long>(strict.agree), static_cast<long long>(strict.of),
                  static_cast<long long>(loose.agree), static_cast<long long>(loose.of));
    }
  }
}

void add(LabelCount& sum, const LabelCount& part) {
  sum.agree += part.agree;
  sum.of += part.of;
}

void add(LabelAgreement& sum, const LabelAgreement& part) {
  add(sum.strict, part.strict);
  add(sum.loose, part.loose);
  for (const auto& [id, counts] : part.by_instruction) {
    add(sum.by_instruction[id].first, counts.first);
    add(sum.by_instruction[id].second, counts.second);
  }
}

TEST_CASE("ifeval files: 67 of 68 printed cells follow from the stored labels, and 99.4 % of the labels from our checkers") {
  if (!fs::exists(kIfevalFolder)) {
    std::printf("skipped: %s is not there\n", kIfevalFolder.c_str());
    return;
  }
  const auto results = replay_all();
  REQUIRE(results.size() == 51);
  std::map<std::string, LabelAgreement> by_suite;
  std::vector<std::string> disagreements;
  int cells = 0;
  for (const ReplayResult& result : results) {
    INFO(result.file);
    const std::int64_t n = result.suite == "ifeval" ? 541 : result.suite == "ifeval-fr" ? 235 : 115;
    CHECK(result.audit.expected == n);
    CHECK(result.audit.seen == n);
    CHECK(result.audit.malformed + result.audit.duplicated == 0);
    CHECK(result.rescored.size() == 4);
    REQUIRE(result.labels.has_value());
    add(by_suite[result.suite], *result.labels);
    for (const PublishedFigure& figure : result.published) {
      ++cells;
      if (!figure.agrees) disagreements.push_back(result.model + " " + result.suite + " " + figure.published + " " + figure.ours);
    }
  }
  CHECK(cells == 68);
  CHECK(disagreements == std::vector<std::string>{"o1-preview-2024-09-12 ifeval 85.9 86.7"});
  print_agreement(by_suite);
  LabelCount strict, loose;
  for (const auto& [suite, labels] : by_suite) {
    add(strict, labels.strict);
    add(loose, labels.loose);
  }
  CHECK(strict.of == 22'372);
  CHECK(loose.of == 22'372);
  CHECK(static_cast<double>(strict.agree) >= 0.994 * static_cast<double>(strict.of));
  CHECK(static_cast<double>(loose.agree) >= 0.994 * static_cast<double>(loose.of));
}

}  // namespace
