// WildEval/ZeroEval result_dirs: one file a model, `output` a list of one text, `id` of the item, `answer` the gold ("# 18").
#include <algorithm>
#include <nlohmann/json.hpp>

#include "eval/replay/stored.h"

namespace assay {
namespace {

// "# 18" and "#### 18": marks of the data set before the answer, no part of it.
std::string without_hashes(const std::string& text) {
  const auto begin = text.find_first_not_of("# \t\n");
  return text.starts_with('#') ? (begin == std::string::npos ? std::string() : text.substr(begin)) : text;
}

}  // namespace

RecordReader read_zeroeval_records(const StoredFile&) {
  return [](const Json& record, std::int64_t, const StoredSink& sink) -> Result<bool> {
    const auto id = record_text(record, {"id", "session_id"});
    if (!id) return false;
    StoredOutput out;
    out.id = *id;
    out.output = record_text(record, "output");
    out.question = record_text(record, {"question", "problem"}).value_or("");
    out.subset = record_text(record, {"subset", "type"}).value_or("");
    if (const auto gold = record_text(record, {"answer", "correct_answer"})) out.gold = without_hashes(*gold);
    ASSAY_OK(sink(std::move(out)));
    return true;
  };
}

}  // namespace assay
