// Strict reading of config.json: every key is taken, known to change no number, or refused.
#pragma once
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace assay {

class ConfigKeys {
 public:
  // `prefix` stands before field names in errors, as in "rope_scaling.".
  ConfigKeys(const Json& object, std::string_view file, std::string prefix = {});

  // Null counts as absent. Each call marks the key as taken.
  bool has(const std::string& key);
  bool mentions(const std::string& key) const;  // also with null, which says "none" where absent says nothing
  const Json* find(const std::string& key);
  Result<std::int64_t> integer(const std::string& key, std::int64_t low, std::int64_t high);
  Result<std::int64_t> integer_or(const std::string& key, std::int64_t fallback, std::int64_t low,
                                  std::int64_t high);
  Result<double> number(const std::string& key, double low, double high);
  Result<double> number_or(const std::string& key, double fallback, double low, double high);
  Result<bool> boolean_or(const std::string& key, bool fallback);
  Result<std::string> text_or(const std::string& key, std::string fallback);
  Result<std::vector<std::int64_t>> integers(const std::string& key, std::int64_t low, std::int64_t high);
  Result<std::vector<double>> numbers(const std::string& key, double low, double high);

  // Refuses a key that is neither taken nor listed, unless its value is null or switches off what is off here anyway.
  Status refuse_rest(std::span<const std::string_view> harmless) const;

  Error refuse(Code code, const std::string& key, std::string message, std::string expected,
               std::string got) const;

 private:
  const Json& object_;
  std::string file_, prefix_;
  std::set<std::string> taken_;
};

}  // namespace assay
