// Files of items that a definition leaves open: the digest that was read first is kept in the database, and another one is refused.
#pragma once
#include "base/result.h"
#include "reports/database.h"
#include "suites/check_sources.h"

namespace assay {

// Writes a row for every file that was read. Refused as digest_changed: a file that was registered with another digest and is not pinned.
Status register_sources(Database& database, const SuiteCheck& check);

}  // namespace assay
