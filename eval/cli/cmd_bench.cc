#include "eval/cost/bench.h"

#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/cli/engine_options.h"
#include "eval/cost/bench_model.h"
#include "reference/model/random_model.h"

namespace assay::cli {
namespace {

std::string shape_names() {
  std::string names;
  for (const RandomShape& each : random_shapes()) names.append(names.empty() ? "" : " ").append(each.name);
  return names;
}

// A model of random weights, made for measuring.
Result<int> make_random(const Globals& globals, const std::string& name, const std::string& folder) {
  const RandomShape* const shape = find_random_shape(name);
  if (shape == nullptr || folder.empty()) {
    return Error{
        .code = Code::usage,
        .message = "--make needs the name of a shape and --out, the folder that the model is written to",
        .field = "--make",
        .expected = shape_names(),
        .got = name};
  }
  ASSAY_OK(write_random_model(shape->config, folder, globals.seed));
  print_result(globals, Json{{"shape", name}, {"model", folder}, {"seed", globals.seed}}, folder);
  return kFine;
}

// What the command line asks for.
struct BenchAsk {
  BenchRequest kernels;
  WholeRequest whole;
  bool is_whole = false, store = true;
  std::string make, out;
};

void add_whole_options(CLI::App& app, BenchAsk& ask) {
  WholeRequest& w = ask.whole;
  app.add_flag("--whole", ask.is_whole,
               "whole passes of the model of --for (a MODEL, or the name of a random shape)");
  app.add_option("--prompt", w.prompt_tokens, "with --whole: tokens of the prompt")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--generate", w.generated_tokens, "with --whole: tokens decoded one by one")
      ->check(CLI::Range(1, 1 << 16))
      ->capture_default_str();
  app.add_option("--repetitions", w.repetitions, "with --whole: medians over so many")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_flag("--scaling", w.scaling, "with --whole: with one thread too, in turn");
  app.add_option("--against", w.against,
                 "with --whole: another program's command line, run in turn with ours (by sh)");
  app.add_option("--against-rate", w.against_rate,
                 "regular expression whose first group is its tokens/s; else its wall time counts");
}

Result<BenchReport> measure(const Globals& globals, BenchAsk& ask) {
  ask.kernels.threads = globals.n_threads();
  if (!ask.is_whole) return bench(ask.kernels);
  if (ask.kernels.model.empty()) {
    return Error{.code = Code::usage,
                 .message = "--whole needs --for, a model with weights or the name of a random shape",
                 .field = "--for",
                 .expected = "a MODEL or " + shape_names()};
  }
  ask.whole.model = ask.kernels.model;
  ASSAY_TRY(ask.whole.engine, engine_options(globals));
  return bench_whole(ask.whole);
}

}  // namespace

void add_bench(Cli& cli) {
  CLI::App& app = cli.command(
      "bench", "measure kernels and the machine's limits",
      "  assay bench                                 every kernel at the bundled model's and DeepSeek-V3's "
      "shapes\n"
      "  assay bench --for ~/models/Qwen3-30B-A3B    at those of another model (its config.json is enough)\n"
      "  assay bench --filter 'experts.*t=1$'        only rows whose \"kernel shape\" matches\n"
      "  assay bench --filter '^attention '          attention, 512 tokens at once and one over 512 and 4096 "
      "keys\n"
      "  assay bench --quick                         a few seconds\n"
      "  assay bench --whole --for ~/models/OLMoE     prefill and decoding of a whole model, against the FMA "
      "peak and\n"
      "                                              the read bandwidth measured beside each pass; --scaling "
      "also\n"
      "                                              with one thread; a shape's name stands for random "
      "weights\n"
      "  assay bench --whole --for M --against 'llama-bench -m M.gguf -p 512 -n 0 -o json' \\\n"
      "      --against-rate '\"avg_ts\": *([0-9.]+)'   another program in turn with ours\n"
      "  assay bench --make dsv2-s --out ~/dsv2-s    writes a model of random BF16 weights (dsv2-s, "
      "dsv2l-x3,\n"
      "                                              mixtral-s, qwen3moe-s, dense-s); --seed draws others\n"
      "Rows: read, fma, int8-dot, gemm-library (OpenBLAS or BLIS, where one is): what the machine can do. "
      "matmul-*: products,\n"
      "with weights of each format that is widened as it is multiplied; experts-*: those of a mixture, "
      "loaded "
      "evenly and skewed;\n"
      "attention, router, rms-norm, rotary, swiglu, head-* (with log-probabilities), pack-*. On a GPU the "
      "same "
      "and cublas-bf16.\n"
      "Rates are compared with the limits measured in the same run: flops with the FMA peak or bytes with "
      "the "
      "read bandwidth,\n"
      "whichever takes longer; integer operations count two a multiply-add. The clock is what the system "
      "tells. "
      "Rows are stored\n"
      "in --db; `assay cost` uses the products of many tokens.");
  auto ask = std::make_shared<BenchAsk>();
  app.add_option("--for", ask->kernels.model, "a model folder, a config.json or the name of a random shape");
  app.add_option("--filter", ask->kernels.filter, "regular expression on \"kernel shape\"");
  app.add_flag("--quick", ask->kernels.quick, "fewer shapes and repetitions, a few seconds");
  app.add_flag("!--no-store", ask->store, "print only, write no database");
  add_whole_options(app, *ask);
  app.add_option("--make", ask->make, "write a model of random weights of this shape instead of measuring");
  app.add_option("--out", ask->out, "with --make: the folder that the model is written to");
  cli.on_run(app, [&cli, ask]() -> Result<int> {
    const Globals& globals = cli.globals();
    if (!ask->make.empty()) return make_random(globals, ask->make, ask->out);
    ASSAY_TRY(const BenchReport report, measure(globals, *ask));
    if (ask->store) {
      ASSAY_TRY(Database database, Database::create(globals.db));
      ASSAY_OK(store_bench(database, report));
    }
    print_result(globals, bench_json(report), bench_table(report));
    return kFine;
  });
}

}  // namespace assay::cli
