// Strict reading of a JSON object: every member that is not asked for is refused, so that a misspelt field
// cannot be ignored.
#pragma once
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace assay {

class Fields {
 public:
  // Neither is copied: both must outlive the reader.
  Fields(const Json& object, std::string_view file) : object_(object), file_(file) {}

  bool has(std::string_view name) const;
  Result<std::string> text(std::string_view name);                          // needed
  Result<std::string> text(std::string_view name, std::string_view other);  // `other` where it is absent
  Result<std::int64_t> integer(std::string_view name, std::int64_t other, std::int64_t low,
                               std::int64_t high);
  Result<double> number(std::string_view name);  // needed
  Result<bool> flag(std::string_view name, bool other);
  Result<std::vector<std::string>> texts(std::string_view name);  // an array of strings; absent: empty
  const Json* any(std::string_view name) { return find(name); }             // of any type; null: absent
  Result<const Json*> object(std::string_view name);              // needed
  Result<const Json*> array(std::string_view name);               // needed
  // The index of the text in `names`, or `other` where it is absent.
  Result<int> choice(std::string_view name, const std::vector<std::string_view>& names, int other);

  Status finish() const;  // refuses members that were never asked for
  Error wrong(std::string_view name, std::string_view expected) const;

 private:
  const Json* find(std::string_view name);

  const Json& object_;
  std::string_view file_;
  std::set<std::string, std::less<>> seen_;
};

}  // namespace assay
