// The "post_processor" of tokenizer.json: which special tokens stand around one encoded text.
#pragma once
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace assay {

class PostProcessor {
 public:
  // `json` is the object or null. Kinds: TemplateProcessing, ByteLevel (changes no ids), RobertaProcessing,
  // BertProcessing, Sequence; others are refused by name.
  static Result<PostProcessor> from_json(const Json& json, const std::string& file);

  static PostProcessor around(std::vector<int> before, std::vector<int> after);

  void apply(std::vector<int>& ids) const;
  const std::vector<int>& before() const { return before_; }
  const std::vector<int>& after() const { return after_; }

 private:
  Status add(const Json& json, const std::string& file, const std::string& field, int depth);
  Status add_template(const Json& json, const std::string& file, const std::string& field);
  Status add_pair(const Json& json, const std::string& file, const std::string& field);

  std::vector<int> before_, after_;
};

}  // namespace assay
