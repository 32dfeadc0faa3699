// Which reading of the formulas gives somebody else's logits? Tries the model as published, then every other value of
// every convention that concerns it (reference/model/conventions.h), then pairs of those, the most promising first, and
// names the one that fits within the tolerance that the other's numbers allow - or says that none does.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "reference/model/engine.h"

namespace assay {

struct ExplainJob {
  std::string model, ids_path, other_path;  // ids_path "" where the other file brings its own
  std::string reading = "logits";           // of a file with cases
  bool oracle = false;                      // the f64 oracle even where kMaxOracleWork says f32
  std::optional<double> tolerance;          // largest absolute difference that fits
  std::int64_t max_tries = 400;
  EngineOptions engine;  // its conventions are what is tried first
};

struct Attempt {
  std::vector<std::string> switches;  // "NAME=VALUE" that depart from the first attempt
  std::string refused;                // why it could not be run, "" where it was
  bool on_all = false;                // measured on all positions, else on the short selection
  bool no_effect = false;             // the same bits as the first attempt there
  bool fits = false;
  double max_abs = 0, rms = 0;
  std::int64_t argmax_same = 0, positions = 0;
};

struct Explanation {
  std::string model, other, backend, format;
  std::int64_t prompts = 0, positions = 0;
  double largest_logit = 0, tolerance = 0;
  std::vector<Attempt> tried;      // the first is the model as published (or as --convention says)
  std::vector<Attempt> fitting;    // on all positions; the answer first, empty where none fits
  std::optional<Attempt> closest;  // where none fits
  bool stopped_early = false;      // pairs were left out at max_tries
  bool told() const { return !fitting.empty(); }
};

Result<Explanation> explain(const ExplainJob& job);

Json to_json(const Explanation& explanation);
std::string to_text(const Explanation& explanation);

}  // namespace assay
