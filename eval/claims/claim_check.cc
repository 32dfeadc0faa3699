#include "eval/claims/claim_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/file.h"
#include "base/sha256.h"
#include "eval/claims/claim_source.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

std::string ending_of(const std::string& path) {
  const std::string ending = fs::path(path).extension().string();
  return ending == ".markdown" ? ".md" : ending;
}

// A plain file stands for the files of the repository that it can be an excerpt of: rows of Markdown are not those of a paper.
bool may_stand_for(const std::string& place, const std::string& path) {
  const std::string of_place = ending_of(place), of_path = ending_of(path);
  return of_place == of_path || (of_place == ".json" && of_path == ".md");
}

// Where a folder keeps `path`: at that path, by its last part, or a JSON of the same stem ("gsm.summary.md", "gsm.summary.json").
std::string inside(const std::string& folder, const std::string& path) {
  const fs::path base(folder), last = fs::path(path).filename();
  std::error_code ignored;
  for (const fs::path& candidate : {base / path, base / last, (base / last).replace_extension(".json")}) {
    if (fs::is_regular_file(candidate, ignored)) return candidate.string();
  }
  return {};
}

class Shelf {
 public:
  explicit Shelf(const std::vector<SourceGiven>& given) : given_(given) {}

  // The text that a claim's source has, read once; null with a reason where there is none.
  Result<const SourceText*> text(const Citation& citation, std::string& reason) {
    const std::string key = citation.repository + "@" + citation.commit + ":" + citation.path;
    if (const auto known = texts_.find(key); known != texts_.end()) {
      reason = known->second.reason;
      return known->second.text.get();
    }
    Book book;
    ASSAY_OK(find(citation, book));
    reason = book.reason;
    return texts_.emplace(key, std::move(book)).first->second.text.get();
  }

 private:
  struct Book {
    std::unique_ptr<SourceText> text;
    std::string reason;
  };

  Status find(const Citation& citation, Book& book) {
    book.reason = "no source is given";
    for (const SourceGiven& one : given_) {
      if (one.repository != citation.repository || (!one.path.empty() && one.path != citation.path)) continue;
      ASSAY_OK(open(one, citation, book));
      if (book.text) return {};
    }
    return {};
  }

  static Status open(const SourceGiven& given, const Citation& citation, Book& book) {
    std::error_code ignored;
    if (!fs::is_directory(given.place, ignored)) return open_file(given, citation, book);
    if (!citation.commit.empty() && fs::exists(fs::path(given.place) / ".git", ignored)) {
      auto bytes = read_git_object(given.place, citation.commit, citation.path, kMaxSourceBytes);
      if (bytes.ok()) return keep(std::move(*bytes), citation.path, true, book);
      book.reason = bytes.error().text();
      return {};
    }
    const std::string path = inside(given.place, citation.path);
    book.reason = fmt::format("{} has no {}", given.place, citation.path);
    if (path.empty()) return {};
    ASSAY_TRY(std::string bytes, read_file(path, kMaxSourceBytes));
    return keep(std::move(bytes), path, ending_of(path) == ending_of(citation.path), book);
  }

  static Status open_file(const SourceGiven& given, const Citation& citation, Book& book) {
    book.reason = fmt::format("{} is not of the kind of {}", given.place, citation.path);
    if (given.path.empty() && !may_stand_for(given.place, citation.path)) return {};
    ASSAY_TRY(std::string bytes, read_file(given.place, kMaxSourceBytes));
    return keep(std::move(bytes), given.place, false, book);
  }

  static Status keep(std::string bytes, const std::string& name, bool whole, Book& book) {
    ASSAY_TRY(SourceText text, SourceText::parse(std::move(bytes), name, whole));
    book.text = std::make_unique<SourceText>(std::move(text));
    book.reason.clear();
    return {};
  }

  const std::vector<SourceGiven>& given_;
  std::map<std::string, Book> texts_;
};

// 2: the row says the model and the benchmark, 1: one of them, 0: neither. A JSON document's rows are those of models: without it 0.
int names(const SourceRow& row, const LedgerClaim& claim, bool json) {
  const auto has = [&](const std::string& name) {
    const std::string wanted = squashed(name);
    return !wanted.empty() && row.names.find(wanted) != std::string::npos;
  };
  const bool model = has(claim.model_printed) || has(claim.model), benchmark = has(claim.benchmark_printed) || has(claim.benchmark);
  if (json && !model) return 0;
  return (model ? 1 : 0) + (benchmark ? 1 : 0);
}

void quote(const SourceRow& row, const SourceText& text, const LedgerClaim& claim, ClaimCheck& check) {
  check.line = row.line;
  check.quoted = std::string(row.text.substr(0, kMaxQuoted));
  check.digest = sha256_hex(row.text);
  const std::string& known = claim.source.digest;
  if (known.empty() || known == check.digest || text.is_json()) return;
  check.state = CheckState::changed;
  check.reason = fmt::format("the figure is there, but the row is not the one that the ledger quotes (SHA-256 {} instead of {})", check.digest.substr(0, 12), known.substr(0, 12));
}

