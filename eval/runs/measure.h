// Runs that somebody needs, measured once: models stay loaded, a complete run of the same identity in the database is taken as it is, and an
// interrupted one goes on where it stopped.
#pragma once
#include <map>
#include <string>

#include "base/result.h"
#include "eval/runs/run.h"
#include "eval/verdicts/verify.h"

namespace assay {

class Measurer {
 public:
  // `recorder` must outlive it.
  Measurer(Recorder& recorder, EngineOptions engine, RunOptions options, std::string data_dir = "");

  // A run of all items (or of options.limit) and its row. `name`: what the model is called in the database; "" takes its own.
  Result<std::int64_t> run(const std::string& model, const std::string& suite, const std::string& protocol, const std::string& name = "");
  // A drawn part of `limit` items, 0: all of them.
  Result<std::int64_t> run_part(const std::string& model, const std::string& suite, const std::string& protocol, const std::string& name, std::int64_t limit);
  Result<EvalModel*> model(const std::string& model, const std::string& name = "");

  // The same for verify_claims. Models are called as the claims call them: `names` maps MODEL to that name.
  Measure as_measure(std::map<std::string, std::string> names = {});

 private:
  Recorder& recorder_;
  EngineOptions engine_;
  RunOptions options_;
  std::string data_dir_;
  std::map<std::string, EvalModel> models_;
  std::map<std::string, Suite> suites_;
};

}  // namespace assay
