// From an item and a protocol to the text that a model reads. Templates hold {name} for a field of the item,
// {name|TAIL} for the field followed by TAIL where it is not empty and nothing where it is, {options} for the
// option lines, {letter} and {option} in lines about one option (in an answer: those of the right one), {subset_words}
// for the subset with blanks for underscores; {{ and }} are braces.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "suites/suite.h"

namespace assay {

struct RenderedRequest {
  std::string prompt;  // choice, generate: what stands before the continuation; rolling: the text itself
  std::vector<std::string> continuations;  // choice: one an option, in order; else empty
  bool prompt_has_bos = false;  // a chat template has written BOS into the prompt: none may be added
};

// Renders the user turns into the prompt of a chat model, generation prompt included
// (reference/text/chat_template.h behind it).
using ChatRenderer = std::function<Result<std::string>(std::string_view user_turn)>;

// A protocol with `chat` needs `render_chat`; the others ignore it.
Result<RenderedRequest> render_request(const Suite& suite, const Protocol& protocol, const Item& item,
                                       const ChatRenderer& render_chat = {});

// Refuses a template that names an unknown field or has a brace that does not close. `option`: {option} and
// {letter} may stand in it.
Status check_template(std::string_view text, const Item& sample, bool option, std::string_view file);

}  // namespace assay
