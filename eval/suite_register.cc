#include "eval/suite_register.h"

namespace assay {
namespace {

Status register_source(Database& database, const std::string& suite, const SourceCheck& source) {
  ASSAY_CHECK(source.is_there && !source.sha256.empty());
  ASSAY_TRY(Statement find, database.prepare("SELECT sha256 FROM suite_source WHERE suite_name = ?1 AND source = ?2 AND file = ?3"));
  find.with(suite, source.name, source.file);
  ASSAY_TRY(const bool known, find.next());
  const std::string before = known ? find.text(0) : source.sha256;
  if (before != source.sha256 && !source.pinned) {
    return Error{.code = Code::digest_changed,
                 .message = "the file is not the one that was added to this database",
                 .file = source.file,
                 .field = "sha256",
                 .expected = before,
                 .got = source.sha256};
  }
  ASSAY_TRY(Statement insert, database.prepare("INSERT OR REPLACE INTO suite_source (suite_name, source, file, sha256, item_count, pinned, added_at_utc) "
                                               "VALUES (?, ?, ?, ?, ?, ?, ?)"));
  return insert.with(suite, source.name, source.file, source.sha256, source.count, source.pinned, now_utc()).run();
}

}  // namespace

Status register_sources(Database& database, const SuiteCheck& check) {
  ASSAY_TRY(Transaction transaction, Transaction::begin(database));
  for (const SourceCheck& source : check.sources) {
    if (source.is_there) ASSAY_OK(register_source(database, check.suite, source));
  }
  return transaction.commit();
}

}  // namespace assay
