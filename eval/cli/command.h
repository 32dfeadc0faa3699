// What the commands of the command line share: global options, exit codes, output. One file a command:
// eval/cli/cmd_NAME.cc.
#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/result.h"

namespace assay::cli {

// INTERFACE: exit codes that scripts rely on.
enum Exit : int { kFine = 0, kContradicted = 1, kUsage = 2, kRefused = 3, kUndecided = 4, kInterrupted = 5 };
int exit_code_of(Code code);

struct Globals {
  bool json = false;
  std::string db = "assay.db";
  int threads = 0;     // 0: all processors this process may use
  std::string memory;  // "8G"; empty: no limit
  std::string tmp;     // folder of states that do not fit into memory; empty: that of the database
  std::uint64_t seed = 1;
  std::int64_t wave_tokens = 0;    // 0: chosen by the engine; for tests
  std::int64_t prefill_chunk = 0;  // likewise
  bool no_prefix_reuse = false;    // for tests
  std::string recipe;              // "" or mla-absorbed
  std::string device = "cpu";      // cpu, cuda, emulated
  std::string gpu_arithmetic = "canonical";  // canonical, bf16, fp8
  int http_parallel = 128;         // of a MODEL that is a server
  std::string tokenizer;           // likewise

  int n_threads() const;
};

// A command's body: writes its result to standard output and gives the exit code, or the reason why there is
// none.
using Body = std::function<Result<int>()>;

class Cli {
 public:
  explicit Cli(CLI::App& root);

  // Adds a command; `examples` are shown under its --help, one a line.
  CLI::App& command(const std::string& name, const std::string& what, const std::string& examples);
  // `body` runs after parsing when `app` was called.
  void on_run(CLI::App& app, Body body);

  const Globals& globals() const { return globals_; }
  const Body& chosen() const { return chosen_; }

 private:
  CLI::App& root_;
  Globals globals_;
  Body chosen_;
};

// "8G", "512M", "123456" in bytes.
Result<std::uint64_t> parse_size(const std::string& text);

// With --json: the document, indented, and nothing else. Without: `text`.
void print_result(const Globals& globals, const Json& document, const std::string& text);

// Every command registers itself here; eval/cli/main.cc calls them in the order of INTERFACE.
void add_inspect(Cli& cli);
void add_tokenize(Cli& cli);
void add_template(Cli& cli);
void add_logits(Cli& cli);
void add_trace(Cli& cli);
void add_generate(Cli& cli);
void add_loglikelihood(Cli& cli);
void add_run(Cli& cli);
void add_resume(Cli& cli);
void add_serve(Cli& cli);
void add_replay(Cli& cli);
void add_score(Cli& cli);
void add_stats(Cli& cli);
void add_suite(Cli& cli);
void add_claim(Cli& cli);
void add_verify(Cli& cli);
void add_compare(Cli& cli);
void add_gate(Cli& cli);
void add_diff(Cli& cli);
void add_similarity(Cli& cli);
void add_bench(Cli& cli);
void add_cost(Cli& cli);
void add_report(Cli& cli);
void add_export(Cli& cli);
void add_bundle(Cli& cli);
void add_pull(Cli& cli);
void add_demo(Cli& cli);
void add_doctor(Cli& cli);
void add_gpu(Cli& cli);

// Sub-commands with a file of their own: of `similarity`, of `suite`.
void add_similarity_outputs(Cli& cli, CLI::App& parent);
void add_suite_import(Cli& cli, CLI::App& parent);

// For a command that INTERFACE names and that is not there yet: says so and exits 2.
void add_missing(Cli& cli, const std::string& name, const std::string& what);

}  // namespace assay::cli
