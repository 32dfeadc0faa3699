// A comparison as CI reads it: JUnit for its list of tests, Markdown for its summary.
#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/file.h"
#include "eval/compare/compare_sides.h"
#include "reports/text.h"

namespace assay {
namespace {

std::string name_of(const SidePair& s) { return fmt::format("{} under {}", s.suite, s.protocol); }

bool is_gate(const SideComparison& comparison) { return !comparison.suites.empty() && comparison.suites.front().margin.has_value(); }

std::string interval(const SidePair& s) { return s.runs.low ? fmt::format("{:+.5f} to {:+.5f}", *s.runs.low, *s.runs.high) : "-"; }

std::string details(const SidePair& s) {
  std::string out = fmt::format("n = {}, {} {:+.5f}, {:.0f} % interval {}", s.runs.n, s.metric, s.runs.delta, 100 * s.runs.level, interval(s));
  if (s.runs.p) out += fmt::format(", p = {:.3g} ({})", *s.runs.p, s.runs.test);
  if (s.p_adjusted) out += fmt::format(", adjusted over the suites {:.3g}", *s.p_adjusted);
  if (s.margin) out += fmt::format(", margin {}: p = {:.3g} of no loss beyond it, p = {:.3g} of a loss of that much", *s.margin, *s.p_worse, *s.p_not_worse);
  if (s.runs.gained) out += fmt::format("; {} gained, {} lost", *s.runs.gained, *s.runs.lost);
  return out;
}

std::string flips(const SidePair& s) { return fmt::format("{}", fmt::join(s.runs.flips, "\n")); }

// What fails a CI job; an undecided suite did not show what it was asked to.
bool bad(const SidePair& s) { return s.verdict == "fail" || s.verdict == "worse"; }

std::string test_case(const SidePair& s) {
  const std::string open = fmt::format("  <testcase classname=\"assay.{}\" name=\"{}\">\n", escape_xml(s.suite), escape_xml(name_of(s)));
  std::string inside;
  if (bad(s)) inside = fmt::format("    <failure message=\"{}\">{}</failure>\n", escape_xml(details(s)), escape_xml(flips(s)));
  else if (s.verdict == "undecided") inside = fmt::format("    <error message=\"undecided: {}\"/>\n", escape_xml(details(s)));
  return open + inside + fmt::format("    <system-out>{}</system-out>\n  </testcase>\n", escape_xml(fmt::format("{}: {}", s.verdict, details(s))));
}

}  // namespace

std::string sides_junit(const SideComparison& comparison) {
  int failures = 0, errors = 0;
  std::string cases;
  for (const SidePair& s : comparison.suites) {
    failures += bad(s) ? 1 : 0;
    errors += s.verdict == "undecided" ? 1 : 0;
    cases += test_case(s);
  }
  ASSAY_CHECK(failures + errors <= static_cast<int>(comparison.suites.size()));
  return fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"assay {}\" tests=\"{}\" failures=\"{}\" errors=\"{}\">\n{}</testsuite>\n",
                     is_gate(comparison) ? "gate" : "compare", comparison.suites.size(), failures, errors, cases);
}

std::string sides_markdown(const SideComparison& comparison) {
  constexpr std::size_t kShown = 20;
  std::string out = fmt::format("## assay {}: {}\n\n| suite | verdict | n | metric | change | interval | p | p adjusted | gained | lost |\n|---|---|---:|---|---:|---|---:|---:|---:|---:|\n",
                                is_gate(comparison) ? "gate" : "compare", comparison.verdict);
  const auto count = [](const std::optional<std::int64_t>& v) { return v ? fmt::format("{}", *v) : std::string("-"); };
  const auto p = [](const std::optional<double>& v) { return v ? fmt::format("{:.3g}", *v) : std::string("-"); };
  for (const SidePair& s : comparison.suites) {
    out += fmt::format("| {} | {} | {} | {} | {:+.5f} | {} | {} | {} | {} | {} |\n", escape_markdown(name_of(s)), s.verdict, s.runs.n, escape_markdown(s.metric), s.runs.delta, interval(s),
                       p(s.margin ? s.p_worse : s.runs.p), p(s.p_adjusted), count(s.runs.gained), count(s.runs.lost));
  }
  if (is_gate(comparison)) out += fmt::format("\nMargin {}: pass means that a loss of that much is excluded at 5 %, fail that a larger one is shown (Holm over the suites).\n", *comparison.suites.front().margin);
  for (const SidePair& s : comparison.suites) {
    if (s.runs.flips.empty()) continue;
    out += fmt::format("\n{}, items that changed side:", escape_markdown(name_of(s)));
    for (std::size_t i = 0; i < std::min(kShown, s.runs.flips.size()); ++i) out += fmt::format(" {}", escape_markdown(s.runs.flips[i]));
    if (s.runs.flips.size() > kShown) out += fmt::format(" and {} more", s.runs.flips.size() - kShown);
    out += "\n";
  }
  return out;
}

Status write_sides(const SideComparison& comparison, const std::string& junit_path, const std::string& markdown_path) {
  if (!junit_path.empty()) ASSAY_OK(write_file_atomic(junit_path, sides_junit(comparison)));
  if (!markdown_path.empty()) ASSAY_OK(write_file_atomic(markdown_path, sides_markdown(comparison)));
  return {};
}

}  // namespace assay
