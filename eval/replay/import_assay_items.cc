// Item results with log-likelihoods: {"id", "log_likelihoods": [...]} for a choice, {"id", "log_likelihood", "tokens"} for a text.
#include <nlohmann/json.hpp>

#include "eval/replay/stored.h"

namespace assay {
namespace {

bool set_log_likelihoods(const Json& record, StoredOutput& out) {
  if (const auto one = record.find("log_likelihood"); one != record.end()) {
    if (one->is_number()) out.log_likelihoods = {one->get<double>()};
    return one->is_number();
  }
  const auto many = record.find("log_likelihoods");
  if (many == record.end() || !many->is_array() || many->empty()) return false;
  for (const auto& value : *many) {
    if (!value.is_number()) return false;
    out.log_likelihoods.push_back(value.get<double>());
  }
  return true;
}

}  // namespace

RecordReader read_assay_item_records(const StoredFile&) {
  return [](const Json& record, std::int64_t, const StoredSink& sink) -> Result<bool> {
    StoredOutput out;
    const auto id = record_text(record, "id");
    if (!id || !set_log_likelihoods(record, out)) return false;
    out.id = *id;
    if (const auto tokens = record.find("tokens"); tokens != record.end() && tokens->is_number_integer()) {
      out.tokens = tokens->get<std::int64_t>();
    }
    if (const auto flag = record.find("correct"); flag != record.end() && flag->is_boolean())
      out.flag = flag->get<bool>();
    ASSAY_OK(sink(std::move(out)));
    return true;
  };
}

}  // namespace assay
