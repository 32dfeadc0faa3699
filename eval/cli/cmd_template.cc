#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "eval/cli/command.h"
#include "eval/runs/filter.h"
#include "reference/text/chat_template.h"
#include "reference/weights/locate.h"

namespace assay::cli {
namespace {

struct TemplateOptions {
  std::string model, in, now, name;
};

// As transformers chooses: by name, else "tool_use" for a context with tools where there is one, else "default".
struct Templates {
  std::optional<ChatTemplate> plain, tools;
  const ChatTemplate& of(const Json& context) const {
    const bool has_tools = context.is_object() && context.contains("tools") && !context.at("tools").is_null();
    return tools && (has_tools || !plain) ? *tools : *plain;
  }
};

Result<Templates> load(const TemplateOptions& options) {
  ASSAY_TRY(const std::string place, locate_texts(options.model));
  Templates out;
  if (!options.name.empty()) {
    ASSAY_TRY(out.plain, ChatTemplate::load(place, options.name));
    return out;
  }
  ASSAY_TRY(const std::vector<std::string> names, ChatTemplate::names(place));
  const bool for_tools = std::find(names.begin(), names.end(), "tool_use") != names.end();
  const bool plain = !for_tools || std::find(names.begin(), names.end(), "default") != names.end();
  if (plain) {
    ASSAY_TRY(out.plain, ChatTemplate::load(place));
  }
  if (for_tools) {
    ASSAY_TRY(out.tools, ChatTemplate::load(place, "tool_use"));
  }
  return out;
}

Result<std::string> render_line(const Templates& templates, const Json& line, const RenderOptions& options) {
  const auto text = templates.of(line).render(line, options);
  if (text.ok()) return dump_json(Json{{"text", *text}});
  if (text.error().code != Code::template_error) return text.error();
  return dump_json(Json{{"error", text.error().message}});
}

Result<int> run(const TemplateOptions& options) {
  ASSAY_TRY(const Templates templates, load(options));
  const RenderOptions render{.now = options.now};
  ASSAY_OK(filter_json_lines(options.in, [&](const Json& line) { return render_line(templates, line, render); }));
  return static_cast<int>(kFine);
}

}  // namespace

void add_template(Cli& cli) {
  CLI::App& app = cli.command("template", "render a chat template",
                              "  echo '{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}], \"bos_token\": \"<s>\"}' \\\n"
                              "    | assay template suites/data/demo/model --in - --now 2025-07-10");
  const auto options = std::make_shared<TemplateOptions>();
  app.add_option("model", options->model, "a model folder, tokenizer_config.json, or a .jinja file")->required();
  app.add_option("--in", options->in, "a template's context (messages, tools, …) a line, as an object; '-' reads standard input")->required();
  app.add_option("--now", options->now, "the time that strftime_now sees, ISO 8601 (default: the clock)");
  app.add_option("--name", options->name, "which of several named templates (default: tool_use where there is one and the line has tools, else default)");
  cli.on_run(app, [options] { return run(*options); });
}

}  // namespace assay::cli
