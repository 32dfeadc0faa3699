// Chat templates: Jinja2's ImmutableSandboxedEnvironment as transformers sets it up (trim_blocks, lstrip_blocks, loop
// controls, the {% generation %} tag, its own tojson, raise_exception, strftime_now). Bounded by counted steps, bytes and
// depth, never by a clock. What needs other templates (extends, include, import) is refused.
#pragma once
#include <memory>
#include <string>
#include <string_view>

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
  // The template of a model folder (chat_template.jinja, chat_template.json or tokenizer_config.json, in the order in which
  // transformers looks), or of a .jinja file. Of several named ones the one called `name` is taken.
  static Result<ChatTemplate> load(const std::string& folder_or_file, const std::string& name = "default");

  // `context` is an object: messages, add_generation_prompt, tools, bos_token, … Code::template_error where Jinja2 raises.
  Result<std::string> render(const Json& context, const RenderOptions& options = {}) const;
  const std::string& text() const { return text_; }

 private:
  struct Tree;
  std::shared_ptr<const Tree> tree_;
  std::string text_, file_;
};

}  // namespace assay
