// The database schema as numbered steps: reports/schema/NNN_name.sql, embedded at build time.
#pragma once
#include <span>

namespace assay {

struct Migration {
  const char* name;  // "001_first.sql"
  const char* sql;
};

std::span<const Migration> migrations();  // ascending; PRAGMA user_version counts those that were applied

}  // namespace assay
