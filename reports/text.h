// Text of unknown origin made fit to be shown: in HTML, SVG, Markdown, CSV. Nothing that a model wrote acts on the reader's screen.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace assay {

inline constexpr std::size_t kShownChars = 4000;  // of one field in a report; the database keeps all of it

// Valid UTF-8 without control characters: broken bytes and bidirectional overrides (they can turn a verdict's words around)
// become U+FFFD, control characters their pictures (U+2400 ...), line breaks and tabs stay when `keep_lines`. Longer texts end
// in "…" and how many characters are left out.
std::string display_text(std::string_view text, std::size_t max_chars = kShownChars, bool keep_lines = true);
std::string short_text(std::string_view text,
                       std::size_t max_chars);  // one line, ends in "…" where it was cut

std::string escape_xml(std::string_view text);       // display_text, then & < > " ' escaped: for HTML and SVG
std::string escape_markdown(std::string_view text);  // one line, for a table cell; HTML becomes entities
std::string escape_csv(
    std::string_view
        text);  // quoted where needed; a leading = + - @ gets ' before it: no spreadsheet formula

std::size_t count_chars(std::string_view utf8);  // code points of valid UTF-8

// Figures for people.
std::string number_text(double value, int digits);  // digits after the point, "-" for what is not finite
std::string compact_number(double value);           // "2.788M", "14.8T", "0.0012": four significant digits
std::string percent_text(std::optional<double> fraction);  // "76.4 %", "-" for none
std::string maybe_text(std::optional<double> value, int digits);
std::string p_text(std::optional<double> p);  // "0.031", "< 0.001", "-"

}  // namespace assay
