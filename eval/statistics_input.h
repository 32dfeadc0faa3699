// Typed access to the document of `assay stats`, and the table of what it computes.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/stats/binomial.h"

namespace assay::statistics {

inline constexpr double kLargest = 1e150;  // squares and their sums stay finite
inline constexpr const char* kOneValue = "a single value has no standard error";

// The document with its file name; errors are one sentence and name the field.
struct Input {
  const Json& json;
  std::string_view file;
  std::uint64_t seed;

  bool has(std::string_view field) const;
  const Json& at(std::string_view field) const;
  Error bad(std::string_view field, std::string message, std::string expected, std::string got) const;
};

Result<std::int64_t> whole(const Input& in, std::string_view field, std::int64_t low, std::int64_t high);
Result<double> real(const Input& in, std::string_view field, double low, double high);
Result<double> open_share(const Input& in, std::string_view field);  // strictly between 0 and 1: levels, alpha, power
Result<double> level_of(const Input& in);                            // 0.95 where it is not said
Result<std::vector<double>> numbers(const Input& in, std::string_view field, double low, double high);
Result<std::vector<std::int64_t>> counts(const Input& in, std::string_view field, std::int64_t low);
// Names of clusters, strings or whole numbers, as numbers in order of first appearance; empty where the key is absent.
Result<std::vector<std::int64_t>> clusters(const Input& in, std::size_t length, bool needed);
Status same_length(const Input& in, std::size_t first, std::size_t second, std::string_view field);

struct Entry {
  std::string_view name;
  Result<Json> (*run)(const Input&);
};
// Intervals of differences, variance by source, equivalence, sample sizes, stopping (eval/statistics_plan.cc).
std::span<const Entry> planning_statistics();

}  // namespace assay::statistics
