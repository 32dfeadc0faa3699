#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/filter.h"
#include "reference/text/chat_template.h"
#include "reference/weights/locate.h"

namespace assay::cli {
namespace {

struct Options {
  std::string model, in, now, name = "default";
};

Result<std::string> render_line(const ChatTemplate& chat, const Json& line, const RenderOptions& options) {
  const auto text = chat.render(line, options);
  if (text.ok()) return dump_json(Json{{"text", *text}});
  if (text.error().code != Code::template_error) return text.error();
  return dump_json(Json{{"error", text.error().message}});
}

Result<int> run(const Options& options) {
  ASSAY_TRY(const std::string texts, locate_texts(options.model));
  ASSAY_TRY(const ChatTemplate chat, ChatTemplate::load(texts, options.name));
  const RenderOptions render{.now = options.now};
  ASSAY_OK(filter_json_lines(options.in, [&](const Json& line) { return render_line(chat, line, render); }));
  return static_cast<int>(kFine);
}

}  // namespace

void add_template(Cli& cli) {
  CLI::App& app = cli.command("template", "render a chat template",
                              "  echo '{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}], \"bos_token\": \"<s>\"}' \\\n"
                              "    | assay template suites/data/demo/model --in - --now 2025-07-10");
  const auto options = std::make_shared<Options>();
  app.add_option("model", options->model, "a model folder, tokenizer_config.json, or a .jinja file")->required();
  app.add_option("--in", options->in, "a template's context (messages, tools, …) a line, as an object; '-' reads standard input")->required();
  app.add_option("--now", options->now, "the time that strftime_now sees, ISO 8601 (default: the clock)");
  app.add_option("--name", options->name, "which of several named templates")->capture_default_str();
  cli.on_run(app, [options] { return run(*options); });
}

}  // namespace assay::cli
