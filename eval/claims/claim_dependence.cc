// Which printed figures are copies of others.
#include <map>
#include <tuple>

#include "base/check.h"
#include "eval/claims/claim_ledger.h"

namespace assay {
namespace {

using Key = std::pair<std::string_view, std::string_view>;  // model, benchmark
using Places = std::vector<std::size_t>;

// The first figure of somebody else, of those at `places`, that is printed with the same digits in the same unit.
const LedgerClaim* same_figure(const Ledger& ledger, const Places& places, const LedgerClaim& claim) {
  for (const std::size_t place : places) {
    const LedgerClaim& other = ledger.claims[place];
    if (other.claimant != claim.claimant && other.score == claim.score && other.unit == claim.unit) return &other;
  }
  return nullptr;
}

bool made_by_another(const Ledger& ledger, const Places& places, const LedgerClaim& claim) {
  for (const std::size_t place : places) {
    if (ledger.claims[place].claimant != claim.claimant) return true;
  }
  return false;
}

class CopySearch {
 public:
  explicit CopySearch(Ledger& ledger) : ledger_(ledger) {
    for (std::size_t i = 0; i < ledger.claims.size(); ++i) {
      const LedgerClaim& c = ledger.claims[i];
      if (c.kind == ClaimKind::own) own_[{c.model, c.benchmark}].push_back(i);
      if (c.kind == ClaimKind::peer || c.kind == ClaimKind::third_party) groups_[{c.claimant, c.source.repository + c.source.path, c.model}].push_back(i);
    }
  }

  void run() {
    for (LedgerClaim& c : ledger_.claims) {
      if (c.kind == ClaimKind::own) c.dependence = Dependence::independent;
      if (c.kind == ClaimKind::citation) quote(c, original(c));
    }
    for (const auto& [name, places] : groups_) group(places);
  }

 private:
  const LedgerClaim* original(const LedgerClaim& claim) const {
    const auto found = own_.find({claim.model, claim.benchmark});
    return found == own_.end() ? nullptr : same_figure(ledger_, found->second, claim);
  }

  static void quote(LedgerClaim& claim, const LedgerClaim* from) {
    claim.dependence = Dependence::quoted;
    if (from != nullptr) claim.quoted_from = from->id;
  }

  void group(const Places& places) {
    int shared = 0, equal = 0;
    for (const std::size_t place : places) {
      const LedgerClaim& claim = ledger_.claims[place];
      const auto found = own_.find({claim.model, claim.benchmark});
      if (found == own_.end() || !made_by_another(ledger_, found->second, claim)) continue;
      ++shared;
      equal += original(claim) != nullptr ? 1 : 0;
    }
    ASSAY_CHECK(equal <= shared);
    const bool copied = equal == shared && shared >= kCopies;
    for (const std::size_t place : places) settle(ledger_.claims[place], copied, shared > 0 && !copied);
  }

  // A figure without one of the maker's to hold it against: a peer may have copied it from elsewhere, a harness measures.
  void settle(LedgerClaim& claim, bool copied, bool measured) {
    const LedgerClaim* from = original(claim);
    if (from != nullptr && copied) return quote(claim, from);
    const bool own_work = from == nullptr && (claim.kind == ClaimKind::third_party || measured);
    claim.dependence = own_work ? Dependence::independent : Dependence::unknown;
  }

  Ledger& ledger_;
  std::map<Key, Places> own_;
  std::map<std::tuple<std::string, std::string, std::string>, Places> groups_;
};

}  // namespace

void find_dependence(Ledger& ledger) { CopySearch(ledger).run(); }

}  // namespace assay
