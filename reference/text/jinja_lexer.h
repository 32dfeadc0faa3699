// Cuts a template into text and tokens, with Jinja2's rules for whitespace (trim_blocks, lstrip_blocks, '-' and '+').
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "reference/text/jinja_value.h"

namespace assay::jinja {

inline constexpr std::size_t kMaxTemplateBytes = std::size_t{1} << 20;  // the longest published has 20 kB

enum class Lexeme : std::uint8_t { kText, kVariableBegin, kVariableEnd, kBlockBegin, kBlockEnd, kName, kString, kNumber, kOperator, kEnd };

struct Token {
  Lexeme kind = Lexeme::kEnd;
  std::string text;  // name, operator, string's value, text between tags
  Value number;
  int line = 1;
  bool is(std::string_view op) const { return kind == Lexeme::kOperator && text == op; }
  bool names(std::string_view name) const { return kind == Lexeme::kName && text == name; }
};

// trimmed: trim_blocks and lstrip_blocks, as chat templates are set up. kept: neither, and a line end at the template's end stays, as
// lm-evaluation-harness sets Jinja2 up (lm_eval/utils.py, `env`).
enum class Blocks : std::uint8_t { trimmed, kept };

std::vector<Token> lex(std::string_view source, Blocks blocks = Blocks::trimmed);  // throws Fault

}  // namespace assay::jinja
