#include "eval/cli/command.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/parallel.h"

namespace assay::cli {

int exit_code_of(Code code) {
  switch (code) {
    case Code::usage:
    case Code::not_implemented:
    case Code::memory_limit:
      return kUsage;
    case Code::interrupted:
      return kInterrupted;
    default:
      return kRefused;
  }
}

int Globals::n_threads() const { return threads > 0 ? threads : hardware_threads(); }

Cli::Cli(CLI::App& root) : root_(root) {
  root.add_flag("--json", globals_.json, "print one JSON document on standard output");
  root.add_option("--db", globals_.db, "the database file")->capture_default_str();
  root.add_option("--threads", globals_.threads, "threads, 0: all processors")->check(CLI::Range(0, 1024));
  root.add_option("--memory", globals_.memory, "bound on resident memory, such as 8G; weights that do not fit are read from the files once a wave");
  root.add_option("--tmp", globals_.tmp, "with --memory: folder of states that do not fit; the database's if absent");
  root.add_option("--seed", globals_.seed, "seed of everything random")->capture_default_str();
  root.add_option("--wave-tokens", globals_.wave_tokens, "tokens of one pass over the weights (for tests)")
      ->check(CLI::NonNegativeNumber);
  root.add_option("--prefill-chunk", globals_.prefill_chunk, "tokens of one prompt at a time (for tests)")
      ->check(CLI::NonNegativeNumber);
  root.add_option("--recipe", globals_.recipe,
                  "another order of the same arithmetic, recorded with a run: mla-absorbed (MLA over the latents that its cache "
                  "holds; DeepSeek-V2 and V3, on the CPU)")
      ->check(CLI::IsMember({"mla-absorbed"}));
  root.add_option(
          "--device", globals_.device,
          "what computes: cpu, cuda (the first device), emulated (the GPU's kernels on the CPU, for tests)")
      ->check(CLI::IsMember({"cpu", "cuda", "emulated"}))
      ->capture_default_str();
  root.add_option("--gpu-arithmetic", globals_.gpu_arithmetic,
                  "on a device: canonical (the CPU's bits), bf16 (tensor cores, error bounds derived), fp8 "
                  "(as bf16, inputs of FP8 weights quantised)")
      ->check(CLI::IsMember({"canonical", "bf16", "fp8"}))
      ->capture_default_str();
  root.add_option("--http-parallel", globals_.http_parallel, "MODEL is a server: requests in flight at most")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  root.add_option("--tokenizer", globals_.tokenizer,
                  "MODEL is a server: a folder, file or org/name whose tokenizer and template its model has");
  root.add_flag("--no-prefix-reuse", globals_.no_prefix_reuse, "compute shared prefixes again (for tests)");
}

CLI::App& Cli::command(const std::string& name, const std::string& what, const std::string& examples) {
  CLI::App& app = *root_.add_subcommand(name, what);
  app.fallthrough();
  if (!examples.empty()) app.footer("Examples:\n" + examples);
  return app;
}

void Cli::on_run(CLI::App& app, Body body) {
  app.callback([this, body = std::move(body)] { chosen_ = body; });
}

Result<std::uint64_t> parse_size(const std::string& text) {
  const Error bad{
      .code = Code::usage, .message = "not a size; write a number with K, M, G or T", .got = text};
  std::size_t used = 0;
  double number = 0;
  try {
    number = std::stod(text, &used);
  } catch (const std::exception&) {
    return bad;
  }
  const std::string unit = text.substr(used);
  const std::string known = "KMGT";
  if (unit.size() > 1 || !(number >= 0) || number > 1e15) return bad;
  const std::size_t power = unit.empty() ? 0 : known.find(unit[0]) + 1;
  if (!unit.empty() && power == 0) return bad;
  const double bytes = number * static_cast<double>(std::uint64_t{1} << (10 * power));
  if (!(bytes < 0x1p62)) return bad;
  return static_cast<std::uint64_t>(bytes);
}

void print_result(const Globals& globals, const Json& document, const std::string& text) {
  fmt::print("{}\n", globals.json ? dump_json(document, 1) : text);
}

void add_missing(Cli& cli, const std::string& name, const std::string& what) {
  CLI::App& app = cli.command(name, what + " (not there yet)", "");
  app.allow_extras();
  app.fallthrough(false);  // its arguments stay its own: the answer is the same for all of them
  cli.on_run(app, [name]() -> Result<int> {
    return Error{.code = Code::not_implemented,
                 .message = fmt::format("'{}' is not there yet; `assay --help` lists what is", name)};
  });
}

}  // namespace assay::cli
