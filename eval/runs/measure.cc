#include "eval/runs/measure.h"

#include "base/check.h"

namespace assay {

Measurer::Measurer(Recorder& recorder, EngineOptions engine, RunOptions options, std::string data_dir)
    : recorder_(recorder), engine_(std::move(engine)), options_(std::move(options)), data_dir_(std::move(data_dir)) {
  options_.data_dir = data_dir_;
}

Result<EvalModel*> Measurer::model(const std::string& model, const std::string& name) {
  const auto found = models_.find(model);
  if (found != models_.end()) return &found->second;
  ASSAY_TRY(EvalModel loaded, load_eval_model(model, engine_, name));
  return &models_.emplace(model, std::move(loaded)).first->second;
}

namespace {

Result<std::optional<std::int64_t>> interrupted_run(const Database& database, const std::string& identity) {
  ASSAY_TRY(Statement find, database.prepare("SELECT id FROM main.run WHERE identity = ?1 AND status <> 'complete' AND kind = 'run' ORDER BY id DESC"));
  find.with(identity);
  return database.find_integer(find);
}

}  // namespace

Result<std::int64_t> Measurer::run_part(const std::string& model_path, const std::string& suite, const std::string& protocol, const std::string& name, std::int64_t limit) {
  ASSAY_CHECK(limit >= 0);
  const std::optional<std::int64_t> before = options_.limit;
  if (limit > 0) options_.limit = limit;
  auto out = run(model_path, suite, protocol, name);
  options_.limit = before;
  return out;
}

Result<std::int64_t> Measurer::run(const std::string& model_path, const std::string& suite_name, const std::string& protocol_name,
                                   const std::string& name) {
  if (!suites_.contains(suite_name)) {
    ASSAY_TRY(Suite loaded, load_suite(suite_name, data_dir_));
    suites_.emplace(suite_name, std::move(loaded));
  }
  const Suite& suite = suites_.at(suite_name);
  ASSAY_TRY(const Protocol* protocol, choose_protocol(suite, protocol_name));
  ASSAY_TRY(EvalModel * asked, model(model_path, name));
  const std::string identity = run_identity(*asked, suite, *protocol, choose_items(suite, options_), options_.seed);
  ASSAY_TRY(const std::optional<std::int64_t> there, recorder_.complete_run(identity));
  if (there) return *there;
  ASSAY_TRY(const std::optional<std::int64_t> begun, interrupted_run(recorder_.database(), identity));
  ASSAY_TRY(const RunReport report, begun ? resume_run(recorder_, *asked, suite, *protocol, *begun, options_) : run_suite(recorder_, *asked, suite, *protocol, options_));
  if (report.status == "complete") return report.run_id;
  return Error{.code = Code::interrupted, .message = "stopped on request; what was measured is kept", .field = suite_name};
}

Measure Measurer::as_measure(std::map<std::string, std::string> names) {
  return [this, names = std::move(names)](const std::string& model, const std::string& suite, const std::string& protocol) {
    const auto found = names.find(model);
    return run(model, suite, protocol, found == names.end() ? "" : found->second);
  };
}

}  // namespace assay
