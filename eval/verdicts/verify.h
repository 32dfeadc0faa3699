// From claims and a database with runs to stored verdicts: finds the runs that a claim speaks of, asks for those that are missing,
// decides (eval/verdicts/verdict.h) and writes tables `claim` and `verdict`.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "eval/runs/record.h"
#include "eval/verdicts/verdict.h"

namespace assay {

// Runs a suite under a protocol with a model and gives the run's row. `model` is the path or name that VerifyOptions::models maps the
// claim's model to, or that name itself.
using Measure = std::function<Result<std::int64_t>(const std::string& model, const std::string& suite,
                                                   const std::string& protocol)>;
using CountParameters = std::function<Result<ParameterCounts>(const std::string& model)>;

// What is known of asking a suite under a protocol here.
struct Askable {
  std::int64_t items = 0;
  double tokens_per_item = 0;  // guessed: four bytes a token, and half of what may be generated
  std::string missing;         // why it cannot be asked: no definition, no items, no solved examples, each with what to fetch; "": it can
};

struct VerifyOptions {
  std::map<std::string, std::string> models;  // name in the claim -> MODEL
  std::string data_dir;                       // items of suites that are others' work
  Measure measure;                            // empty: only runs that are in the database count
  CountParameters count;                      // empty: only counts that are in the database
  bool parts_too = false;                     // where no run of all items is there, one of a drawn part of them counts
  // What askable() found, by suite and protocol: reading a suite of 10,000 items takes a second.
  std::shared_ptr<std::map<std::pair<std::string, std::string>, Askable>> seen = std::make_shared<std::map<std::pair<std::string, std::string>, Askable>>();
};

// Each argument is a file of claims, the id of a claim in the bundled or the published ledger or in the database, or "demo": all of the
// bundled ledger.
// `database` may be null. Two claims of one id and an id that nobody knows are refused.
Result<std::vector<Claim>> gather_claims(const std::vector<std::string>& arguments, const Database* database);

// Everything that the bundled ledger, the published record and the database claim about a model; quoted figures are left out: they say
// nothing that their originals do not say. Nothing claimed: not_found.
Result<std::vector<Claim>> claims_about(const std::string& name, const Database* database);

// The protocols of a suite, the main one first: from its definition, or from the database where it is not bundled. Empty: neither knows it.
Result<std::vector<std::string>> protocols_of(const Database& database, const std::string& suite);
Result<Askable> askable(const VerifyOptions& options, const std::string& suite, const std::string& protocol);
// What VerifyOptions::models maps the claim's model to, else its name.
std::string model_to_run(const VerifyOptions& options, const std::string& model);
// Names under which a run of the claim's model may stand: the claim's, what it maps to, and the last part of that path.
std::vector<std::string> names_of(const VerifyOptions& options, const std::string& model);

// The newest complete run over all items of the suite, "" as protocol: the suite's main one. No value: there is none.
Result<std::optional<std::int64_t>> find_run(const Database& database, const std::vector<std::string>& models,
                                             const std::string& suite, const std::string& protocol);
// Likewise of a drawn part of the items; of several the largest.
Result<std::optional<std::int64_t>> find_part_run(const Database& database, const std::vector<std::string>& models,
                                                  const std::string& suite, const std::string& protocol);

// Decides the claims together and writes claims and verdicts in one transaction.
Result<std::vector<Verdict>> verify_claims(Recorder& recorder, const std::vector<Claim>& claims,
                                           const VerifyOptions& options);

Json verdicts_json(const std::vector<Claim>& claims,
                   const std::vector<Verdict>& verdicts);  // INTERFACE, `verify`
std::string verdicts_text(const std::vector<Claim>& claims, const std::vector<Verdict>& verdicts);
// 1 if one is contradicted or impossible, else 4 if one is undecided or a protocol-mismatch, else 0.
int exit_code_of(const std::vector<Verdict>& verdicts);

std::string duration_text(double seconds);  // "40 s", "12 min", "3.5 h"
Json claims_json(const std::vector<Claim>& claims);

}  // namespace assay
