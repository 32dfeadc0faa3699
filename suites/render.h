// From an item and a protocol to the text that a model reads. Templates hold {name} for a field of the item,
// {name|TAIL} for the field followed by TAIL where it is not empty and nothing where it is, {options} for the
// option lines, {letter} and {option} in lines about one option (in an answer: those of the right one), {subset_words}
// for the subset with blanks for underscores; {name:strip} is the value without blanks at its ends; {{ and }} are braces.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "suites/suite.h"

namespace assay {

struct ChatTurn {
  std::string role, content;  // system, user, assistant
};

struct RenderedRequest {
  std::string prompt;  // choice, generate: what stands before the continuation; rolling: the text itself
  std::vector<std::string> continuations;    // choice: one an option, in the order of Item::options; else empty
  std::vector<std::string> contexts;         // partial evaluation: one an option, in place of `prompt`; else empty
  std::optional<std::string> unconditional;  // choice: the context of the unconditional requests, if there are any
  bool prompt_has_bos = false;               // a chat template has written BOS into the prompt: none may be added
  std::vector<ChatTurn> turns;               // chat: what the template was given; `prompt` is that and `prefill`
  std::string prefill;                       // the beginning of the answer that was given: gen_prefix and primer
  std::vector<std::string> shown;            // ids of the solved examples, in the order shown
  std::vector<int> option_order;             // the options as {options} shows them: indices into Item::options

  // What stands before continuation `option`.
  const std::string& context_of(std::size_t option) const { return contexts.empty() ? prompt : contexts[option]; }
};

// Renders turns into the prompt of a chat model, generation prompt included (reference/text/chat_template.h
// behind it). `options_json`: further members of the template's context, or "".
using ChatRenderer =
    std::function<Result<std::string>(const std::vector<ChatTurn>& turns, const std::string& options_json)>;

// A protocol with `chat` needs `render_chat`; the others ignore it. Not for DrawRule::python with an item that
// is none of the suite's: its draw is not defined.
Result<RenderedRequest> render_request(const Suite& suite, const Protocol& protocol, const Item& item,
                                       const ChatRenderer& render_chat = {});

// A template about an item alone: {name} and {name|TAIL} of its fields.
Result<std::string> render_text(std::string_view text, const Item& item);

// Refuses a template that names an unknown field or has a brace that does not close. `option`: {option} and
// {letter} may stand in it.
Status check_template(std::string_view text, const Item& sample, bool option, std::string_view file);

}  // namespace assay
