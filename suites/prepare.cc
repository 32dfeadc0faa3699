#include "suites/prepare.h"

#include <string>

namespace assay {
namespace {

// str.strip and str.capitalize of Python on ASCII: the rows are English.
std::string trimmed(std::string text) {
  constexpr std::string_view kBlanks = " \t\r\n\f\v";
  const auto begin = text.find_first_not_of(kBlanks);
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::string capitalised(std::string text) {
  bool first = true;
  for (char& c : text) {
    if (first && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (!first && c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    first = false;
  }
  return text;
}

std::string replaced(const std::string& text, std::string_view what, std::string_view with) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const bool here = std::string_view(text).substr(i).starts_with(what);
    out += here ? with : std::string_view(text).substr(i, 1);
    i += here ? what.size() : 1;
  }
  return out;
}

// re.sub(r"\[.*?\]", "", text): the dot does not match a line break.
std::string without_brackets(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto end = text[i] == '[' ? text.find_first_of("]\n", i) : std::string::npos;
    if (end != std::string::npos && text[end] == ']') i = end;
    else out += text[i];
  }
  return out;
}

std::string clean_hellaswag(const std::string& text) {
  return replaced(without_brackets(replaced(trimmed(text), " [title]", ". ")), "  ", " ");
}

Status prepare_hellaswag(Item& item) {
  const auto label = item.field("activity_label"), a = item.field("ctx_a"), b = item.field("ctx_b");
  if (!label || !a || !b) {
    return Error{.code = Code::missing_field, .message = "an item lacks activity_label, ctx_a or ctx_b", .field = item.id};
  }
  item.question = clean_hellaswag(std::string(*label) + ": " + std::string(*a) + " " + capitalised(std::string(*b)));
  for (std::string& ending : item.options) ending = clean_hellaswag(ending);
  return {};
}

}  // namespace

bool is_preparation(std::string_view name) { return name == "hellaswag"; }

Status prepare_item(std::string_view name, Item& item) {
  ASSAY_CHECK(is_preparation(name));
  return prepare_hellaswag(item);
}

}  // namespace assay
