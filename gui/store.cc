#include "gui/store.h"

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/sha256.h"

namespace assay::gui {
namespace {

template <class Row>
const Row* find(const std::vector<Row>& rows, MaybeId id) {
  if (!id) return nullptr;
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.id == *id; });
  return found == rows.end() ? nullptr : &*found;
}

}  // namespace

Result<Store> Store::open(const std::string& path) {
  ASSAY_TRY(Database database, Database::open_read_only(path));
  Store store{.database = std::move(database)};
  const Database& db = store.database;
  ASSAY_TRY(store.claims, claim_rows(db));
  ASSAY_TRY(store.runs, run_rows(db));
  ASSAY_TRY(store.models, model_rows(db));
  ASSAY_TRY(store.similarities, similarity_rows(db));
  ASSAY_TRY(store.costs, cost_rows(db));
  ASSAY_TRY(store.kernels, kernel_rows(db));
  ASSAY_TRY(store.events, event_rows(db));
  std::error_code failed;
  const auto size = std::filesystem::file_size(path, failed);
  store.size_bytes = failed ? 0 : static_cast<std::int64_t>(size);
  if (store.size_bytes > 0 && store.size_bytes <= kMaxDigestBytes) {
    ASSAY_TRY(const MappedFile file, MappedFile::open(path));
    store.digest = sha256_hex(file.text());
  }
  return store;
}

const ClaimRow* Store::claim(MaybeId id) const { return find(claims, id); }
const RunRow* Store::run(MaybeId id) const { return find(runs, id); }

}  // namespace assay::gui
