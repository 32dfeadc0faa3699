#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/cli/engine_options.h"
#include "eval/runs/logits_run.h"
#include "reference/model/cuda_check.h"
#include "reference/weights/locate.h"

namespace assay::cli {
namespace {

struct GpuCheckOptions {
  std::string model, ids_path;
};

// The worst product of each layer, one line a layer.
std::string gpu_table(const std::vector<ProductError>& rows) {
  std::string text = fmt::format("{:<8}{:<17}{:>10}{:>12}{:>12}{:>12}\n", "layer", "worst product", "numbers",
                                 "different", "max error", "of bound");
  for (std::size_t i = 0; i < rows.size();) {
    std::size_t end = i, worst = i;
    std::int64_t numbers = 0, different = 0;
    for (; end < rows.size() && rows[end].layer == rows[i].layer; ++end) {
      numbers += rows[end].n_numbers;
      different += rows[end].n_different;
      const bool worse = rows[end].worst_of_bound > rows[worst].worst_of_bound ||
                         (rows[end].worst_of_bound == rows[worst].worst_of_bound &&
                          rows[end].max_error > rows[worst].max_error);
      if (worse) worst = end;
    }
    const ProductError& row = rows[worst];
    text +=
        fmt::format("{:<8}{:<17}{:>10}{:>12}{:>12.2e}{:>12}\n",
                    row.layer < 0 ? "-" : std::to_string(row.layer), row.name, numbers, different,
                    row.max_error, row.worst_of_bound > 0 ? fmt::format("{:.3f}", row.worst_of_bound) : "-");
    i = end;
  }
  return text;
}

Json gpu_document(const std::string& backend, const std::vector<ProductError>& rows, bool within) {
  Json document{{"backend", backend}, {"within", within}, {"products", Json::array()}};
  for (const ProductError& row : rows) {
    document["products"].push_back({{"layer", row.layer},
                                    {"product", row.name},
                                    {"numbers", row.n_numbers},
                                    {"different", row.n_different},
                                    {"max_error", row.max_error},
                                    {"of_bound", row.worst_of_bound},
                                    {"within", row.within}});
  }
  return document;
}

Result<int> run_gpu(const Globals& globals, const GpuCheckOptions& options) {
  ASSAY_TRY(EngineOptions engine_choice, engine_options(globals));
  ASSAY_TRY(const auto prompts, read_ids(options.ids_path));
  if (prompts.empty())
    return Error{
        .code = Code::missing_field, .message = "there is no prompt to compute", .file = options.ids_path};
  ASSAY_TRY(const ModelLocation location, locate_model(options.model));
  const std::string device = engine_choice.device == "cpu" ? "cuda" : engine_choice.device;
  ASSAY_TRY(const auto engine,
            CudaEngine::load(location.path, engine_choice,
                             {.device = device, .arithmetic = engine_choice.gpu_arithmetic}));
  std::vector<ProductError> rows;
  for (const auto& ids : prompts) {
    ASSAY_TRY(const std::vector<ProductError> more, check_layers(*engine, ids));
    rows.insert(rows.end(), more.begin(), more.end());
  }
  const bool within =
      std::all_of(rows.begin(), rows.end(), [](const ProductError& row) { return row.within; });
  print_result(
      globals, gpu_document(engine->name(), rows, within),
      fmt::format("{}: {}\n{}", engine->name(),
                  within ? "every product within its bound" : "NOT within the bounds", gpu_table(rows)));
  return within ? kFine : kContradicted;
}

}  // namespace

void add_gpu(Cli& cli) {
  CLI::App& app = cli.command(
      "gpu", "a pass on a GPU held against the CPU, product by product, each against its derived error bound",
      "  echo '[[0, 17, 4, 99]]' > ids.json\n"
      "  assay gpu suites/data/demo/model --ids ids.json\n"
      "  assay gpu suites/data/demo/model --ids ids.json --gpu-arithmetic bf16\n"
      "  assay gpu suites/data/demo/model --ids ids.json --device emulated --gpu-arithmetic bf16\n");
  const auto options = std::make_shared<GpuCheckOptions>();
  app.add_option("MODEL", options->model,
                 "a folder, a .safetensors or .gguf file, or org/name in the Hugging Face cache")
      ->required();
  app.add_option("--ids", options->ids_path, "a file with one JSON array of arrays of ids")->required();
  cli.on_run(app, [&cli, options] { return run_gpu(cli.globals(), *options); });
}

}  // namespace assay::cli
