// Does the source really say it? Re-reads the sources that the user has and looks for each figure where the ledger says it stands.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "eval/claims/claim_ledger.h"

namespace assay {

// What `--source REPO=PLACE` or `--source REPO:PATH=PLACE` names. PLACE is a clone (the object at the claim's commit is read, not the
// working tree), a folder with the repository's files, or one plain file: a text, an excerpt of table rows, `pdftotext` output, or JSON.
struct SourceGiven {
  std::string repository;
  std::string path;  // "": every file of the repository
  std::string place;
};
Result<SourceGiven> parse_source_given(const std::string& text);

// found: on the cited line, or at the cited place of the JSON document. row: the source has no such lines (an excerpt, a paper), and a row
// that names the benchmark or the model has the figure. moved: only another line than the cited one has it. absent: no row has it.
// changed: it is there, but the row's bytes are not those that the ledger was made from. unchecked: there is no source.
enum class CheckState : std::uint8_t { found, row, moved, absent, changed, unchecked };
std::string_view name_of(CheckState state);
bool failed(CheckState state);  // moved, absent, changed

struct ClaimCheck {
  std::string id;
  CheckState state = CheckState::unchecked;
  std::string file, quoted, digest;  // where it was read; the row (at most kMaxQuoted bytes) and the SHA-256 of all of it
  std::int64_t line = 0;             // in that file; 0: none
  std::string reason;
};
inline constexpr std::size_t kMaxQuoted = 400;
inline constexpr std::size_t kMaxSourceBytes = std::size_t{64} << 20;

// One check a claim, in their order. A source that is given and cannot be read is refused; one that is given and has not the claim's
// file leaves the claim unchecked, with the reason.
Result<std::vector<ClaimCheck>> check_claims(std::span<const LedgerClaim* const> claims, const std::vector<SourceGiven>& sources);

Json checks_json(const std::vector<ClaimCheck>& checks);
std::string checks_text(const std::vector<ClaimCheck>& checks);

}  // namespace assay
