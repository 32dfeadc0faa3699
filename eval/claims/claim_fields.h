// How the fields of a claim are read; what eval/claim*.cc share.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "eval/claims/claim.h"

namespace assay::claim_fields {

inline constexpr std::size_t kMaxText = 4000;
inline constexpr std::int64_t kMaxItems = 1'000'000'000;

bool has(const Json& object, const char* key);  // there and not null
Error no_number(const std::string& file, const std::string& field, const Json& value);
Result<std::string> optional_text(const Json& object, const char* key, const std::string& file);  // "" where it is not there
Result<std::optional<std::int64_t>> optional_count(const Json& object, const char* key, const std::string& file);

// Samples, margin, scale, ledger fields and what others report.
Status read_claim_details(const Json& in, const std::string& file, Claim& claim);

}  // namespace assay::claim_fields
