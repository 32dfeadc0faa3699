#include "reference/text/mistral_chat.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/json.h"

namespace assay {
namespace {

// json.dumps(value, ensure_ascii=False) of Python; nesting is bounded by parse_json.
void dump_python(const Json& value, std::string& out) {
  const bool object = value.is_object();
  if (!object && !value.is_array()) {
    out += dump_json(value);
    return;
  }
  out += object ? '{' : '[';
  bool first = true;
  for (const auto& [key, item] : value.items()) {
    if (!std::exchange(first, false)) out += ", ";
    if (object) out += dump_json(Json(key)) + ": ";
    dump_python(item, out);
  }
  out += object ? '}' : ']';
}

std::string python_json(const Json& value) {
  std::string out;
  dump_python(value, out);
  return out;
}

// What is JSON in a string is taken apart, anything else stays a string.
Json parsed_or_text(const std::string& text) {
  auto json = parse_json(text, "");
  return json.ok() ? std::move(*json) : Json(text);
}

struct Message {
  std::string role, content, name, call_id;
  std::vector<Json> calls;
};

std::string joined(const std::string& a, const std::string& b) {
  return a.empty() ? b : b.empty() ? a : a + "\n\n" + b;
}

class Chat {
 public:
  Chat(const Tokenizer& tokenizer, MistralVersion version, const std::string& file)
      : tokenizer_(tokenizer), version_(version), file_(file) {}

  Result<std::vector<int>> run(const Json& request) {
    ASSAY_OK(read_messages(request));
    const auto tools = request.find("tools");
    if (tools != request.end() && tools->is_array()) tools_ = *tools;
    if (version_ == MistralVersion::v1 && !tools_.empty())
      return refused("tools", "no tools with version 1", "");
    if (!tokenizer_.bos_id() || !tokenizer_.eos_id())
      return refused("tokenizer", "a tokenizer with BOS and EOS", "");
    ids_.push_back(*tokenizer_.bos_id());
    for (std::size_t i = 0; i < messages_.size();) {
      const Message& m = messages_[i];
      if (m.role == "tool") {
        ASSAY_TRY(i, results(i));
        continue;
      }
      ASSAY_OK(m.role == "user" ? user(i) : assistant(i));
      ++i;
    }
    return std::move(ids_);
  }

 private:
  Error refused(std::string field, std::string expected, std::string got) const {
    return Error{.code = Code::bad_value,
                 .message = "the chat cannot be written in Mistral's form",
                 .file = file_,
                 .field = std::move(field),
                 .expected = std::move(expected),
                 .got = got.substr(0, 80)};
  }

  Result<Message> read_message(const Json& json, const std::string& field) const {
    Message out;
    auto role = json_string(json, "role", file_);
    if (!role.ok()) return refused(field + ".role", "a string", "");
    out.role = *role;
    const auto content = json.find("content");
    const bool empty = content == json.end() || content->is_null();
    if (!empty && !content->is_string()) return refused(field + ".content", "a string", content->type_name());
    if (!empty) out.content = content->get<std::string>();
    const auto text = [&](const char* name) {
      const auto it = json.find(name);
      return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
    };
    out.name = text("name");
    out.call_id = text("tool_call_id");
    const auto calls = json.find("tool_calls");
    for (std::size_t i = 0; calls != json.end() && calls->is_array() && i < calls->size(); ++i) {
      const std::string place = fmt::format("{}.tool_calls[{}]", field, i);
      const Json& call = (*calls)[i];
      const bool named = call.is_object() && call.contains("function") && call["function"].is_object() &&
                         call["function"].contains("name") && call["function"].contains("arguments");
      if (!named) return refused(place, "a function with name and arguments", "");
      out.calls.push_back(call);
    }
    return out;
  }

  // Neighbours of one role, tools aside, count as one message.
  Status read_messages(const Json& request) {
    const auto list = request.find("messages");
    if (list == request.end() || !list->is_array() || list->empty()) return refused("messages", "a list", "");
    for (std::size_t i = 0; i < list->size(); ++i) {
      const std::string field = fmt::format("messages[{}]", i);
      ASSAY_TRY(Message m, read_message((*list)[i], field));
      const bool known = m.role == "user" || m.role == "assistant" || m.role == "tool" || m.role == "system";
      const bool tool = m.role == "tool" || !m.calls.empty();
      if (!known || (tool && version_ == MistralVersion::v1))
        return refused(field + ".role", tool ? "no tools with version 1" : "system, user, assistant or tool",
                       m.role);
      if (m.role == "system") {
        system_ = joined(system_, m.content);
      } else if (!messages_.empty() && messages_.back().role == m.role && m.role != "tool") {
        messages_.back().content = joined(messages_.back().content, m.content);
        messages_.back().calls.insert(messages_.back().calls.end(), m.calls.begin(), m.calls.end());
      } else {
        messages_.push_back(std::move(m));
      }
    }
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      if (messages_[i].role != "user") continue;
      first_user_ = std::min(first_user_, i);
      last_user_ = i;
    }
    return {};
  }

