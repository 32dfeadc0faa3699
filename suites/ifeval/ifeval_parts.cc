#include <algorithm>
#include <array>

#include "base/check.h"
#include "reference/text/utf8.h"
#include "suites/ifeval/ifeval_checks.h"
#include "suites/python_text.h"

namespace assay::ifeval {
namespace {

constexpr std::string_view kAsciiMarks = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";  // Python's string.punctuation

bool is_mark(char c) { return kAsciiMarks.find(c) != std::string_view::npos; }

// Pieces of a text that must not be blank, but for the first and the last, which then do not count. No value: one of the others is.
std::optional<std::vector<std::string_view>> solid_pieces(std::string_view text, std::string_view divider) {
  const auto pieces = python::split(text, divider);
  std::vector<std::string_view> solid;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (!python::is_blank(pieces[i])) solid.push_back(pieces[i]);
    else if (i != 0 && i + 1 != pieces.size()) return std::nullopt;
  }
  return solid;
}

// English and French: the first word up to a mark, quotes before it aside.
bool begins_with_word(std::string_view paragraph, const std::string& wanted) {
  std::string_view word = python::split(paragraph).front();
  for (const char quote : {'\'', '"'}) {
    while (word.starts_with(quote)) word.remove_prefix(1);
  }
  return python::lower(word.substr(0, word.find_first_of(".,?!'\""))) == wanted;
}

// Spanish: as many first words as are asked for, all ASCII marks taken out of them.
bool begins_with_words(std::string_view paragraph, const std::string& wanted) {
  const auto words = python::split(paragraph), expected = python::split(wanted);
  if (words.size() < expected.size()) return false;
  return std::equal(expected.begin(), expected.end(), words.begin(), [](std::string_view want, std::string_view word) {
    std::string bare(word);
    std::erase_if(bare, is_mark);
    return python::lower(bare) == want;
  });
}

constexpr std::array<std::string_view, 3> kEnglishOptions = {"My answer is yes.", "My answer is no.", "My answer is maybe."};
constexpr std::array<std::string_view, 3> kFrenchOptions = {"Oui.", "Non.", "Peut-être."};
constexpr std::array<std::string_view, 3> kSpanishOptions = {"Sí.", "No.", "Quizás."};

const std::array<std::string_view, 3>& options_of(TextLanguage language) {
  switch (language) {
    case TextLanguage::english:
      return kEnglishOptions;
    case TextLanguage::french:
      return kFrenchOptions;
    case TextLanguage::spanish:
      return kSpanishOptions;
  }
  return kEnglishOptions;
}

}  // namespace

bool holds(std::int64_t n, const Instruction& instruction) {
  switch (instruction.relation) {
    case CountRelation::less_than:
      return n < instruction.number;
    case CountRelation::at_least:
      return n >= instruction.number;
    case CountRelation::at_most:
      return n <= instruction.number;
  }
  return false;
}

bool has_paragraphs(const Instruction& instruction, std::string_view response) {
  const auto paragraphs = solid_pieces(response, "***");
  return paragraphs && static_cast<std::int64_t>(paragraphs->size()) == instruction.number;
}

bool has_first_word(const Instruction& instruction, std::string_view response) {
  ASSAY_CHECK(instruction.nth >= 1);
  const auto paragraphs = python::split(response, "\n\n");
  const auto solid = std::count_if(paragraphs.begin(), paragraphs.end(), [](std::string_view p) { return !python::is_blank(p); });
  if (solid != instruction.number || instruction.nth > solid) return false;
  // The n-th of all paragraphs, blank ones included, as the original takes it.
  const std::string_view paragraph = paragraphs[static_cast<std::size_t>(instruction.nth - 1)];
  if (python::is_blank(paragraph)) return false;
  const std::string wanted = python::lower(instruction.text);
  return instruction.language == TextLanguage::spanish ? begins_with_words(paragraph, wanted) : begins_with_word(paragraph, wanted);
}

bool has_sentences(const Instruction& instruction, std::string_view response) {
  return holds(count_sentences(response, instruction.language), instruction);
}

bool has_words(const Instruction& instruction, std::string_view response) { return holds(count_words(response), instruction); }

bool gives_option(const Instruction& instruction, std::string_view response) {
  const auto& options = options_of(instruction.language);
  return std::any_of(options.begin(), options.end(), [&](std::string_view o) { return response.find(o) != std::string_view::npos; });
}

bool gives_two_responses(const Instruction&, std::string_view response) {
  const auto responses = solid_pieces(response, "******");
  return responses && responses->size() == 2 && python::strip((*responses)[0]) != python::strip((*responses)[1]);
}

bool repeats_prompt(const Instruction& instruction, std::string_view response) {
  return python::lower(python::strip(response)).starts_with(python::lower(python::strip(instruction.text)));
}

bool ends_with_phrase(const Instruction& instruction, std::string_view response) {
  std::string end = python::lower(python::strip(python::strip(response), "\""));
  if (instruction.language == TextLanguage::spanish && end.ends_with('.')) end.pop_back();
  return end.ends_with(python::lower(python::strip(instruction.text)));
}

}  // namespace assay::ifeval
