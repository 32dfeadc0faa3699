#include "suites/extract.h"

#include <fmt/format.h>

#include <utf8proc.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "suites/json_text.h"
#include "suites/numbers.h"
#include "suites/program.h"
#include "suites/regex.h"

namespace assay {
namespace {

using Found = std::optional<std::string>;

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\f\v";
  const auto begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

Found as_found(std::optional<std::string_view> text) {
  return text ? Found(std::string(*text)) : std::nullopt;
}

Found all(std::string_view output, std::string_view) { return std::string(trim(output)); }

Found first_regex(std::string_view output, std::string_view pattern) {
  const Regex* regex = cached_regex(pattern);
  return regex == nullptr ? std::nullopt : as_found(regex->first(output));
}

Found last_regex(std::string_view output, std::string_view pattern) {
  const Regex* regex = cached_regex(pattern);
  return regex == nullptr ? std::nullopt : as_found(regex->last(output));
}

Found filled_match(std::string_view output, std::string_view pattern, bool last) {
  const Regex* regex = cached_regex(pattern);
  const auto found = regex == nullptr ? std::nullopt : regex->filled(output, last);
  return found ? Found(std::string(trim(*found))) : std::nullopt;
}
Found first_match(std::string_view output, std::string_view pattern) { return filled_match(output, pattern, false); }
Found last_match(std::string_view output, std::string_view pattern) { return filled_match(output, pattern, true); }
Found whole(std::string_view output, std::string_view) { return std::string(output); }

Found number(std::string_view output, bool last) {
  const auto span = find_number(output, last);
  return span ? Found(std::string(output.substr(span->begin, span->size))) : std::nullopt;
}

Found first_number(std::string_view output, std::string_view) { return number(output, false); }
Found last_number(std::string_view output, std::string_view) { return number(output, true); }

Found after_marker(std::string_view output, std::string_view marker) {
  const auto at = output.rfind(marker);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view rest = output.substr(at + marker.size());
  rest = trim(rest.substr(0, rest.find('\n')));
  if (rest.ends_with('.')) rest.remove_suffix(1);
  return std::string(rest);
}

Found after_hashes(std::string_view output, std::string_view) { return after_marker(output, "####"); }

// The content of the braces that open at `open`, or no value where they do not close.
std::optional<std::string_view> braced(std::string_view text, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == '{') ++depth;
    if (text[i] == '}' && --depth == 0) return text.substr(open + 1, i - open - 1);
  }
  return std::nullopt;
}

Found boxed(std::string_view output, std::string_view) {
  constexpr std::string_view kBox = "\\boxed{";
  const auto at = output.rfind(kBox);
  return at == std::string_view::npos ? std::nullopt : as_found(braced(output, at + kBox.size() - 1));
}

Found code(std::string_view output, std::string_view) { return std::string(find_code(output)); }

// The last outermost pair of braces that closes. Strings are not looked at: prose around the object has
// quotes of its own.
std::optional<std::string_view> last_object(std::string_view text) {
  std::optional<std::string_view> found;
  std::size_t start = 0;
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '{' && depth++ == 0) start = i;
    if (text[i] == '}' && depth > 0 && --depth == 0) found = text.substr(start, i - start + 1);
  }
  return found;
}

Found json_field(std::string_view output, std::string_view key) {
  const auto object = last_object(output);
  if (!object) return std::nullopt;
  std::string flat(*object);
  std::erase(flat, '\n');  // models break lines inside strings
  const auto document = nlohmann::json::parse(flat, nullptr, false);
  if (!document.is_object()) return std::nullopt;
  const auto at = document.find(key);
  if (at == document.end() || at->is_null()) return std::nullopt;
  return at->is_string() ? at->get<std::string>()
                         : at->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// The first outermost pair of braces that closes; strings are not looked at.
std::optional<std::string_view> first_object(std::string_view text) {
  const auto start = text.find('{');
  int depth = 0;
  for (std::size_t i = start; i < text.size(); ++i) {
    if (text[i] == '{') ++depth;
    if (text[i] == '}' && --depth == 0) return text.substr(start, i - start + 1);
  }
  return std::nullopt;
}

Found first_json_field(std::string_view output, std::string_view key) {
  const auto object = first_object(output);
  if (!object) return std::nullopt;
  std::string flat(*object);
  std::erase(flat, '\n');
  const auto document = Json::parse(flat, nullptr, false);
  if (!document.is_object()) return std::nullopt;
  const auto at = document.find(key);
  return at == document.end() ? std::nullopt : Found(python_text(*at));
}

Found no_answer(std::string_view, std::string_view) { return std::nullopt; }

// As json_field, but an empty text is an answer too.
Found json_field_any(std::string_view output, std::string_view key) { return json_field(output, key); }

std::string quote_for_regex(std::string_view key) {
  std::string out;
  for (const char c : key) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c < 0;
    if (!plain) out += '\\';
    out += c;
  }
  return out;
}

