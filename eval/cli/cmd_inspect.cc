#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/inspect.h"

namespace assay::cli {
namespace {

struct InspectArguments {
  std::string model;
  InspectOptions options;
};

Result<int> run(const Globals& globals, const InspectArguments& arguments) {
  ASSAY_TRY(const Json inspection, inspect_model(arguments.model, arguments.options));
  if (globals.json) {
    for (const Json& warning : inspection.at("warnings"))
      fmt::print(stderr, "warning: {}\n", warning.get<std::string>());
  }
  print_result(globals, inspection, inspect_text(inspection));
  return kFine;
}

}  // namespace

void add_inspect(Cli& cli) {
  CLI::App& app =
      cli.command("inspect", "what a model is, from its headers alone",
                  "  assay inspect suites/data/demo/model\n"
                  "  assay inspect suites/data/demo/model-fp8 --json\n"
                  "  assay inspect org/name --tensors          from the local Hugging Face cache\n"
                  "  assay inspect model.safetensors --digest  reads every byte once");
  const auto arguments = std::make_shared<InspectArguments>();
  app.add_option("MODEL", arguments->model,
                 "a folder, a .safetensors file, or org/name in the Hugging Face cache")
      ->required();
  app.add_flag("--tensors", arguments->options.list_tensors,
               "list every tensor with format, shape and place");
  app.add_flag("--digest", arguments->options.read_bytes,
               "the weights digest over all bytes instead of the headers");
  app.add_flag("--headers-only", arguments->options.headers_only,
               "do not read config.json (for unknown families)");
  cli.on_run(app, [&cli, arguments] { return run(cli.globals(), *arguments); });
}

}  // namespace assay::cli
