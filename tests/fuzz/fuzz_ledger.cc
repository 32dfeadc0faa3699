// Fuzz target of the ledger of published claims and of what is made of its lines, in libFuzzer's form:
//   clang++ -std=c++20 -DASSAY_LIBFUZZER -fsanitize=fuzzer,address,undefined -I. tests/fuzz/fuzz_ledger.cc … -o fuzz && ./fuzz tests/fuzz/corpus/ledger
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/check.h"
#include "eval/claims/claim_conflicts.h"
#include "eval/claims/claim_ledger.h"
#include "eval/claims/claim_source.h"

namespace {

// The same bytes as a source that is asked for figures.
void as_source(std::string_view text) {
  for (const char* name : {"fuzz.md", "fuzz.json"}) {
    const auto source = assay::SourceText::parse(std::string(text), name, true);
    if (!source.ok()) continue;
    for (const char* figure : {"89.3", "2/30", "1"}) {
      for (const assay::SourceRow* row : source->rows_with(figure)) ASSAY_CHECK(assay::SourceText::prints(*row, figure, source->is_json()));
    }
  }
}

}  // namespace

// 0 for everything; a fault is an assertion or a sanitizer report.
extern "C" int fuzz_ledger(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  as_source(text);
  const auto ledger = assay::parse_ledger(text, "fuzz");
  if (!ledger.ok()) {
    ASSAY_CHECK(!ledger.error().message.empty() && ledger.error().offset >= 0);
    return 0;
  }
  for (const assay::LedgerClaim& claim : ledger->claims) {
    ASSAY_CHECK(ledger->find(claim.id) == &claim);
    (void)assay::as_claim(*ledger, claim, {});
  }
  for (const assay::Conflict& c : assay::find_conflicts(*ledger, {}, 0)) ASSAY_CHECK(c.spread > 0 && c.unexplained_spread <= c.spread);
  (void)assay::census_json(assay::census(*ledger));
  return 0;
}

#ifdef ASSAY_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { return fuzz_ledger(data, size); }
#endif
