#include "eval/claims/claim_ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/check.h"
#include "base/file.h"
#include "suites/locate.h"

namespace assay {
namespace {

constexpr std::size_t kMaxLedgerBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxFields = 16;
constexpr std::int64_t kMaxCount = 1'000'000'000;

struct Source {
  std::string claimant, table, note;
  Citation citation;
};

// One line with its place, for errors.
struct Row {
  std::array<std::string_view, kMaxFields> field;
  std::size_t fields = 0;
  std::size_t offset = 0;
  const std::string& file;

  Error bad(std::string_view name, std::string message, std::string expected, std::string_view got) const {
    return Error{.code = Code::bad_value,
                 .message = std::move(message),
                 .file = file,
                 .offset = static_cast<std::int64_t>(offset),
                 .field = std::string(name),
                 .expected = std::move(expected),
                 .got = std::string(got.substr(0, 80))};
  }
};

Status split(std::string_view line, Row& row) {
  for (;;) {
    const std::size_t tab = line.find('\t');
    const std::string_view field = line.substr(0, tab);
    if (row.fields == kMaxFields) return row.bad("", "a line of the ledger has too many fields", "at most 16", line);
    if (field.size() > kMaxLedgerField) return row.bad("", "a field of the ledger is too long", fmt::format("at most {} bytes", kMaxLedgerField), field);
    row.field[row.fields++] = field;
    if (tab == std::string_view::npos) return {};
    line.remove_prefix(tab + 1);
  }
}

Status has_fields(const Row& row, std::size_t wanted) {
  if (row.fields == wanted) return {};
  return row.bad("", "a line of the ledger has a wrong number of fields", fmt::format("{} after {}", wanted, row.field[0]), fmt::format("{}", row.fields));
}

Result<std::int64_t> count(const Row& row, std::string_view name, std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= 1 && value <= kMaxCount) return value;
  return row.bad(name, "a count of the ledger is none", fmt::format("1 to {}", kMaxCount), text);
}

// "64", "4-64" or nothing.
Status samples(const Row& row, std::string_view text, LedgerClaim& out) {
  if (text.empty()) return {};
  const std::size_t hyphen = text.find('-');
  ASSAY_TRY(out.samples_low, count(row, "samples", text.substr(0, hyphen)));
  out.samples_high = out.samples_low;
  if (hyphen == std::string_view::npos) return {};
  ASSAY_TRY(out.samples_high, count(row, "samples", text.substr(hyphen + 1)));
  if (*out.samples_low <= *out.samples_high) return {};
  return row.bad("samples", "a range of the ledger runs backwards", "such as 4-64", text);
}

Result<double> decimal(const Row& row, std::string_view name, std::string_view text) {
  const auto parsed = stats::parse_published(text);
  if (parsed.ok()) return parsed->value();
  return row.bad(name, "a figure of the ledger is no decimal", "such as 89.3", text);
}

Status score(const Row& row, std::string_view text, LedgerClaim& out) {
  const std::size_t slash = text.find('/');
  out.score = std::string(text);
  if (slash == std::string_view::npos) {
    ASSAY_TRY(out.value, decimal(row, "score", text));
    return {};
  }
  ASSAY_TRY(const double right, decimal(row, "score", text.substr(0, slash)));
  ASSAY_TRY(const std::int64_t of, count(row, "score", text.substr(slash + 1)));
  if (!(right <= static_cast<double>(of))) return row.bad("score", "more is right than was asked", "such as 2/30", text);
  out.value = right;
  out.n = of;
  return {};
}

Result<ClaimKind> kind_of(const Row& row, std::string_view text) {
  for (const ClaimKind kind : {ClaimKind::own, ClaimKind::peer, ClaimKind::third_party, ClaimKind::citation}) {
    if (text == name_of(kind)) return kind;
  }
  return row.bad("kind", "a kind of claim is not known", "self, peer, third_party or citation", text);
}

Status known_unit(const Row& row, std::string_view unit) {
  for (const std::string_view known : {"points", "scale_1_10", "elo", "bpb", "count"}) {
    if (unit == known) return {};
  }
  return row.bad("unit", "a unit is not known", "points, scale_1_10, elo, bpb or count", unit);
}

class LedgerReader {
 public:
  explicit LedgerReader(const std::string& file) : file_(file) {}

  Status line(std::string_view text, std::size_t offset) {
    if (text.empty() || text.front() == '#') return {};
    Row row{.field = {}, .offset = offset, .file = file_};
    ASSAY_OK(split(text, row));
    if (row.field[0] == "S") return source(row);
    if (row.field[0] == "D") return digest(row);
    if (row.field[0] == "C") return claim(row);
    return row.bad("", "a line of the ledger is of no known kind", "S, D or C before the first tab", row.field[0]);
  }

  Result<Ledger> finish() {
    for (LedgerClaim& one : ledger_.claims) {
      const auto found = digests_.find(one.source.text());
      if (found != digests_.end()) one.source.digest = found->second;
    }
    find_dependence(ledger_);
    return std::move(ledger_);
  }

 private:
  Status source(const Row& row) {
    ASSAY_OK(has_fields(row, 6));
    ASSAY_TRY(const std::int64_t number, count(row, "source", row.field[1]));
    Source out{.claimant = std::string(row.field[2]), .table = std::string(row.field[4]), .note = std::string(row.field[5]), .citation = {}};
    auto citation = parse_citation(row.field[3], "");
    if (!citation.ok()) return row.bad("source", citation.error().message, citation.error().expected, row.field[3]);
    out.citation = *citation;
    if (out.claimant.empty() || !sources_.try_emplace(number, std::move(out)).second)
      return row.bad("source", "a source has no claimant or its number is taken", "one line for each", row.field[1]);
    return {};
  }

