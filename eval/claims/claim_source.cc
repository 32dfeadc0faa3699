#include "eval/claims/claim_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/stats/possible.h"
#include "eval/claims/claim_ledger.h"

namespace assay {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The number that starts at `at`: digits, groups of three behind commas, one decimal part. Gives where it ends; a second point behind
// makes it a version or a section number, which is no figure: then `figure` stays empty.
std::size_t number_at(std::string_view text, std::size_t at, std::string& figure) {
  figure.clear();
  std::size_t i = at;
  const auto take_digits = [&] {
    while (i < text.size() && is_digit(text[i])) figure += text[i++];
  };
  const auto group_follows = [&] {
    if (i + 3 >= text.size() || text[i] != ',') return false;
    const bool three = is_digit(text[i + 1]) && is_digit(text[i + 2]) && is_digit(text[i + 3]);
    return three && (i + 4 == text.size() || !is_digit(text[i + 4]));
  };
  take_digits();
  if (figure.size() <= 3) {
    while (group_follows()) {
      ++i;
      take_digits();
    }
  }
  if (i + 1 < text.size() && text[i] == '.' && is_digit(text[i + 1])) {
    figure += text[i++];
    take_digits();
  }
  if (i + 1 < text.size() && text[i] == '.' && is_digit(text[i + 1])) {
    figure.clear();
    while (i < text.size() && (is_digit(text[i]) || text[i] == '.')) ++i;
  }
  return i;
}

template <class Each>
void each_number(std::string_view line, const Each& each) {
  std::string figure;
  for (std::size_t at = 0; at < line.size();) {
    if (!is_digit(line[at])) {
      ++at;
      continue;
    }
    const std::size_t end = number_at(line, at, figure);
    ASSAY_CHECK(end > at);
    if (at > 0 && line[at - 1] == '.' && !figure.empty()) figure.insert(0, "0.");  // ".5"
    if (!figure.empty()) each(figure);
    at = end;
  }
}

// Does the number print as the figure, as it is or in percent?
bool json_prints(double value, std::string_view figure) {
  const auto published = stats::parse_published(figure);
  if (!published.ok()) return false;
  const double half = published->step() / 2 * (1 + 1e-9);
  return std::fabs(value - published->value()) <= half || std::fabs(100 * value - published->value()) <= half;
}

// "2/30", not inside "12/30" or "2/300".
bool has_fraction(std::string_view line, std::string_view fraction) {
  for (std::size_t at = line.find(fraction); at != std::string_view::npos; at = line.find(fraction, at + 1)) {
    const std::size_t end = at + fraction.size();
    if ((at == 0 || !is_digit(line[at - 1])) && (end == line.size() || !is_digit(line[end]))) return true;
  }
  return false;
}

// Words beside a number: the other texts of its object.
std::string words_of(const Json& object) {
  std::string out;
  for (const auto& [key, value] : object.items()) {
    if (value.is_string()) out += squashed(value.get_ref<const std::string&>()) + ' ';
  }
  return out;
}

// "96.66" counts as a number: tables stored as JSON often print into strings.
std::optional<double> number_in(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return std::nullopt;
  const std::string& text = value.get_ref<const std::string&>();
  const auto parsed = stats::parse_published(text);
  return parsed.ok() ? std::optional(parsed->value()) : std::nullopt;
}

}  // namespace

Result<SourceText> SourceText::parse(std::string text, std::string name, bool whole) {
  SourceText out;
  out.text_ = std::make_unique<const std::string>(std::move(text));
  out.name_ = std::move(name);
  out.whole_ = whole;
  out.json_ = out.name_.ends_with(".json");
  if (!out.json_) {
    out.index_lines();
    return out;
  }
  ASSAY_TRY(const Json document, parse_json(*out.text_, out.name_));
  out.index_json(document, "", "");
  for (std::size_t i = 0; i < out.rows_.size(); ++i) out.rows_[i].text = out.paths_[i];
  return out;
}

void SourceText::index_lines() {
  const std::string_view text = *text_;
  std::int64_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    const std::size_t place = rows_.size();
    rows_.push_back({.text = line, .names = squashed(line), .line = ++number});
    each_number(line, [&](const std::string& figure) {
      std::vector<std::size_t>& places = by_number_[figure];
      if (places.empty() || places.back() != place) places.push_back(place);
    });
    at = end + 1;
  }
}

void SourceText::index_json(const Json& value, const std::string& path, const std::string& names) {
  const auto number = number_in(value);
  if (number) {
    paths_.push_back(fmt::format("{}: {}", path, dump_json(value)));
    rows_.push_back({.text = {}, .names = names, .line = 0, .value = *number});
    return;
  }
  if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) index_json(value[i], fmt::format("{}[{}]", path, i), names);
  }
  if (!value.is_object()) return;
  const std::string here = names + words_of(value);
  for (const auto& [key, member] : value.items()) index_json(member, path.empty() ? key : path + "." + key, here + squashed(key) + ' ');
}

const SourceRow* SourceText::line(std::int64_t number) const {
  const bool there = !json_ && number >= 1 && number <= static_cast<std::int64_t>(rows_.size());
  return there ? &rows_[static_cast<std::size_t>(number - 1)] : nullptr;
}

const SourceRow* SourceText::at_path(const std::string& path) const {
  if (!json_ || path.empty()) return nullptr;
  const std::string start = path + ": ";
  const auto found = std::find_if(rows_.begin(), rows_.end(), [&](const SourceRow& row) { return row.text.starts_with(start); });
  return found == rows_.end() ? nullptr : &*found;
}

bool SourceText::prints(const SourceRow& row, std::string_view figure, bool json) {
  if (json) return json_prints(row.value, figure);
  if (figure.find('/') != std::string_view::npos) return has_fraction(row.text, figure);
  bool there = false;
  each_number(row.text, [&](const std::string& number) { there = there || number == figure; });
  return there;
}

std::vector<const SourceRow*> SourceText::rows_with(std::string_view figure) const {
  std::vector<const SourceRow*> out;
  if (json_ || figure.find('/') != std::string_view::npos) {
    for (const SourceRow& row : rows_) {
      if (prints(row, figure, json_)) out.push_back(&row);
    }
    return out;
  }
  const auto found = by_number_.find(std::string(figure));
  if (found == by_number_.end()) return out;
  for (const std::size_t place : found->second) out.push_back(&rows_[place]);
  return out;
}

}  // namespace assay
