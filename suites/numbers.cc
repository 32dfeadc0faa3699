#include "suites/numbers.h"

#include <algorithm>
#include <boost/multiprecision/cpp_int.hpp>

#include "base/check.h"

namespace assay {
namespace {

constexpr std::size_t kMaxDigits = 200;  // longer is no answer to a question

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// End of the number that begins with a digit at `at`.
std::size_t number_end(std::string_view text, std::size_t at) {
  const auto digit_at = [&](std::size_t i) { return i < text.size() && is_digit(text[i]); };
  while (digit_at(at) || (at < text.size() && text[at] == ',' && digit_at(at + 1))) ++at;
  if (at < text.size() && text[at] == '.' && digit_at(at + 1)) {
    ++at;
    while (digit_at(at)) ++at;
  }
  return at;
}

// $ % and commas are taken off, TeX's \$ \% and \! too, and blanks at the ends; blanks inside stay and make it no number.
std::string strip(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i], next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (c == '$' || c == '%' || c == ',') continue;
    if (c == '\\' && (next == '$' || next == '%' || next == '!')) {
      ++i;
      continue;
    }
    out += c;
  }
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto begin = out.find_first_not_of(kBlanks);
  return begin == std::string::npos ? std::string()
                                    : out.substr(begin, out.find_last_not_of(kBlanks) - begin + 1);
}

// "[-]digits[.digits]" without leading or final zeros; no value otherwise.
std::optional<std::string> plain_decimal(std::string_view text) {
  const bool minus = !text.empty() && text.front() == '-';
  if (minus || (!text.empty() && text.front() == '+')) text.remove_prefix(1);
  const auto dot = text.find('.');
  std::string_view whole = text.substr(0, dot);
  std::string_view part = dot == std::string_view::npos ? std::string_view{} : text.substr(dot + 1);
  if ((whole.empty() && part.empty()) || text.size() > kMaxDigits) return std::nullopt;
  if (!std::all_of(whole.begin(), whole.end(), is_digit) || !std::all_of(part.begin(), part.end(), is_digit))
    return std::nullopt;
  whole.remove_prefix(std::min(whole.find_first_not_of('0'), whole.size()));
  while (!part.empty() && part.back() == '0') part.remove_suffix(1);
  std::string out = minus && !(whole.empty() && part.empty()) ? "-" : "";
  out += whole.empty() ? std::string_view("0") : whole;
  return part.empty() ? out : out.append(".").append(part);
}

using Ratio = boost::multiprecision::cpp_rational;

// A plain decimal as integer over a power of ten.
Ratio ratio_of_decimal(std::string_view plain) {
  boost::multiprecision::cpp_int numerator = 0, denominator = 1;
  bool after_dot = false;
  for (const char c : plain) {
    if (c == '.') after_dot = true;
    if (!is_digit(c)) continue;
    numerator = numerator * 10 + (c - '0');
    if (after_dot) denominator *= 10;
  }
  if (!plain.empty() && plain.front() == '-') numerator = -numerator;
  return Ratio(numerator, denominator);
}

Ratio ratio_of(std::string_view plain) {
  const auto slash = plain.find('/');
  if (slash == std::string_view::npos) return ratio_of_decimal(plain);
  const Ratio below = ratio_of_decimal(plain.substr(slash + 1));
  ASSAY_CHECK(below != 0);  // plain_number refuses it
  return ratio_of_decimal(plain.substr(0, slash)) / below;
}

}  // namespace

std::optional<NumberSpan> find_number(std::string_view text, bool last) {
  std::optional<NumberSpan> found;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_digit(text[i])) continue;
    const std::size_t end = number_end(text, i);
    const bool minus = i > 0 && text[i - 1] == '-' && (i < 2 || !is_word(text[i - 2]));
    const std::size_t begin = minus ? i - 1 : i;
    found = NumberSpan{begin, end - begin};
    if (!last) return found;
    i = end - 1;
  }
  return found;
}

std::optional<std::string> plain_number(std::string_view text) {
  const std::string bare = strip(text);
  const auto slash = bare.find('/');
  if (slash == std::string::npos) return plain_decimal(bare);
  const auto above = plain_decimal(std::string_view(bare).substr(0, slash));
  const auto below = plain_decimal(std::string_view(bare).substr(slash + 1));
  if (!above || !below || *below == "0") return std::nullopt;
  return *above + "/" + *below;
}

std::optional<bool> same_number(std::string_view a, std::string_view b) {
  const auto x = plain_number(a), y = plain_number(b);
  if (!x || !y) return std::nullopt;
  if (*x == *y) return true;
  const bool decimals = x->find('/') == std::string::npos && y->find('/') == std::string::npos;
  if (decimals) return false;  // one spelling a number
  return ratio_of(*x) == ratio_of(*y);
}

}  // namespace assay