  Status digest(const Row& row) {
    ASSAY_OK(has_fields(row, 4));
    const std::string_view hex = row.field[3];
    const bool good = hex.size() == 64 && hex.find_first_not_of("0123456789abcdef") == std::string_view::npos;
    if (!good) return row.bad("digest", "a digest is no SHA-256", "64 digits of lower-case hexadecimal", hex);
    digests_[fmt::format("{}#{}", row.field[1], row.field[2])] = std::string(hex);
    return {};
  }

  Status claim(const Row& row) {
    ASSAY_OK(has_fields(row, 16));
    const auto& f = row.field;
    ASSAY_TRY(const std::int64_t place, count(row, "source", f[2]));
    const auto source = sources_.find(place);
    if (source == sources_.end()) return row.bad("source", "a claim names a source that is not above it", "the number of an S line", f[2]);
    LedgerClaim out{.id = std::string(f[1]), .claimant = source->second.claimant};
    ASSAY_TRY(out.kind, kind_of(row, f[3]));
    out.model = f[4], out.model_printed = f[5].empty() ? f[4] : f[5];
    out.benchmark = f[6], out.benchmark_printed = f[7].empty() ? f[6] : f[7];
    out.metric = f[8], out.shots = f[9], out.unit = f[12];
    out.table = source->second.table, out.note = source->second.note;
    out.source = source->second.citation;
    out.source.locator = f[13];
    if (out.id.empty() || out.model.empty() || out.benchmark.empty()) return row.bad("", "a claim has no id, model or benchmark", "all three", f[1]);
    ASSAY_OK(numbers(row, out));
    return add(row, std::move(out));
  }

  static Status numbers(const Row& row, LedgerClaim& out) {
    const auto& f = row.field;
    ASSAY_OK(known_unit(row, f[12]));
    ASSAY_OK(score(row, f[10], out));
    if (!f[11].empty()) {
      ASSAY_TRY(out.sd, decimal(row, "sd", f[11]));
    }
    if (!f[14].empty()) {
      ASSAY_TRY(out.n, count(row, "n", f[14]));
    }
    return samples(row, f[15], out);
  }

  Status add(const Row& row, LedgerClaim claim) {
    if (ledger_.claims.size() == kMaxLedgerClaims) return row.bad("id", "a ledger has too many claims", fmt::format("at most {}", kMaxLedgerClaims), claim.id);
    if (!ledger_.by_id.try_emplace(claim.id, ledger_.claims.size()).second) {
      Error twice = row.bad("id", "two claims have the same id", "ids that differ", claim.id);
      twice.code = Code::duplicate;
      return twice;
    }
    ledger_.claims.push_back(std::move(claim));
    return {};
  }

  const std::string& file_;
  Ledger ledger_;
  std::unordered_map<std::int64_t, Source> sources_;
  std::unordered_map<std::string, std::string> digests_;
};

}  // namespace

std::string_view name_of(ClaimKind kind) {
  constexpr std::array<std::string_view, 4> kNames = {"self", "peer", "third_party", "citation"};
  return kNames.at(static_cast<std::size_t>(kind));
}

std::string_view name_of(Dependence dependence) {
  constexpr std::array<std::string_view, 3> kNames = {"independent", "quoted", "unknown"};
  return kNames.at(static_cast<std::size_t>(dependence));
}

std::string Citation::text() const {
  std::string out = repository;
  if (!commit.empty()) out += "@" + commit + ":" + path;
  return locator.empty() ? out : out + "#" + locator;
}

std::int64_t Citation::line() const {
  if (locator.size() < 2 || locator.front() != 'L') return 0;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(locator.data() + 1, locator.data() + locator.size(), value);
  return error == std::errc() && end == locator.data() + locator.size() && value >= 1 ? value : 0;
}

Result<Citation> parse_citation(std::string_view source, std::string_view locator) {
  Citation out{.repository = std::string(source), .commit = {}, .path = {}, .locator = std::string(locator), .digest = {}};
  const std::size_t at = source.find('@');
  if (at == std::string_view::npos) {
    if (!source.empty()) return out;
  } else {
    const std::size_t colon = source.find(':', at);
    const std::string_view commit = colon == std::string_view::npos ? "" : source.substr(at + 1, colon - at - 1);
    const bool hex = commit.size() >= 7 && commit.size() <= 64 && commit.find_first_not_of("0123456789abcdef") == std::string_view::npos;
    if (at > 0 && hex && is_inner_path(source.substr(colon + 1))) {
      out.repository = source.substr(0, at), out.commit = commit, out.path = source.substr(colon + 1);
      return out;
    }
  }
  return Error{.code = Code::bad_value,
               .message = "a citation cannot be followed",
               .field = "source",
               .expected = "owner/name@commit:path, the commit in hexadecimal and the path inside, or words without @",
               .got = std::string(source.substr(0, 80))};
}

const LedgerClaim* Ledger::find(const std::string& id) const {
  const auto found = by_id.find(id);
  if (found == by_id.end()) return nullptr;
  ASSAY_CHECK(found->second < claims.size());
  return &claims[found->second];
}

Result<Ledger> parse_ledger(std::string_view text, const std::string& file) {
  LedgerReader reader(file);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    ASSAY_OK(reader.line(text.substr(at, end - at), at));
    at = end + 1;
  }
  return reader.finish();
}

Result<Ledger> read_ledger(const std::string& path) {
  ASSAY_TRY(const std::string text, read_file(path, kMaxLedgerBytes));
  return parse_ledger(text, path);
}

Result<Ledger> published_ledger() {
  ASSAY_TRY(const std::string path, data_path("claims/published.tsv"));
  return read_ledger(path);
}

}  // namespace assay
