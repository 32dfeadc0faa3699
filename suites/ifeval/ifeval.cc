#include "suites/ifeval/ifeval.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "suites/python_text.h"

namespace assay {
namespace {

// The response, without stars, without its first line, its last, both, and these three without stars.
std::vector<std::string> loose_variants(std::string_view response) {
  const auto first = response.find('\n'), last = response.rfind('\n');
  const bool lines = first != std::string_view::npos;
  const std::string_view no_first = lines ? python::strip(response.substr(first + 1)) : std::string_view{};
  const std::string_view no_last = lines ? python::strip(response.substr(0, last)) : std::string_view{};
  const std::string_view neither = lines && last > first ? python::strip(response.substr(first + 1, last - first - 1)) : std::string_view{};
  std::vector<std::string> variants = {std::string(response), std::string(no_first), std::string(no_last), std::string(neither)};
  for (std::size_t i = 0; i < 4; ++i) variants.push_back(python::remove_all(variants[i], '*'));
  ASSAY_CHECK(variants.size() == 8);
  return variants;
}

Json flags_json(const std::vector<Followed>& followed, bool Followed::*which) {
  Json out = Json::array();
  for (const Followed& one : followed) out.push_back(one.*which);
  return out;
}

std::string why_of(const std::vector<Followed>& followed, const std::vector<std::string>& names) {
  const auto kept = std::count_if(followed.begin(), followed.end(), [](const Followed& f) { return f.strict; });
  std::string why = fmt::format("follows {} of {} instructions", kept, followed.size());
  std::string missed;
  for (std::size_t i = 0; i < followed.size() && i < names.size(); ++i) {
    if (!followed[i].strict) missed += (missed.empty() ? ", not " : ", ") + names[i];
  }
  return why + missed;
}

}  // namespace

bool follows(const Instruction& instruction, std::string_view response) {
  ASSAY_CHECK(instruction.kind != nullptr && instruction.kind->check != nullptr);
  return !python::is_blank(response) && instruction.kind->check(instruction, response);
}

std::vector<Followed> check_instructions(const std::vector<Instruction>& instructions, std::string_view response) {
  const auto variants = loose_variants(response);
  std::vector<Followed> out;
  for (const Instruction& one : instructions) {
    Followed followed{.strict = follows(one, variants.front())};
    followed.loose = followed.strict || std::any_of(variants.begin() + 1, variants.end(), [&](const std::string& v) { return follows(one, v); });
    out.push_back(followed);
  }
  return out;
}

ItemScore score_followed(const std::vector<Followed>& followed, const std::vector<std::string>& names) {
  ASSAY_CHECK(!followed.empty() && (names.empty() || names.size() == followed.size()));
  const auto n = static_cast<std::int64_t>(followed.size());
  const auto strict = std::count_if(followed.begin(), followed.end(), [](const Followed& f) { return f.strict; });
  const auto loose = std::count_if(followed.begin(), followed.end(), [](const Followed& f) { return f.loose; });
  ItemScore score;
  score.correct = strict == n;
  score.score = strict == n ? 1 : 0;
  score.extracted = dump_json({{"strict", flags_json(followed, &Followed::strict)}, {"loose", flags_json(followed, &Followed::loose)}});
  score.values = {{"strict_prompt", strict == n ? 1 : 0}, {"loose_prompt", loose == n ? 1 : 0}};
  score.shares = {{"strict_instruction", strict, n}, {"loose_instruction", loose, n}};
  score.why = why_of(followed, names);
  return score;
}

ItemScore score_instructions(const Item& item, std::string_view output) {
  ItemScore unjudged;
  if (item.gold.empty()) {
    unjudged.why = "not judged: the item's instructions are not known";
    return unjudged;
  }
  const auto instructions = parse_instructions(item.gold, item.id);
  if (!instructions.ok()) {
    unjudged.why = "not judged: " + instructions.error().text();
    return unjudged;
  }
  std::vector<std::string> names;
  for (const Instruction& one : *instructions) names.push_back(one.id);
  ItemScore score = score_followed(check_instructions(*instructions, output), names);
  score.extractor = "instructions";
  if (python::is_blank(output)) score.extracted.reset();  // nothing was there to judge: counted as such
  return score;
}

}  // namespace assay
