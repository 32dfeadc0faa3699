// What a verdict rests on besides its figures: weights that are not the claimed ones, and what the source leaves unsaid.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "eval/verdicts/verdict_figures.h"

namespace assay::verdict {
namespace {

constexpr std::string_view kRunPublished = "run the published weights";
constexpr std::array<std::string_view, 4> kPlainFormats = {"BF16", "F16", "F32", "F64"};

struct FormatCount {
  std::string name;
  int tensors = 0;
};

// "Q4_1 210, F32 61" as table `model` has it.
std::vector<FormatCount> counts_of(const std::string& formats) {
  std::vector<FormatCount> out;
  for (std::size_t at = 0; at < formats.size();) {
    const std::size_t end = std::min(formats.find(", ", at), formats.size());
    const std::string one = formats.substr(at, end - at);
    const std::size_t blank = one.rfind(' ');
    if (blank != std::string::npos) out.push_back({one.substr(0, blank), std::atoi(one.c_str() + blank + 1)});
    at = end + 2;
  }
  return out;
}

// Formats of the measured weights that the claimed ones do not have; numbers that are not quantised are taken as they were published.
std::string fork_of(const std::string& claimed, const std::string& measured) {
  if (claimed.empty()) return {};
  const std::vector<FormatCount> counts = counts_of(measured);
  int all = 0;
  std::string out;
  for (const FormatCount& one : counts) all += one.tensors;
  for (const FormatCount& one : counts) {
    const bool plain = std::find(kPlainFormats.begin(), kPlainFormats.end(), one.name) != kPlainFormats.end();
    if (!plain && one.name != claimed) out += fmt::format("{}{} of {} tensors as {}", out.empty() ? "" : ", ", one.tensors, all, one.name);
  }
  return out;
}

std::string formats_measured(const Case& one) {
  if (one.main) return one.main->weights_formats;
  for (const CasePart& part : one.parts) {
    if (part.measured) return part.measured->weights_formats;
  }
  return {};
}

// All items of everything that the claim speaks of were asked.
bool asked_whole(const Case& one) {
  const auto whole = [](const std::optional<Measurement>& m) { return m && !m->items.empty() && !m->of_items; };
  return one.parts.empty() ? whole(one.main) : std::all_of(one.parts.begin(), one.parts.end(), [&](const CasePart& part) { return whole(part.measured); });
}

void add_sentence(std::string& text, const std::string& sentence) { text += (text.empty() ? "" : "; ") + sentence; }

}  // namespace

void note_conditions(const Case& one, Verdict& v) {
  v.unknown = one.claim.unknown;
  if (v.outcome == Outcome::impossible) {
    if (!v.unknown.empty()) v.hangs_on = fmt::format("{}", fmt::join(v.unknown, "; "));
    return;
  }
  v.fork = fork_of(one.claim.weights_format, formats_measured(one));
  if (!v.fork.empty()) {
    add_sentence(v.reason, fmt::format("what answered is a quantised fork ({}), the claim is about weights in {}", v.fork, one.claim.weights_format));
    if (v.outcome == Outcome::contradicted) {
      v.outcome = Outcome::undecided;
      add_sentence(v.reason, "the fork does not give the figure, which says nothing certain of the published weights");
      v.next = kRunPublished;
    }
    if (v.outcome == Outcome::undecided && v.next != kRunPublished && asked_whole(one)) {
      v.next = v.next.empty() ? fmt::format("{} on the same items", kRunPublished) : fmt::format("{} on the same items; of further such items {}", kRunPublished, v.next);
    }
    if (v.outcome != Outcome::reproduced) add_sentence(v.hangs_on, "whether the published weights answer as their quantised fork does");
  }
  if (!one.claim.protocol_printed.empty() && !one.claim.unknown.empty()) add_sentence(v.reason, fmt::format("the source names: {}", one.claim.protocol_printed));
  if (v.outcome != Outcome::reproduced && !v.unknown.empty()) add_sentence(v.hangs_on, fmt::format("{}", fmt::join(v.unknown, "; ")));
}

}  // namespace assay::verdict
