// The protocol that a printed figure names, read out of the words around it.
#include <algorithm>
#include <array>
#include <cctype>

#include "base/check.h"
#include "eval/claims/claim_conflicts.h"

namespace assay {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool is_protocol_digit(char c) { return c >= '0' && c <= '9'; }

// "5-shot", "5", "3-5 shot", "8-shot, CoT": the number at the start.
std::string shots_of(const std::string& text) {
  std::size_t end = 0;
  while (end < text.size() && (is_protocol_digit(text[end]) || (text[end] == '-' && end + 1 < text.size() && is_protocol_digit(text[end + 1])))) ++end;
  return text.substr(0, end);
}

struct Spelling {
  std::string_view word, name;
};

// Spellings of one metric. Macro and micro averages, and letters against normalised options, stay apart.
constexpr Spelling kMetrics[] = {
    {"acc", "acc"},           {"accuracy", "acc"},     {"correct", "acc"}, {"resolved", "acc"}, {"em", "em"},
    {"pass1", "pass@1"},      {"pass1cot", "pass@1"},  {"f1", "f1"},       {"finalem", "em"},   {"cot", ""},
    {"promptstrict", "prompt strict"}, {"puzzleacc", "puzzle acc"}, {"accuracycot", "acc"}, {"accuracytool", "acc"}};

std::string metric_of(const LedgerClaim& claim) {
  const std::string word = squashed(claim.metric);
  if (word.empty() || word == squashed(claim.benchmark)) return {};
  for (const Spelling& one : kMetrics) {
    if (word == one.word) return std::string(one.name);
  }
  const bool window = std::count_if(word.begin(), word.end(), is_protocol_digit) >= 6 || word.ends_with("langs");
  return window ? std::string() : lower(claim.metric);
}

// A version, a window of dates, a split: "(0901-0401)", "v5", "7 langs", "[Thai]".
bool is_window(const std::string& part) {
  const auto digits = std::count_if(part.begin(), part.end(), is_protocol_digit);
  const bool version = part.size() >= 2 && part[0] == 'v' && is_protocol_digit(part[1]);
  const bool words = part == "test" || part == "valid" || part == "val" || part == "dev" || part == "main" || part.ends_with("langs");
  return version || words || digits >= 6;
}

void add_windows(const std::string& text, std::string& out) {
  std::string part;
  const auto end = [&] {
    if (is_window(part) && out.find(part) == std::string::npos) out += (out.empty() ? "" : " ") + part;
    part.clear();
  };
  for (const char c : text) {
    if (c == ' ' || c == '(' || c == ')' || c == '[' || c == ']' || c == ',') end();
    else part += c;
  }
  end();
}

std::string window_of(const LedgerClaim& claim) {
  std::string out;
  add_windows(lower(claim.benchmark_printed), out);
  add_windows(lower(claim.metric), out);
  if (lower(claim.metric).ends_with("langs")) out = lower(claim.metric);
  return out;
}

// How the question is put and the answer taken. The first that is named: the rarer words come first.
constexpr Spelling kModes[] = {{"maj@", "vote"}, {"majority", "vote"}, {"cons@", "vote"}, {"json", "json cot"}, {"ppl", "likelihood of letters"}, {"acc_char", "likelihood of letters"},
                               {"(tool)", "tool"},     {"non-thinking", "non-thinking"}, {"cot", "cot"}, {"mc2", "mc2"}};

std::string mode_of(const LedgerClaim& claim) {
  const std::string words = lower(claim.metric + " " + claim.shots + " " + claim.benchmark_printed + " " + claim.table);
  for (const Spelling& one : kModes) {
    if (words.find(one.word) != std::string::npos) return std::string(one.name);
  }
  const bool sampled_chains = claim.note.find("32768") != std::string::npos && claim.note.find("non-thinking") == std::string::npos;
  return sampled_chains ? "thinking" : "";
}

std::string samples_of(const LedgerClaim& claim) {
  if (!claim.samples_low) return {};
  ASSAY_CHECK(claim.samples_high.has_value());
  const std::string low = std::to_string(*claim.samples_low);
  return *claim.samples_low == *claim.samples_high ? low : low + "-" + std::to_string(*claim.samples_high);
}

constexpr Spelling kHarnesses[] = {{"lm-evaluation-harness", "lm-evaluation-harness"},
                                   {"opencompass", "OpenCompass"},
                                   {"lighteval", "lighteval"},
                                   {"simple-evals", "simple-evals"},
                                   {"hai-llm", "HAI-LLM"},
                                   {"same pipeline as deepseek-v2", "HAI-LLM"},
                                   {"internal framework", "HAI-LLM"},
                                   {"eval_details", "Meta's eval_details"},
                                   {"stored outputs in result_dirs", "ZeroEval"},
                                   {"lmdeploy", "OpenCompass"}};

std::string harness_of(const LedgerClaim& claim) {
  const std::string words = lower(claim.note + " " + claim.claimant);
  for (const Spelling& one : kHarnesses) {
    if (words.find(one.word) != std::string::npos) return std::string(one.name);
  }
  return {};
}

}  // namespace

PrintedProtocol printed_protocol(const LedgerClaim& claim) {
  return {.shots = shots_of(claim.shots),
          .metric = metric_of(claim),
          .window = window_of(claim),
          .mode = mode_of(claim),
          .samples = samples_of(claim),
          .harness = harness_of(claim)};
}

ClaimedDifference protocol_difference(const LedgerClaim& a, const LedgerClaim& b) {
  const PrintedProtocol one = printed_protocol(a), two = printed_protocol(b);
  ClaimedDifference out;
  const auto field = [&](const char* name, const std::string& left, const std::string& right) {
    if (left.empty() != right.empty()) out.unknown.emplace_back(name);
    else if (left != right) out.differs.emplace_back(name);
  };
  field("shots", one.shots, two.shots);
  field("metric", one.metric, two.metric);
  field("window", one.window, two.window);
  field("mode", one.mode, two.mode);
  // "4-64" beside "64" may be the same number.
  const bool may_agree = a.samples_low && b.samples_low && *a.samples_low <= *b.samples_high && *b.samples_low <= *a.samples_high;
  if (may_agree && one.samples != two.samples) out.unknown.emplace_back("samples");
  else field("samples", one.samples, two.samples);
  field("harness", one.harness, two.harness);
  if (a.kind != b.kind) out.differs.emplace_back("kind");
  return out;
}

}  // namespace assay