// The row at the cited place, where the source has such places. A plain file may be the whole one: then its line must also name it.
const SourceRow* cited_row(const SourceText& text, const LedgerClaim& claim) {
  const SourceRow* row = text.is_json() ? text.at_path(claim.source.locator) : text.line(claim.source.line());
  if (row == nullptr || text.is_json() || text.whole()) return row;
  return names(*row, claim, false) > 0 && SourceText::prints(*row, claim.score, false) ? row : nullptr;
}

// Of the rows with the figure: the one whose bytes the ledger knows, else the one that names most of what the figure is of.
const SourceRow* naming_row(const std::vector<const SourceRow*>& rows, const LedgerClaim& claim, bool json) {
  const SourceRow* best = nullptr;
  int most = 0;
  for (const SourceRow* row : rows) {
    if (!claim.source.digest.empty() && sha256_hex(row->text) == claim.source.digest) return row;
    const int named = names(*row, claim, json);
    if (named > most) best = row, most = named;
  }
  return best;
}

void look(const SourceText& text, const LedgerClaim& claim, ClaimCheck& check) {
  check.file = text.name();
  const SourceRow* cited = cited_row(text, claim);
  if (cited != nullptr && SourceText::prints(*cited, claim.score, text.is_json())) {
    check.state = CheckState::found;
    return quote(*cited, text, claim, check);
  }
  const bool lines_count = cited != nullptr || (!text.is_json() && text.whole() && claim.source.line() > 0);
  const SourceRow* row = naming_row(text.rows_with(claim.score), claim, text.is_json());
  if (row == nullptr) {
    check.state = CheckState::absent;
    check.reason = fmt::format("no row of {} that names {} or {} has {}", text.name(), claim.benchmark_printed, claim.model_printed, claim.score);
    if (cited != nullptr) check.quoted = std::string(cited->text.substr(0, kMaxQuoted));
    return;
  }
  check.state = lines_count ? CheckState::moved : CheckState::row;
  if (lines_count) check.reason = fmt::format("{} does not have {}; line {} does", claim.source.locator, claim.score, row->line);
  quote(*row, text, claim, check);
  if (lines_count) check.state = CheckState::moved;
}

}  // namespace

std::string_view name_of(CheckState state) {
  constexpr std::array<std::string_view, 6> kNames = {"found", "row", "moved", "absent", "changed", "unchecked"};
  return kNames.at(static_cast<std::size_t>(state));
}

bool failed(CheckState state) { return state == CheckState::moved || state == CheckState::absent || state == CheckState::changed; }

Result<SourceGiven> parse_source_given(const std::string& text) {
  const std::size_t equal = text.find('=');
  const std::size_t colon = text.substr(0, equal).find(':');
  SourceGiven out;
  if (equal != std::string::npos) {
    out.repository = text.substr(0, std::min(colon, equal));
    if (colon != std::string::npos) out.path = text.substr(colon + 1, equal - colon - 1);
    out.place = text.substr(equal + 1);
  }
  std::error_code ignored;
  if (out.repository.empty() || out.place.empty() || (colon != std::string::npos && out.path.empty()))
    return Error{.code = Code::usage, .message = "--source takes REPO=PLACE or REPO:PATH=PLACE: whose source, and where it lies", .field = "--source",
                 .expected = "deepseek-ai/DeepSeek-V3=~/src/DeepSeek-V3", .got = text};
  if (!fs::exists(out.place, ignored))
    return Error{.code = Code::not_found, .message = "a source is not there", .file = out.place, .field = "--source", .expected = "a clone, a folder or a file"};
  return out;
}

Result<std::vector<ClaimCheck>> check_claims(std::span<const LedgerClaim* const> claims, const std::vector<SourceGiven>& sources) {
  Shelf shelf(sources);
  std::vector<ClaimCheck> out;
  for (const LedgerClaim* claim : claims) {
    ASSAY_CHECK(claim != nullptr);
    ClaimCheck check{.id = claim->id};
    ASSAY_TRY(const SourceText* text, shelf.text(claim->source, check.reason));
    if (text != nullptr) look(*text, *claim, check);
    ASSAY_CHECK(!failed(check.state) || !check.reason.empty());
    out.push_back(std::move(check));
  }
  return out;
}

Json checks_json(const std::vector<ClaimCheck>& checks) {
  const auto some = [](const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); };
  Json out = Json::array();
  for (const ClaimCheck& c : checks) {
    out.push_back({{"claim", c.id},
                   {"state", name_of(c.state)},
                   {"ok", c.state == CheckState::unchecked ? Json(nullptr) : Json(!failed(c.state))},
                   {"file", some(c.file)},
                   {"line", c.line > 0 ? Json(c.line) : Json(nullptr)},
                   {"digest", some(c.digest)},
                   {"quoted", some(c.quoted)},
                   {"reason", some(c.reason)}});
  }
  return out;
}

std::string checks_text(const std::vector<ClaimCheck>& checks) {
  std::map<std::string_view, int> counts;
  std::string out;
  for (const ClaimCheck& c : checks) {
    ++counts[name_of(c.state)];
    if (failed(c.state)) out += fmt::format("{} {}: {}\n", c.id, name_of(c.state), c.reason);
  }
  out += fmt::format("{} claims:", checks.size());
  for (const auto& [name, count] : counts) out += fmt::format(" {} {}", count, name);
  return out;
}

}  // namespace assay
