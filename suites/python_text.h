// What Python's str and re do with Unicode text, on UTF-8: published checkers are written in Python, and their rules are its rules
// (docs.python.org/3/library/stdtypes.html, "str.isupper" and others). Broken UTF-8 counts as characters that are in no class.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay::python {

bool is_space(char32_t code);        // str.isspace: White_Space and the four ASCII separators 1C to 1F
bool is_alphanumeric(char32_t code);  // str.isalnum: letters and numbers of every kind, no marks
bool is_decimal(char32_t code);      // str.isdecimal, \d: category Nd
bool is_upper(char32_t code);        // property Uppercase
bool is_lower(char32_t code);        // property Lowercase

// str.isupper, str.islower: at least one cased character, and none of another case.
bool is_upper(std::string_view text);
bool is_lower(std::string_view text);

std::string_view strip(std::string_view text);                          // blanks at both ends
std::string_view strip(std::string_view text, std::string_view chars);  // str.strip(chars), chars in ASCII
std::string lower(std::string_view text);
std::vector<std::string_view> split(std::string_view text);                           // str.split()
std::vector<std::string_view> split(std::string_view text, std::string_view separator);  // str.split(separator); not empty
std::vector<std::string_view> word_runs(std::string_view text);                        // re.findall(r"\w+")
std::string remove_all(std::string_view text, char c);
bool is_blank(std::string_view text);  // not text.strip()

}  // namespace assay::python
