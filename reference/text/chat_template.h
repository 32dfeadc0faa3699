// Chat templates: Jinja2's ImmutableSandboxedEnvironment as transformers sets it up (trim_blocks, lstrip_blocks, loop
// controls, the {% generation %} tag, its own tojson, raise_exception, strftime_now). Bounded by counted steps, bytes and
// depth, never by a clock. What needs other templates (extends, include, import) is refused.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace assay {

struct RenderOptions {
  std::string now = {};  // ISO 8601 local time that strftime_now sees; empty: the clock
};

class ChatTemplate {
 public:
  // `file` is only for errors.
  static Result<ChatTemplate> parse(std::string_view text, const std::string& file);
  // A template that is not a chat's: without trim_blocks and lstrip_blocks, its last line end kept, as lm-evaluation-harness's tasks have them.
  static Result<ChatTemplate> parse_plain(std::string_view text, const std::string& file);
  // The template called `name` of a model folder, a .json file with the field "chat_template", a .gguf file, or a .jinja file (called "default"). In a folder
  // chat_template.jinja and additional_chat_templates/NAME.jinja win, then chat_template.json, then tokenizer_config.json, as in transformers.
  static Result<ChatTemplate> load(const std::string& folder_or_file, const std::string& name = "default");
  // What names there are, ascending; none where there is no template.
  static Result<std::vector<std::string>> names(const std::string& folder_or_file);

  // `context` is an object: messages, add_generation_prompt, tools, bos_token, … Code::template_error where Jinja2 raises.
  Result<std::string> render(const Json& context, const RenderOptions& options = {}) const;
  const std::string& text() const { return text_; }

 private:
  struct Tree;
  static Result<ChatTemplate> parse_as(std::string_view text, const std::string& file, bool trimmed);
  std::shared_ptr<const Tree> tree_;
  std::string text_, file_;
};

}  // namespace assay
