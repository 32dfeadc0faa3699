#include "suites/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace assay {
namespace {

struct Scope {
  const Item& item;
  int option = -1;                 // which option {option} and {letter} speak of
  std::string_view option_line{};  // what {options} repeats; empty: {options} is unknown
};

Result<std::string> expand(std::string_view text, const Scope& scope);

Result<std::string> expand_options(const Scope& scope) {
  std::string lines;
  for (int i = 0; i < static_cast<int>(scope.item.options.size()); ++i) {
    ASSAY_TRY(const std::string line, expand(scope.option_line, Scope{scope.item, i, {}}));
    lines += line;
  }
  return lines;
}

// "abstract_algebra" as it is written in a sentence.
std::string words_of(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

Result<std::string> value_of(std::string_view name, const Scope& scope) {
  const bool has_option = scope.option >= 0 && scope.option < static_cast<int>(scope.item.options.size());
  if (name == "option" && has_option) return scope.item.options[static_cast<std::size_t>(scope.option)];
  if (name == "letter" && has_option) return std::string(1, static_cast<char>('A' + scope.option));
  if (name == "options" && !scope.option_line.empty()) return expand_options(scope);
  if (name == "subset_words") return words_of(scope.item.subset);
  if (const auto value = scope.item.field(name)) return std::string(*value);
  return Error{.code = Code::bad_value,
               .message = "a template names a field that the item does not have",
               .field = std::string(name),
               .got = scope.item.id};
}

// "{name}" or "{name|tail}", braces taken off.
Result<std::string> expand_hole(std::string_view hole, const Scope& scope) {
  const auto bar = hole.find('|');
  ASSAY_TRY(std::string value, value_of(hole.substr(0, bar), scope));
  if (bar == std::string_view::npos || value.empty()) return value;
  return value.append(hole.substr(bar + 1));
}

Error unclosed_brace(std::string_view text) {
  return Error{.code = Code::bad_value,
               .message = "a brace of a template does not close; write {{ or }} for a brace itself",
               .got = std::string(text)};
}

Result<std::string> expand(std::string_view text, const Scope& scope) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool doubled = i + 1 < text.size() && text[i + 1] == c;
    if (c != '{' && c != '}') {
      out += c;
    } else if (doubled) {
      out += c;
      ++i;
    } else {
      const auto end = c == '{' ? text.find('}', i) : std::string_view::npos;
      if (end == std::string_view::npos) return unclosed_brace(text);
      ASSAY_TRY(const std::string value, expand_hole(text.substr(i + 1, end - i - 1), scope));
      out += value;
      i = end;
    }
  }
  return out;
}

Result<std::string> solved_block(const Protocol& protocol, const Item& shown) {
  const Scope scope{shown, shown.gold_index, protocol.option_line};
  ASSAY_TRY(std::string block, expand(protocol.block, Scope{shown, -1, protocol.option_line}));
  ASSAY_TRY(const std::string answer, expand(protocol.answer, scope));
  return block + answer;
}

// The index-th example, counted among all or among those of the item's subset.
Result<const Item*> example_at(const Suite& suite, const Protocol& protocol, const Item& item, int index) {
  int left = index;
  for (const auto& shown : suite.fewshot) {
    if (protocol.fewshot_of_subset && shown.subset != item.subset) continue;
    if (left-- == 0) return &shown;
  }
  return Error{.code = Code::out_of_range,
               .message = "a protocol shows more solved examples than there are",
               .field = item.subset,
               .got = fmt::format("{}", index)};
}

Result<std::string> render_chat_prompt(const ChatRenderer& render_chat, std::string_view turn) {
  if (!render_chat) {
    return Error{.code = Code::missing_field,
                 .message = "this protocol needs a chat template and the model has none",
                 .field = "chat_template"};
  }
  return render_chat(turn);
}

}  // namespace

Result<RenderedRequest> render_request(const Suite& suite, const Protocol& protocol, const Item& item,
                                       const ChatRenderer& render_chat) {
  RenderedRequest request;
  ASSAY_TRY(request.prompt, expand(protocol.preamble, Scope{item}));
  for (const int index : protocol.fewshot) {
    ASSAY_TRY(const Item* shown, example_at(suite, protocol, item, index));
    ASSAY_TRY(const std::string block, solved_block(protocol, *shown));
    request.prompt += block + protocol.separator;
  }
  ASSAY_TRY(const std::string asked, expand(protocol.block, Scope{item, -1, protocol.option_line}));
  request.prompt += asked + protocol.primer;
  if (protocol.chat) {
    ASSAY_TRY(request.prompt, render_chat_prompt(render_chat, request.prompt));
    request.prompt_has_bos = true;
  }
  if (protocol.kind != ProtocolKind::choice) return request;
  for (int i = 0; i < static_cast<int>(item.options.size()); ++i) {
    ASSAY_TRY(std::string continuation, expand(protocol.continuation, Scope{item, i, {}}));
    request.continuations.push_back(std::move(continuation));
  }
  ASSAY_CHECK(request.continuations.size() == item.options.size());
  return request;
}

Status check_template(std::string_view text, const Item& sample, bool option, std::string_view file) {
  auto expanded = expand(text, Scope{sample, option ? 0 : -1, option ? "" : "{letter}"});
  if (expanded.ok()) return {};
  Error error = std::move(expanded).error();
  error.file = file;
  return error;
}

}  // namespace assay
