#include "suites/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "suites/draws.h"

namespace assay {
namespace {

struct Scope {
  const Item& item;
  int option = -1;                 // which option {option} and {letter} speak of
  std::string_view option_line{};  // what {options} repeats; empty: {options} is unknown
  std::span<const int> order{};    // place -> option; empty: as they are

  int at_place(int place) const { return order.empty() ? place : order[static_cast<std::size_t>(place)]; }
  int place_of(int which) const {
    const auto at = std::find(order.begin(), order.end(), which);
    return at == order.end() ? which : static_cast<int>(at - order.begin());
  }
};

Result<std::string> expand(std::string_view text, const Scope& scope);

Result<std::string> expand_options(const Scope& scope) {
  std::string lines;
  for (int i = 0; i < static_cast<int>(scope.item.options.size()); ++i) {
    ASSAY_TRY(const std::string line, expand(scope.option_line, Scope{scope.item, scope.at_place(i), {}, scope.order}));
    lines += line;
  }
  return lines;
}

// As str.strip of Python on ASCII blanks, which published templates use.
std::string stripped(const std::string& text) {
  constexpr std::string_view kBlanks = " \t\r\n\f\v";
  const auto begin = text.find_first_not_of(kBlanks);
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// "abstract_algebra" as it is written in a sentence.
std::string words_of(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

Result<std::string> value_of(std::string_view name, const Scope& scope) {
  constexpr std::string_view kStrip = ":strip";
  if (name.ends_with(kStrip)) {
    ASSAY_TRY(const std::string whole, value_of(name.substr(0, name.size() - kStrip.size()), scope));
    return stripped(whole);
  }
  const bool has_option = scope.option >= 0 && scope.option < static_cast<int>(scope.item.options.size());
  if (name == "option" && has_option) return scope.item.options[static_cast<std::size_t>(scope.option)];
  if (name == "letter" && has_option) return std::string(1, static_cast<char>('A' + scope.place_of(scope.option)));
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

// A solved example in two parts: what is asked and what is answered.
struct Solved {
  std::string asked, answer;
};

Result<Solved> solved(const Protocol& protocol, const Item& shown) {
  const Scope right{shown, shown.gold_index, protocol.option_line};
  Solved out;
  if (!protocol.example.empty()) {
    ASSAY_TRY(out.asked, expand(protocol.example, right));
    return out;
  }
  const Scope plain{shown, -1, protocol.option_line};
  ASSAY_TRY(out.asked, expand(protocol.block, protocol.partial ? right : plain));
  ASSAY_TRY(out.answer, expand(protocol.answer, right));
  return out;
}

std::string without_leading_blanks(const std::string& text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  return begin == std::string::npos ? std::string() : text.substr(begin);
}

// One item on its way to a prompt.
class Rendering {
 public:
  Rendering(const Suite& suite, const Protocol& protocol, const Item& item)
      : protocol_(protocol), item_(item), order_(option_order(protocol, item)), shots_(shown_examples(suite, protocol, item)) {}

  Result<RenderedRequest> render(const ChatRenderer& render_chat) {
    ASSAY_TRY(const std::vector<const Item*> shots, std::move(shots_));
    ASSAY_OK(check_order());
    for (const Item* shown : shots) request_.shown.push_back(shown->id);
    request_.option_order = order_;
    ASSAY_OK(begin());
    for (const Item* shown : shots) ASSAY_OK(add_example(*shown));
    ASSAY_TRY(request_.prefill, expand(protocol_.gen_prefix, scope(-1)));
    request_.prefill += protocol_.primer;
    if (protocol_.kind == ProtocolKind::choice) ASSAY_OK(add_continuations());
    if (protocol_.partial) return with_contexts(render_chat);
    ASSAY_TRY(const std::string asked, expand(protocol_.block, scope(-1)));
    ASSAY_TRY(request_.prompt, finish(asked, render_chat));
    return std::move(request_);
  }

 private:
  Scope scope(int option) const { return Scope{item_, option, protocol_.option_line, order_}; }

  Status check_order() const {
    const bool in_sequence = protocol_.option_seed && protocol_.option_rule == DrawRule::python;
    if (!in_sequence || (item_.ordinal >= 0 && item_.ordinal < static_cast<std::int64_t>(protocol_.drawn_orders.size()))) return {};
    return Error{.code = Code::missing_field,
                 .message = "this protocol permutes options in the order of all items, and they are not loaded",
                 .field = protocol_.name,
                 .got = item_.id};
  }

  Status begin() {
    ASSAY_TRY(std::string system, expand(protocol_.system, scope(-1)));
    ASSAY_TRY(head_, expand(protocol_.preamble, scope(-1)));
    if (protocol_.preamble_is_system) system += std::exchange(head_, {});
    if (!system.empty()) request_.turns.push_back({"system", std::move(system)});
    return {};
  }

  Status add_example(const Item& shown) {
    ASSAY_TRY(Solved example, solved(protocol_, shown));
    if (!protocol_.shots_as_turns) {
      head_ += example.asked + example.answer + protocol_.separator;
      return {};
    }
    request_.turns.push_back({"user", std::exchange(head_, {}) + example.asked});
    request_.turns.push_back({"assistant", without_leading_blanks(example.answer)});
    return {};
  }

  // A solved example's continuation stands after a blank; the template writes it.
  Status add_continuations() {
    for (int i = 0; i < static_cast<int>(item_.options.size()); ++i) {
      ASSAY_TRY(std::string continuation, expand(protocol_.continuation, scope(i)));
      request_.continuations.push_back(std::move(continuation));
    }
    if (!protocol_.unconditional) return {};
    ASSAY_TRY(request_.unconditional, expand(*protocol_.unconditional, scope(-1)));
    return {};
  }

  Result<RenderedRequest> with_contexts(const ChatRenderer& render_chat) {
    for (int i = 0; i < static_cast<int>(item_.options.size()); ++i) {
      ASSAY_TRY(const std::string asked, expand(protocol_.block, scope(i)));
      ASSAY_TRY(std::string context, finish(asked, render_chat));
      request_.contexts.push_back(std::move(context));
    }
    ASSAY_CHECK(request_.contexts.size() == request_.continuations.size());
    if (!request_.contexts.empty()) request_.prompt = request_.contexts.front();
    return std::move(request_);
  }

  Result<std::string> finish(const std::string& asked, const ChatRenderer& render_chat) {
    if (!protocol_.chat) return head_ + asked + request_.prefill;
    if (!render_chat) {
      return Error{.code = Code::missing_field,
                   .message = "this protocol needs a chat template and the model has none",
                   .field = "chat_template"};
    }
    std::vector<ChatTurn> turns = request_.turns;
    turns.push_back({"user", head_ + asked});
    ASSAY_TRY(std::string text, render_chat(turns, protocol_.chat_options_json));
    request_.prompt_has_bos = true;
    if (!protocol_.partial) request_.turns = std::move(turns);
    return text + request_.prefill;
  }

  const Protocol& protocol_;
  const Item& item_;
  std::vector<int> order_;
  Result<std::vector<const Item*>> shots_;
  std::string head_;  // what the next user turn begins with
  RenderedRequest request_;
};

}  // namespace

Result<RenderedRequest> render_request(const Suite& suite, const Protocol& protocol, const Item& item,
                                       const ChatRenderer& render_chat) {
  return Rendering(suite, protocol, item).render(render_chat);
}

Result<std::string> render_text(std::string_view text, const Item& item) { return expand(text, Scope{item}); }

Status check_template(std::string_view text, const Item& sample, bool option, std::string_view file) {
  auto expanded = expand(text, Scope{sample, option ? 0 : -1, option ? "" : "{letter}"});
  if (expanded.ok()) return {};
  Error error = std::move(expanded).error();
  error.file = file;
  return error;
}

}  // namespace assay
