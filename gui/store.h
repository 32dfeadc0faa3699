// The database as the windows see it: opened read-only, the short lists read once, long ones asked in pages.
#pragma once
#include <string>
#include <vector>

#include "base/result.h"
#include "reports/query.h"

namespace assay::gui {

inline constexpr std::int64_t kMaxDigestBytes =
    256 << 20;  // a larger file's digest would delay the first picture

struct Store {
  Database database;
  std::string digest;  // SHA-256 of the file; empty above kMaxDigestBytes
  std::int64_t size_bytes = 0;
  std::vector<ClaimRow> claims;
  std::vector<RunRow> runs;
  std::vector<ModelRow> models;
  std::vector<SimilarityRow> similarities;
  std::vector<CostRow> costs;
  std::vector<KernelRow> kernels;
  std::vector<EventRow> events;

  // Refuses what is no assay database, and lists that pass the limits of reports/query.h.
  static Result<Store> open(const std::string& path);

  const ClaimRow* claim(MaybeId id) const;  // nullptr: none of that number
  const RunRow* run(MaybeId id) const;
};

}  // namespace assay::gui
