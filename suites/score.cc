#include "suites/score.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>

#include "reference/text/jinja_run.h"
#include "suites/arithmetic.h"
#include "suites/draws.h"
#include "suites/extract.h"
#include "suites/ifeval/ifeval.h"
#include "suites/json_text.h"
#include "suites/math/math_equal.h"
#include "suites/numbers.h"
#include "suites/policy.h"
#include "suites/regex.h"
#include "suites/spans.h"

namespace assay {
namespace {

using Verdict = std::optional<bool>;

std::string trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\f\v";
  const auto begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1));
}

std::string folded(std::string_view text) {
  std::string out;
  for (const char c : trimmed(text)) {
    const bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (blank && !out.empty() && out.back() == ' ') continue;
    out += blank ? ' ' : (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  return out;
}

Verdict same_integer(std::string_view answer, std::string_view gold) {
  const auto whole = [](const std::optional<std::string>& n) {
    return n && n->find_first_of("./") == std::string::npos;
  };
  const auto expected = plain_number(gold), given = plain_number(answer);
  if (!whole(expected)) return std::nullopt;
  return whole(given) && *given == *expected;
}

Verdict same_exact_number(std::string_view answer, std::string_view gold) {
  if (!plain_number(gold)) return std::nullopt;
  return same_number(answer, gold).value_or(false);
}

// The number that a sentence begins with decides where the whole is no number ("18 dollars").
Verdict same_loose_number(std::string_view answer, std::string_view gold) {
  if (const auto same = same_number(answer, gold)) return same;
  if (trimmed(answer) == trimmed(gold)) return true;
  const auto first = [](std::string_view text) {
    const auto span = find_number(text, false);
    if (!span) return std::string_view{};
    const bool minus = span->begin > 0 && text[span->begin - 1] == '-';  // "p-2": -2, as ZeroEval reads it
    return minus ? text.substr(span->begin - 1, span->size + 1) : text.substr(span->begin, span->size);
  };
  return same_number(first(answer), first(gold)).value_or(false);
}

Verdict same_bare(std::string_view answer, std::string_view gold) {
  const auto bare = [](std::string_view text) {
    std::string out = trimmed(text);
    std::erase_if(out, [](char c) { return c == '$' || c == ','; });
    if (out.ends_with('.')) out.pop_back();
    return out;
  };
  return bare(answer) == bare(gold);
}

Verdict same_text(std::string_view answer, std::string_view gold) { return trimmed(answer) == trimmed(gold); }
Verdict same_folded(std::string_view answer, std::string_view gold) { return folded(answer) == folded(gold); }

// A literal of Python's: as text, with the quotes at its ends taken off, or as a number. Blanks count: they are what programs return.
std::string_view unquoted(std::string_view text) {
  constexpr std::string_view kQuotes = "'\"";
  const auto begin = text.find_first_not_of(kQuotes);
  return begin == std::string_view::npos ? std::string_view{}
                                         : text.substr(begin, text.find_last_not_of(kQuotes) - begin + 1);
}

Verdict same_literal(std::string_view answer, std::string_view gold) {
  const bool alike = answer == gold || answer == unquoted(gold) || unquoted(answer) == unquoted(gold);
  return alike || same_number(answer, gold).value_or(false);
}

// "(b)", "B." and "B" are one letter.
Verdict same_letter(std::string_view answer, std::string_view gold) {
  const auto letter = [](std::string_view text) {
    std::string out = folded(text);
    std::erase_if(out, [](char c) { return c == '(' || c == ')' || c == '.' || c == ':' || c == '*'; });
    return out;
  };
  const std::string expected = letter(gold);
  if (expected.size() != 1 || expected[0] < 'a' || expected[0] > 'z') return std::nullopt;
  return letter(answer) == expected;
}

// The text between a quote or more at each end, its line breaks as a program writes them.
std::string quoted_text(std::string_view text) {
  std::string out;
  for (const char c : unquoted(text)) out += c == '\n' ? std::string("\\n") : std::string(1, c);
  return out;
}

Verdict same_quoted_text(std::string_view answer, std::string_view gold) { return quoted_text(answer) == quoted_text(gold); }

bool is_number_digit(char c) { return c >= '0' && c <= '9'; }

// -?\d+(\.\d+)?, the first that is there.
std::optional<double> leading_double(std::string_view text) {
  const auto begin = std::find_if(text.begin(), text.end(), is_number_digit);
  if (begin == text.end()) return std::nullopt;
  auto end = std::find_if_not(begin, text.end(), is_number_digit);
  if (end != text.end() && *end == '.' && end + 1 != text.end() && is_number_digit(end[1])) end = std::find_if_not(end + 1, text.end(), is_number_digit);
  double value = 0;
  if (std::from_chars(&*begin, &*begin + (end - begin), value).ec != std::errc{}) return std::nullopt;
  return begin != text.begin() && begin[-1] == '-' ? -value : value;
}

std::optional<double> first_double(std::string_view text) {
  std::string bare(text);
  std::erase(bare, '$');
  bare = trimmed(bare);
  std::erase(bare, ',');
  if (bare.find('/') != std::string::npos) {
    if (const auto value = arithmetic_value(bare)) return leading_double(python_float(*value));  // "1e-05" begins with 1
  }
  return leading_double(bare);
}

Verdict same_first_number(std::string_view answer, std::string_view gold) {
  const auto expected = first_double(gold);
  if (!expected) return std::nullopt;
  const auto given = first_double(answer);
  return given && *given == *expected;
}

Verdict not_compared(std::string_view, std::string_view) { return std::nullopt; }

Verdict same_mathematics(std::string_view answer, std::string_view gold) { return same_math(answer, gold); }

using SpanScorer = SpanScore (*)(std::string_view answer, const std::vector<std::string>& golds);

template <SpanScorer scorer>
Verdict same_span(std::string_view answer, std::string_view gold) {
  return scorer(answer, {std::string(gold)}).exact;
}

Verdict same_exactly(std::string_view answer, std::string_view gold) { return answer == gold; }
Verdict same_lowered(std::string_view answer, std::string_view gold) {
  return jinja::lower(std::string(answer)) == jinja::lower(std::string(gold));
}

struct Equality {
  std::string_view name;
  Verdict (*run)(std::string_view answer, std::string_view gold);
};

// Judged whole by score_output; here only so that an answer can be compared by name.
Verdict same_instructions(std::string_view answer, std::string_view gold) {
  Item item;
  item.gold = gold;
  return score_instructions(item, answer).correct;
}

bool judges_instructions(std::string_view equality) { return equality == "instructions" || equality == "instruction-labels"; }

constexpr Equality kEqualities[] = {
    {"drop", same_span<drop_score>},
    {"exact", same_exactly},
    {"exact-folded", same_lowered},
    {"first-number", same_first_number},
    {"instruction-labels", same_instructions},
    {"instructions", same_instructions},
    {"integer", same_integer},
    {"letter", same_letter},
    {"literal", same_literal},
    {"math", same_mathematics},
    {"number", same_exact_number},
    {"number-bare", same_bare},
    {"number-loose", same_loose_number},
    {kPythonTests, not_compared},
    {"quoted-text", same_quoted_text},
    {"squad", same_span<squad_score>},
    {"stored", not_compared},
    {"text", same_text},
    {"text-folded", same_folded},
    {"triviaqa", same_span<triviaqa_score>},
};

// The scorer of an equality that gives part of a point; nullptr: it gives all or nothing.
SpanScorer partial_scorer(std::string_view equality) {
  if (equality == "drop") return drop_score;
  if (equality == "squad") return squad_score;
  return equality == "triviaqa" ? triviaqa_score : nullptr;
}

std::vector<std::string> golds_of(const Protocol& protocol, const Item& item) {
  std::vector<std::string> golds = {expected_answer(protocol, item)};
  golds.insert(golds.end(), item.golds.begin(), item.golds.end());
  std::erase_if(golds, [](const std::string& gold) { return trimmed(gold).empty(); });
  return golds;
}

std::string without_ignored(const Protocol& protocol, std::string text) {
  for (const auto& pattern : protocol.ignore) {
    const Regex* regex = cached_regex(pattern);
    ASSAY_CHECK(regex != nullptr);  // the definition's reader compiled it
    text = regex->without(text);
  }
  return text;
}

// Right where it equals one of them; none where it can be compared with none.
Verdict equal_to_any(const Protocol& protocol, const std::string& answer, const std::vector<std::string>& golds) {
  Verdict verdict;
  const std::string compared = without_ignored(protocol, answer);
  for (const auto& gold : golds) {
    const Verdict one = equal_answers(protocol.equality, compared, without_ignored(protocol, gold));
    if (one) verdict = verdict.value_or(false) || *one;
  }
  return verdict;
}

std::string why_unread(std::string_view output, Unusable usable, bool read) {
  if (trimmed(output).empty()) return "the output is empty";
  if (usable == Unusable::wrong) return "the output was cut off, which counts as wrong";
  return read ? "no answer was found in the output" : "the thinking does not end";
}

void set_flags(ItemScore& score, bool program) {
  if (!score.correct) return;
  score.score = *score.correct ? 1 : 0;
  score.values = {{"accuracy", *score.score}, {"exact_match", *score.score}};
  if (program) score.values.emplace_back("pass@1", *score.score);
}

void set_program(ItemScore& score, const Protocol& protocol, const Item& item, std::string_view code) {
  auto test = program_test(protocol, item, code);
  if (!test.ok()) {
    score.why = "not judged: " + test.error().message;
    return;
  }
  score.program = std::move(test).value();
  score.why = "not judged: the program was not run";
}

// What the log-likelihood of option i is divided by.
double divisor(Normalisation normalisation, const Protocol& protocol, const Item& item,
               const OptionScore& score, std::size_t i) {
  const bool whole_option = protocol.continuation.find("{option}") != std::string::npos;
  const std::string_view text = whole_option ? std::string_view(item.options[i]) : std::string_view("A");
  switch (normalisation) {
    case Normalisation::none:
    case Normalisation::uncond:  // taken off, not divided by
      return 1;
    case Normalisation::chars:
      return static_cast<double>(std::max<std::int64_t>(count_code_points(text), 1));
    case Normalisation::bytes:
      return static_cast<double>(std::max<std::size_t>(text.size(), 1));
    case Normalisation::tokens:
      return static_cast<double>(std::max<std::int64_t>(score.tokens, 1));
  }
  return 1;
}

struct Choice {
  int taken = 0;
  std::optional<double> margin;
};

Choice choose(Normalisation normalisation, const Protocol& protocol, const Item& item,
              std::span<const OptionScore> options) {
  Choice choice;
  double best = -INFINITY, second = -INFINITY;
  for (std::size_t i = 0; i < options.size(); ++i) {
    const double likelihood = options[i].logprob_nats - (normalisation == Normalisation::uncond ? *options[i].unconditional_nats : 0);
    const double value = likelihood / divisor(normalisation, protocol, item, options[i], i);
    if (value > best) {
      second = best;
      best = value;
      choice.taken = static_cast<int>(i);
    } else if (value > second) {
      second = value;
    }
  }
  if (std::isfinite(best) && std::isfinite(second)) choice.margin = best - second;
  return choice;
}

char letter_of(int option) { return static_cast<char>('A' + option); }

std::string why_of(const std::optional<bool>& correct, const std::string& extracted,
                   const std::string& gold) {
  if (!correct)
    return fmt::format("not judged: the expected answer \"{}\" cannot be compared", gold.substr(0, 80));
  if (*correct) return "equals the expected answer";
  return fmt::format("\"{}\" is not the expected \"{}\"", extracted.substr(0, 80), gold.substr(0, 80));
}

}  // namespace

const std::vector<std::string_view>& equality_names() {
  static const auto kNames = [] {
    std::vector<std::string_view> names;
    for (const auto& equality : kEqualities) names.push_back(equality.name);
    return names;
  }();
  return kNames;
}

std::optional<bool> equal_answers(std::string_view equality, std::string_view answer, std::string_view gold) {
  const auto at = std::find_if(std::begin(kEqualities), std::end(kEqualities),
                               [&](const Equality& e) { return e.name == equality; });
  ASSAY_CHECK(at != std::end(kEqualities));
  if (trimmed(gold).empty()) return std::nullopt;
  if (equality == "stored") return std::nullopt;
  if (trimmed(answer).empty() && equality != "literal" && equality != "quoted-text") return false;  // '' and ' ' are literals
  return at->run(answer, gold);
}

std::int64_t count_code_points(std::string_view utf8) {
  return std::count_if(utf8.begin(), utf8.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

ItemScore score_choice(const Protocol& protocol, const Item& item, std::span<const OptionScore> options) {
  ASSAY_CHECK(options.size() == item.options.size() && !options.empty());
  ASSAY_CHECK(protocol.kind == ProtocolKind::choice);
  ASSAY_CHECK(protocol.normalisation != Normalisation::uncond || options.front().unconditional_nats);
  ItemScore score;
  const Choice own = choose(protocol.normalisation, protocol, item, options);
  score.chosen = own.taken;
  score.margin = own.margin;
  score.extracted = std::string(1, letter_of(own.taken));
  score.extractor = "largest";
  if (item.gold_index < 0) {
    score.why = "not judged: the item has no right option";
    return score;
  }
  ASSAY_CHECK(item.gold_index < static_cast<int>(options.size()));
  score.correct = own.taken == item.gold_index;
  score.score = *score.correct ? 1 : 0;
  score.why = *score.correct
                  ? fmt::format("took {}, which is right", letter_of(own.taken))
                  : fmt::format("took {}, right is {}", letter_of(own.taken), letter_of(item.gold_index));
  const auto flag = [&](Normalisation n) {
    return choose(n, protocol, item, options).taken == item.gold_index ? 1.0 : 0.0;
  };
  score.values = {{"acc", flag(Normalisation::none)},
                  {"acc_char", flag(Normalisation::chars)},
                  {"acc_byte", flag(Normalisation::bytes)},
                  {"acc_token", flag(Normalisation::tokens)},
                  {"mean_logprob", options[static_cast<std::size_t>(item.gold_index)].logprob_nats}};
  if (std::ranges::all_of(options, [](const OptionScore& o) { return o.unconditional_nats.has_value(); })) {
    score.values.emplace_back("acc_uncond", flag(Normalisation::uncond));
  }
  return score;
}

ItemScore score_output(const Protocol& protocol, const Item& item, std::string_view output,
                       std::string_view model, bool truncated) {
  ASSAY_CHECK(protocol.kind == ProtocolKind::generate);
  ItemScore score;
  const Unusable usable = usability(protocol, output, truncated);
  if (usable == Unusable::unjudged) {
    score.why = truncated ? "not judged: the output was cut off" : "not judged: the output is empty";
    return score;
  }
  const bool program = protocol.equality == kPythonTests;
  const auto golds = golds_of(protocol, item);
  const auto read = usable == Unusable::as_is ? answer_part(protocol, output) : std::nullopt;
  const std::string readable = protocol.primer + (read ? std::string(*read) : std::string());
  if (judges_instructions(protocol.equality)) return score_instructions(item, readable);
  const auto found = read ? extract(protocol.extractors, readable, model) : std::nullopt;
  if (found) {
    score.extracted = found->answer;
    score.extractor = found->by;
    score.fallback = found->fallback;
    if (program) {
      set_program(score, protocol, item, found->answer);
    } else {
      score.correct = equal_to_any(protocol, found->answer, golds);
      score.why = why_of(score.correct, found->answer, expected_answer(protocol, item));
    }
  } else {
    if (program || !golds.empty()) score.correct = false;
    score.why = why_unread(output, usable, read.has_value());
  }
  set_flags(score, program);
  if (const SpanScorer partial = partial_scorer(protocol.equality); partial != nullptr && score.correct) {
    score.values.emplace_back("f1", found ? partial(found->answer, golds).f1 : 0);
  }
  score.values.emplace_back("no_answer", found ? 0 : 1);
  return score;
}

void settle_program(ItemScore& score, const ProgramOutcome& outcome) {
  ASSAY_CHECK(score.program.has_value() && !score.correct);
  score.program.reset();
  score.harness_fault = outcome.verdict == ProgramVerdict::fault;
  score.why = (score.harness_fault ? "harness fault: " : "") + outcome.why;
  if (score.harness_fault) return;
  const auto others = std::move(score.values);
  score.correct = outcome.verdict == ProgramVerdict::passed;
  set_flags(score, true);
  score.values.insert(score.values.end(), others.begin(), others.end());
}

ItemScore score_rolling(const Protocol& protocol, const Item& item, double logprob_nats,
                        std::int64_t tokens) {
  ASSAY_CHECK(protocol.kind == ProtocolKind::rolling && tokens >= 0);
  ItemScore score;
  score.bytes = static_cast<std::int64_t>(item.text.size());
  score.bits = -logprob_nats / std::numbers::ln2;
  score.why = "a text is not right or wrong";
  if (score.bytes > 0) score.score = score.bits / static_cast<double>(score.bytes);
  if (score.score) score.values.emplace_back("bits_per_byte", *score.score);
  if (tokens > 0) score.values.emplace_back("mean_logprob", logprob_nats / static_cast<double>(tokens));
  return score;
}

}  // namespace assay
