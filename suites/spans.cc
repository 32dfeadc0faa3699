#include "suites/spans.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "base/check.h"
#include "reference/text/unicode_forms.h"

namespace assay {
namespace {

constexpr std::size_t kMaxSpans = 64;  // a side of an assignment
constexpr std::string_view kPunctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";  // Python's string.punctuation

using Words = std::vector<std::string>;

bool is_span_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

Words split_words(std::string_view text) {
  Words words;
  std::string word;
  for (const char c : text) {
    if (!is_span_blank(c)) {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

void drop_articles(Words& words) {
  std::erase_if(words, [](const std::string& w) { return w == "a" || w == "an" || w == "the"; });
}

// `instead` '\0': punctuation vanishes; else it becomes that.
std::string without_punctuation(std::string_view text, char instead) {
  std::string out;
  for (const char c : text) {
    if (kPunctuation.find(c) == std::string_view::npos) out += c;
    else if (instead != '\0') out += instead;
  }
  return out;
}

// Typographic quotes and the acute accent, which TriviaQA counts as punctuation.
std::string without_quotes(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    std::size_t quote = 0;
    for (const std::string_view sign : {"\u2018", "\u2019", "\u00b4"}) quote = text.starts_with(sign) ? sign.size() : quote;
    out += quote > 0 ? ' ' : text.front();
    text.remove_prefix(std::max<std::size_t>(quote, 1));
  }
  return out;
}

Words squad_words(std::string_view text) {
  // Articles fall at word boundaries after punctuation is gone: "the-a" is one word there.
  Words words = split_words(without_punctuation(lowercase(text), '\0'));
  drop_articles(words);
  return words;
}

Words triviaqa_words(std::string_view text) {
  Words words = split_words(without_punctuation(without_quotes(lowercase(text)), ' '));
  drop_articles(words);
  return words;
}

// Harmonic mean of what of the answer is in the gold and of the gold in the answer, repeated words counted.
double bag_f1(const Words& answer, const Words& gold) {
  std::map<std::string_view, int> left;
  for (const auto& word : gold) ++left[word];
  int common = 0;
  for (const auto& word : answer) {
    const auto at = left.find(word);
    if (at == left.end() || at->second == 0) continue;
    --at->second;
    ++common;
  }
  if (common == 0) return 0;
  const double precision = common / static_cast<double>(answer.size()), recall = common / static_cast<double>(gold.size());
  return 2 * precision * recall / (precision + recall);
}

SpanScore best_of(std::string_view answer, const std::vector<std::string>& golds, Words (*words_of)(std::string_view)) {
  SpanScore best;
  const Words given = words_of(answer);
  for (const auto& gold : golds) {
    const Words wanted = words_of(gold);
    if (wanted.empty()) continue;  // nothing never equals nothing
    best.exact = best.exact || given == wanted;
    best.f1 = std::max(best.f1, bag_f1(given, wanted));
  }
  return best;
}

// --- DROP ---

// What Python's float() takes of an ASCII word.
std::optional<double> number_of(std::string_view word) {
  if (word.starts_with('+')) word.remove_prefix(1);
  if (word.empty() || word.front() == '+') return std::nullopt;
  double value = 0;
  const auto [end, failed] = std::from_chars(word.data(), word.data() + word.size(), value);
  return failed == std::errc{} && end == word.data() + word.size() ? std::optional(value) : std::nullopt;
}

struct DropSpan {
  std::string text;
  std::set<std::string> words;
};

DropSpan drop_span(std::string_view raw) {
  DropSpan span;
  std::string separated(raw);
  std::replace(separated.begin(), separated.end(), '-', ' ');
  for (const std::string& word : split_words(lowercase(separated))) {
    const std::string bare = number_of(word) ? word : without_punctuation(word, '\0');
    const auto number = number_of(bare);
    const std::string normal = number ? fmt::format("{}", *number) : bare;
    if (normal.empty() || normal == "a" || normal == "an" || normal == "the") continue;
    span.text += (span.text.empty() ? "" : " ") + normal;
    span.words.insert(normal);
  }
  return span;
}

bool numbers_match(const DropSpan& answer, const DropSpan& gold) {
  bool any = false, common = false;
  for (const auto& word : gold.words) {
    if (!number_of(word)) continue;
    any = true;
    common = common || answer.words.contains(word);
  }
  return !any || common;
}

double drop_f1(const DropSpan& answer, const DropSpan& gold) {
  if (!numbers_match(answer, gold)) return 0;
  const auto common = std::count_if(answer.words.begin(), answer.words.end(), [&](const auto& word) { return gold.words.contains(word); });
  const double precision = answer.words.empty() ? 1 : static_cast<double>(common) / static_cast<double>(answer.words.size());
  const double recall = gold.words.empty() ? 1 : static_cast<double>(common) / static_cast<double>(gold.words.size());
  return precision + recall == 0 ? 0 : 2 * precision * recall / (precision + recall);
}

std::vector<DropSpan> drop_spans(std::string_view lines) {
  std::vector<DropSpan> spans;
  while (!lines.empty() && spans.size() < kMaxSpans) {
    const auto end = std::min(lines.find('\n'), lines.size());
    spans.push_back(drop_span(lines.substr(0, end)));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return spans;
}

// The largest sum of values over pairs of a row and a column, each used once (Hungarian method with potentials, on costs of minus the
// value). values: (n_rows, n_columns), n_rows <= n_columns.
double best_pairing(const std::vector<std::vector<double>>& values) {
  const std::size_t n = values.size(), m = values[0].size();
  ASSAY_CHECK(n > 0 && n <= m);
  std::vector<double> row(n + 1), column(m + 1);
  std::vector<std::size_t> owner(m + 1), way(m + 1);  // 1-based; 0: nobody
  for (std::size_t i = 1; i <= n; ++i) {
    owner[0] = i;
    std::size_t at = 0;
    std::vector<double> least(m + 1, std::numeric_limits<double>::infinity());
    std::vector<bool> used(m + 1);
    do {
      used[at] = true;
      std::size_t next = 0;
      double step = std::numeric_limits<double>::infinity();
      for (std::size_t j = 1; j <= m; ++j) {
        if (used[j]) continue;
        const double rest = -values[owner[at] - 1][j - 1] - row[owner[at]] - column[j];
        if (rest < least[j]) least[j] = rest, way[j] = at;
        if (least[j] < step) step = least[j], next = j;
      }
      for (std::size_t j = 0; j <= m; ++j) {
        if (used[j]) row[owner[j]] += step, column[j] -= step;
        else least[j] -= step;
      }
      at = next;
    } while (owner[at] != 0);
    for (; at != 0; at = way[at]) owner[at] = owner[way[at]];
  }
  double sum = 0;
  for (std::size_t j = 1; j <= m; ++j) sum += owner[j] == 0 ? 0 : values[owner[j] - 1][j - 1];
  return sum;
}

SpanScore drop_against(const std::vector<DropSpan>& answer, const std::vector<DropSpan>& gold) {
  if (gold.empty() || answer.empty()) return {};
  const bool answer_rows = answer.size() <= gold.size();
  const auto& rows = answer_rows ? answer : gold;
  const auto& columns = answer_rows ? gold : answer;
  std::vector<std::vector<double>> values(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (const DropSpan& other : columns) values[i].push_back(answer_rows ? drop_f1(rows[i], other) : drop_f1(other, rows[i]));
  }
  SpanScore score;
  score.f1 = std::nearbyint(best_pairing(values) / static_cast<double>(columns.size()) * 100) / 100;
  std::set<std::string> given, wanted;
  for (const DropSpan& span : answer) given.insert(span.text);
  for (const DropSpan& span : gold) wanted.insert(span.text);
  score.exact = answer.size() == gold.size() && given == wanted;
  return score;
}

}  // namespace

SpanScore squad_score(std::string_view answer, const std::vector<std::string>& golds) { return best_of(answer, golds, squad_words); }
SpanScore triviaqa_score(std::string_view answer, const std::vector<std::string>& golds) { return best_of(answer, golds, triviaqa_words); }

SpanScore drop_score(std::string_view answer, const std::vector<std::string>& golds) {
  const auto given = drop_spans(answer);
  SpanScore best;
  if (std::all_of(given.begin(), given.end(), [](const DropSpan& span) { return span.text.empty(); })) return best;
  for (const auto& gold : golds) {
    const SpanScore score = drop_against(given, drop_spans(gold));
    best.exact = best.exact || score.exact;
    best.f1 = std::max(best.f1, score.f1);
  }
  return best;
}

}  // namespace assay
