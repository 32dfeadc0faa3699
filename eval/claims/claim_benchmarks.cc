// What is known about a benchmark, and a figure of the ledger as `verify` takes it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/file.h"
#include "eval/claims/claim_conflicts.h"
#include "suites/locate.h"

namespace assay {
namespace {

constexpr std::size_t kFields = 6;
constexpr std::size_t kMaxBenchmarkBytes = std::size_t{1} << 20;

Error bad(const std::string& file, std::string_view line) {
  return Error{.code = Code::bad_value,
               .message = "a line of the list of benchmarks cannot be read",
               .file = file,
               .expected = "name, suite, items, lowest, highest and source between tabs",
               .got = std::string(line.substr(0, 80))};
}

template <class Number>
bool maybe_number(std::string_view text, std::optional<Number>& out) {
  if (text.empty()) return true;
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  out = value;
  return true;
}

Result<Benchmark> benchmark(std::string_view line, const std::string& file) {
  std::array<std::string_view, kFields> field;
  std::string_view rest = line;
  for (std::size_t i = 0; i < kFields; ++i) {
    const std::size_t tab = rest.find('\t');
    if ((tab == std::string_view::npos) != (i + 1 == kFields)) return bad(file, line);
    field[i] = rest.substr(0, tab);
    rest.remove_prefix(tab == std::string_view::npos ? rest.size() : tab + 1);
  }
  Benchmark out{.name = std::string(field[0]), .suite = std::string(field[1]), .items = {}, .low = {}, .high = {}, .source = std::string(field[5])};
  const bool good = maybe_number(field[2], out.items) && maybe_number(field[3], out.low) && maybe_number(field[4], out.high);
  if (!good || out.name.empty()) return bad(file, line);
  return out;
}

// "DeepSeek: DeepSeek-V3-Base, GSM8K (EM, 8-shot): 89.3"
std::string sentence(const LedgerClaim& c) {
  std::string how = c.metric;
  if (!c.shots.empty()) how += (how.empty() ? "" : ", ") + c.shots;
  return fmt::format("{}: {}, {}{}: {}", c.claimant, c.model, c.benchmark, how.empty() ? "" : " (" + how + ")", c.score);
}

std::string range_text(const LedgerClaim& c) { return fmt::format("{}-{}", *c.samples_low, *c.samples_high); }

// Who else measured it himself; of several the one that is furthest off.
const LedgerClaim* other_measurement(const Ledger& ledger, const LedgerClaim& entry) {
  const LedgerClaim* best = nullptr;
  if (!comparable(entry)) return best;
  for (const LedgerClaim& c : ledger.claims) {
    if (c.model != entry.model || c.benchmark != entry.benchmark || c.claimant == entry.claimant) continue;
    if (c.dependence != Dependence::independent || !comparable(c) || !(c.samples_low || entry.samples_low)) continue;
    const ClaimedDifference difference = protocol_difference(entry, c);
    // Numbers of answers are what the test takes into account, and a harness of one's own is what makes it a second measurement.
    const bool same = std::all_of(difference.differs.begin(), difference.differs.end(),
                                  [](const std::string& field) { return field == "samples" || field == "harness" || field == "kind"; });
    if (!same) continue;
    if (best == nullptr || std::fabs(c.value - entry.value) > std::fabs(best->value - entry.value)) best = &c;
  }
  return best;
}

}  // namespace

std::string squashed(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte)) out += static_cast<char>(std::tolower(byte));
  }
  return out;
}

Result<std::vector<Benchmark>> known_benchmarks() {
  ASSAY_TRY(const std::string path, data_path("claims/benchmarks.tsv"));
  ASSAY_TRY(const std::string text, read_file(path, kMaxBenchmarkBytes));
  std::vector<Benchmark> out;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.empty() || line.front() == '#') continue;
    ASSAY_TRY(out.emplace_back(), benchmark(line, path));
  }
  return out;
}

const Benchmark* find_benchmark(std::span<const Benchmark> known, std::string_view name) {
  const std::string wanted = squashed(name);
  for (const Benchmark& one : known) {
    if (squashed(one.name) == wanted || (!one.suite.empty() && squashed(one.suite) == wanted)) return &one;
  }
  return nullptr;
}

Result<Claim> as_claim(const Ledger& ledger, const LedgerClaim& entry, std::span<const Benchmark> known) {
  const Benchmark* benchmark = find_benchmark(known, entry.benchmark);
  Json out = {{"id", entry.id}, {"text", sentence(entry)}, {"claimant", entry.claimant}, {"model", entry.model}};
  out["suite"] = benchmark != nullptr && !benchmark->suite.empty() ? benchmark->suite : entry.benchmark;
  out["value"] = entry.score;
  out["scale"] = entry.unit == "points" ? 100 : 1;
  out["unit"] = entry.unit;
  if (entry.n) out["n"] = *entry.n;
  if (entry.samples_low) out["samples"] = range_text(entry);
  if (entry.note.find("gap <=0.3 treated as equal") != std::string::npos && entry.unit == "points")
    out["margin"] = 0.3, out["margin_origin"] = "the claimant's own: a gap of at most 0.3 is the same level";
  if (const LedgerClaim* other = other_measurement(ledger, entry)) {
    out["reported"] = {{"value", other->score}, {"by", other->claimant + " (" + other->id + ")"}};
    if (other->samples_low) out["reported"]["samples"] = range_text(*other);
  }
  out["kind"] = name_of(entry.kind);
  out["dependence"] = name_of(entry.dependence);
  out["protocol_printed"] = fmt::format("{}; {}; {}; {}", entry.metric, entry.shots, entry.table, entry.note);
  out["source"] = entry.source.text();
  if (!entry.source.digest.empty()) out["source_digest"] = entry.source.digest;
  ASSAY_TRY(std::vector<Claim> one, parse_claims(out, "the published ledger"));
  ASSAY_CHECK(one.size() == 1);
  return std::move(one.front());
}

Json ledger_claim_json(const LedgerClaim& c) {
  const auto some = [](const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); };
  Json out = {{"id", c.id}, {"text", sentence(c)}, {"claimant", c.claimant}, {"kind", name_of(c.kind)}, {"model", c.model}, {"suite", c.benchmark}};
  out["protocol"] = {{"metric", some(c.metric)}, {"shots", some(c.shots)}, {"table", some(c.table)}, {"note", some(c.note)}};
  out["value"] = c.score;
  out["unit"] = c.unit;
  out["sd"] = c.sd ? finite_or_null(*c.sd) : Json(nullptr);
  out["n"] = c.n ? Json(*c.n) : Json(nullptr);
  out["samples"] = !c.samples_low ? Json(nullptr) : *c.samples_low == *c.samples_high ? Json(*c.samples_low) : Json::array({*c.samples_low, *c.samples_high});
  out["dependence"] = name_of(c.dependence);
  out["quoted_from"] = some(c.quoted_from);
  out["source"] = c.source.text();
  out["digest"] = some(c.source.digest);
  return out;
}

}  // namespace assay
