// The published record: thousands of printed figures with the place where each stands, who printed it and whether it is a measurement
// of its own. suites/data/claims/published.tsv is the shipped one (suites/data/claims/scripts/make_ledger.py writes the format).
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "eval/claims/claim.h"

namespace assay {

// repo@commit:path and where in it: "L117" a line, "Table 2" of a paper, "Model.suite.accuracy" in a JSON document.
struct Citation {
  std::string repository, commit, path;  // commit and path are empty where the source is not a file of a repository
  std::string locator;
  std::string digest;  // SHA-256 of the quoted row without its line break; "": not known

  std::string text() const;           // repo@commit:path#locator
  std::int64_t line() const;          // of "L117"; 0: the locator is no line
};
Result<Citation> parse_citation(std::string_view source, std::string_view locator);

// own: the claimant made the model. peer: a maker's figure for somebody else's model. third_party: a harness or a study. citation: the
// source itself says that the figure is quoted.
enum class ClaimKind : std::uint8_t { own, peer, third_party, citation };
// Is the figure a measurement of its own? A copy says nothing about the model that its original does not say.
enum class Dependence : std::uint8_t { independent, quoted, unknown };
std::string_view name_of(ClaimKind kind);  // self peer third_party citation
std::string_view name_of(Dependence dependence);

struct LedgerClaim {
  std::string id, claimant;
  ClaimKind kind = ClaimKind::own;
  std::string model, model_printed;          // the normalised name, and the one in the source
  std::string benchmark, benchmark_printed;
  std::string metric, shots, table, note;    // the protocol as printed
  std::string score;                         // as printed; "2/30" where unit is count
  double value = 0;
  std::optional<double> sd;
  std::string unit;                          // points scale_1_10 elo bpb count
  Citation source;
  std::optional<std::int64_t> n;             // as printed
  std::optional<std::int64_t> samples_low, samples_high;  // a question; a range where the source gives one
  Dependence dependence = Dependence::unknown;
  std::string quoted_from;                   // id of the figure that it repeats
};

struct Ledger {
  std::vector<LedgerClaim> claims;
  std::unordered_map<std::string, std::size_t> by_id;

  const LedgerClaim* find(const std::string& id) const;
};

inline constexpr std::size_t kMaxLedgerClaims = 200'000;
inline constexpr std::size_t kMaxLedgerField = 2000;

// Lines of tab-separated fields, the first of which says what the line is; "#" is a comment. Refused with the byte offset: an unknown
// line, a wrong number of fields, a field that is too long, a number that is none, a source that was not named, an id twice.
Result<Ledger> parse_ledger(std::string_view text, const std::string& file);
Result<Ledger> read_ledger(const std::string& path);
Result<Ledger> published_ledger();

// Sets `dependence` and `quoted_from`. A maker's own figure is independent, a citation is quoted. Figures that a peer or third party prints
// for one model in one source are held against the maker's own for the same benchmarks: if at least kCopies are there and all are the same
// to the last printed digit they are quoted; if none is they are independent; else the equal ones are unknown.
inline constexpr int kCopies = 3;
void find_dependence(Ledger& ledger);

// What is known about a benchmark: its range and, where a suite of ours asks it, that suite.
struct Benchmark {
  std::string name, suite;           // suite: "" none of ours
  std::optional<std::int64_t> items;
  std::optional<double> low, high;   // of its scale
  std::string source;                // where items and range come from
};
Result<std::vector<Benchmark>> known_benchmarks();  // suites/data/claims/benchmarks.tsv
// By name, whatever its case, spaces and hyphens; null: not known.
const Benchmark* find_benchmark(std::span<const Benchmark> known, std::string_view name);
std::string squashed(std::string_view name);  // lower-case letters and digits alone

// A figure of the ledger as `verify` decides it: suite and scale by `known`, protocol and metric not named.
// `reported` becomes what another claimant measured himself for the same model and benchmark under a protocol that no printed field tells
// apart, where one of the two says how many answers it drew.
Result<Claim> as_claim(const Ledger& ledger, const LedgerClaim& entry, std::span<const Benchmark> known);
Json ledger_claim_json(const LedgerClaim& entry);

}  // namespace assay