// A quoted value, else a bare one up to a comma or blank, else the same after the key without quotes.
Found json_field_loose(std::string_view output, std::string_view key) {
  const std::string name = quote_for_regex(key);
  for (const char* form :
       {R"re("{}"\s*:\s*"([^"]*)")re", R"re("{}"\s*:\s*([^,\s]*))re", R"re({}\s*:\s*([^,\s]*))re"}) {
    if (auto found = first_regex(output, fmt::format(fmt::runtime(form), name))) return found;
  }
  return std::nullopt;
}

// Python's \w: letters and numbers of every script, and _. No character: none.
bool is_word(std::string_view character) {
  if (character.empty()) return false;
  const char c = character.front();
  if (static_cast<unsigned char>(c) < 0x80) return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  utf8proc_int32_t code = -1;
  utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(character.data()), static_cast<utf8proc_ssize_t>(character.size()), &code);
  if (code < 0) return false;
  const auto category = utf8proc_category(code);
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) || (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
}

// The character that ends before byte `end`, at most four bytes.
std::string_view character_before(std::string_view text, std::size_t end) {
  std::size_t begin = end;
  while (begin > 0 && end - begin < 4) {
    --begin;
    if ((static_cast<unsigned char>(text[begin]) & 0xC0) != 0x80) break;
  }
  return text.substr(begin, end - begin);
}

// \b[A-J]\b by hand, from either end: many outputs have no lone letter, and a pattern would look at every word.
bool is_lone_letter(std::string_view text, std::size_t i) {
  if (text[i] < 'A' || text[i] > 'J') return false;
  return !is_word(text.substr(i + 1, 4)) && !is_word(character_before(text, i));
}

Found letter(std::string_view output, bool last) {
  for (std::size_t n = 0; n < output.size(); ++n) {
    const std::size_t i = last ? output.size() - 1 - n : n;
    if (is_lone_letter(output, i)) return std::string(1, output[i]);
  }
  return std::nullopt;
}

Found first_letter(std::string_view output, std::string_view) { return letter(output, false); }
Found last_letter(std::string_view output, std::string_view) { return letter(output, true); }

Found json_field_loose_any(std::string_view output, std::string_view key) {
  return json_field_loose(output, key);
}

enum class Pattern { none, text, regex };

struct Function {
  std::string_view name;
  Found (*run)(std::string_view output, std::string_view pattern);
  Pattern pattern;
};

constexpr Function kFunctions[] = {
    {"after-hashes", after_hashes, Pattern::none},
    {"after-marker", after_marker, Pattern::text},
    {"all", all, Pattern::none},
    {"boxed", boxed, Pattern::none},
    {"code", code, Pattern::none},
    {"first-json-field", first_json_field, Pattern::text},
    {"first-letter", first_letter, Pattern::none},
    {"first-match", first_match, Pattern::regex},
    {"first-number", first_number, Pattern::none},
    {"first-regex", first_regex, Pattern::regex},
    {"guess", no_answer, Pattern::text},
    {"json-field", json_field, Pattern::text},
    {"json-field-any", json_field_any, Pattern::text},
    {"json-field-loose", json_field_loose, Pattern::text},
    {"json-field-loose-any", json_field_loose_any, Pattern::text},
    {"last-letter", last_letter, Pattern::none},
    {"last-match", last_match, Pattern::regex},
    {"last-number", last_number, Pattern::none},
    {"last-regex", last_regex, Pattern::regex},
    {"whole", whole, Pattern::none},
};

const Function* find_function(std::string_view name) {
  const auto at = std::find_if(std::begin(kFunctions), std::end(kFunctions),
                               [&](const Function& f) { return f.name == name; });
  return at == std::end(kFunctions) ? nullptr : at;
}

}  // namespace

const std::vector<std::string_view>& extractor_names() {
  static const auto kNames = [] {
    std::vector<std::string_view> names;
    for (const auto& function : kFunctions) names.push_back(function.name);
    return names;
  }();
  return kNames;
}

bool extractor_needs_pattern(std::string_view function) {
  const Function* found = find_function(function);
  return found != nullptr && found->pattern != Pattern::none;
}

Status check_extractor(const ExtractorLink& link, std::string_view file) {
  const Function* found = find_function(link.function);
  if (found == nullptr) {
    return Error{.code = Code::bad_value,
                 .message = "no such extractor",
                 .file = std::string(file),
                 .field = "function",
                 .expected = fmt::format("one of {}", fmt::join(extractor_names(), ", ")),
                 .got = link.function};
  }
  if ((found->pattern == Pattern::none) != link.pattern.empty()) {
    return Error{.code = link.pattern.empty() ? Code::missing_field : Code::bad_value,
                 .message = link.pattern.empty() ? "this extractor needs a pattern"
                                                 : "this extractor takes no pattern",
                 .file = std::string(file),
                 .field = link.function};
  }
  if (found->pattern != Pattern::regex) return {};
  ASSAY_OK(Regex::compile(link.pattern, file));
  return {};
}

std::optional<Extracted> extract(const std::vector<ExtractorLink>& chain, std::string_view output,
                                 std::string_view model) {
  for (const auto& link : chain) {
    if (model.find(link.only_model) == std::string_view::npos) continue;
    const Function* function = find_function(link.function);
    ASSAY_CHECK(function != nullptr);
    auto found = function->run(output, link.pattern);
    const bool may_be_empty = function->run == json_field_any || function->run == json_field_loose_any || function->run == first_json_field;
    if (found && (may_be_empty || !trim(*found).empty()))
      return Extracted{std::move(*found), link.function, link.fallback};
  }
  return std::nullopt;
}

}  // namespace assay