  Status control(const char* name) {
    const int id = tokenizer_.token_id(name);
    if (id < 0 || !tokenizer_.is_special(id))
      return refused("tokenizer", fmt::format("a control token {}", name), "");
    ids_.push_back(id);
    return {};
  }
  void text(std::string_view text) {
    const auto ids = tokenizer_.encode_ordinary(text);
    ids_.insert(ids_.end(), ids.begin(), ids.end());
  }

  Status user(std::size_t at) {
    const bool v1 = version_ == MistralVersion::v1;
    const bool carries = at == (v1 ? first_user_ : last_user_);
    const std::string content = joined(carries ? system_ : "", messages_[at].content);
    if (v1) {
      text("[INST] " + content + " [/INST]");
      return {};
    }
    if (carries && !tools_.empty()) {
      ASSAY_OK(control("[AVAILABLE_TOOLS]"));
      text(python_json(tools_));
      ASSAY_OK(control("[/AVAILABLE_TOOLS]"));
    }
    ASSAY_OK(control("[INST]"));
    text(content);
    return control("[/INST]");
  }

  Json call_of(const Json& call) const {
    const Json& function = call.at("function");
    const Json& arguments = function.at("arguments");
    Json out = Json::object();
    out["name"] = function.at("name");
    out["arguments"] = arguments.is_string() ? parsed_or_text(arguments.get<std::string>()) : arguments;
    const auto id = call.find("id");
    const bool named = id != call.end() && id->is_string() && *id != "" && *id != "null";
    if (version_ == MistralVersion::v3 && named) out["id"] = *id;
    return out;
  }

  Status assistant(std::size_t at) {
    const Message& m = messages_[at];
    if (!m.calls.empty() && !m.content.empty())
      return refused(fmt::format("message {}", at), "content or tool calls of an answer, not both", "");
    if (!m.calls.empty()) {
      if (version_ == MistralVersion::v2 && at < last_user_) return {};
      Json list = Json::array();
      for (const Json& call : m.calls) list.push_back(call_of(call));
      ASSAY_OK(control("[TOOL_CALLS]"));
      text(python_json(list));
    } else if (version_ == MistralVersion::v1) {
      text(m.content);
    } else {
      text(m.content.substr(0, m.content.find_last_not_of(' ') + 1));
    }
    ids_.push_back(*tokenizer_.eos_id());
    return {};
  }

  // The results from `at` on; gives the place behind them.
  Result<std::size_t> results(std::size_t at) {
    std::size_t end = at;
    Json list = Json::array();
    for (; end < messages_.size() && messages_[end].role == "tool"; ++end) {
      const Message& m = messages_[end];
      Json one = Json::object();
      if (version_ == MistralVersion::v2) one["name"] = m.name;
      one["content"] = parsed_or_text(m.content);
      if (version_ == MistralVersion::v3) one["call_id"] = m.call_id;
      list.push_back(std::move(one));
    }
    if (version_ == MistralVersion::v2 && at < last_user_) return end;
    if (version_ == MistralVersion::v2) list = Json::array({list});
    for (const Json& one : list) {
      ASSAY_OK(control("[TOOL_RESULTS]"));
      text(python_json(one));
      ASSAY_OK(control("[/TOOL_RESULTS]"));
    }
    return end;
  }

  const Tokenizer& tokenizer_;
  MistralVersion version_;
  const std::string& file_;
  std::string system_;
  std::vector<Message> messages_;
  Json tools_ = Json::array();
  std::size_t first_user_ = ~std::size_t{0}, last_user_ = 0;
  std::vector<int> ids_;
};

}  // namespace

Result<MistralVersion> mistral_version(std::string_view name) {
  if (name == "v1") return MistralVersion::v1;
  if (name == "v2") return MistralVersion::v2;
  if (name == "v3") return MistralVersion::v3;
  return Error{.code = Code::unsupported,
               .message = "this version of Mistral's chats is not supported",
               .field = "version",
               .expected = "v1, v2 or v3",
               .got = std::string(name.substr(0, 80))};
}

Result<std::vector<int>> mistral_chat(const Tokenizer& tokenizer, MistralVersion version,
                                      std::string_view request, const std::string& file) {
  ASSAY_TRY(const Json json, parse_json(request, file));
  if (!json.is_object()) {
    return Error{.code = Code::bad_value,
                 .message = "a chat is an object",
                 .file = file,
                 .field = "",
                 .expected = "messages"};
  }
  return Chat(tokenizer, version, file).run(json);
}

}  // namespace assay
