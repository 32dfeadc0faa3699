// IFEval: does a response follow the instructions of its prompt? The rules are those of google-research instruction_following_eval (Zhou et al.
// 2023, arXiv 2311.07911; English, 25 instructions) and of M-IFEval (Dussolle et al. 2025, arXiv 2502.04688; French and Spanish, with 5 and 5 of
// their own). An id is "keywords:existence", or with its language "fr:keywords:existence"; without one it is English.
//
// The official rules are kept where they surprise:
//   - keywords, forbidden words, section names and postscript markers are regular expressions, as the originals paste them into one;
//   - French `language:response_language` with "zh" can never be followed: langdetect says zh-cn or zh-tw;
//   - a text whose language cannot be told counts as written in the right one;
//   - Spanish: an end phrase may have one full stop after it, the first words of a paragraph are compared without ASCII marks, only "*" makes a bullet.
// Where the original draws its rule at random, ours is fixed: a "letter" that is none of a to z (English keys 1122 "#" and 1129 "!") is counted as it
// stands. Published labels of those prompts differ from run to run.
// The language of capital text is told from its folded letters in all three languages; in English the original gives langdetect the capitals, which then sees
// little more than first letters.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "suites/ifeval/sentences.h"
#include "suites/score.h"

namespace assay {

enum class CountRelation : std::uint8_t { less_than, at_least, at_most };

struct Instruction;
using InstructionCheck = bool (*)(const Instruction& instruction, std::string_view response);

// One row of the table of checkers: the name, where it exists, the names of its arguments ("": has none), the check.
struct InstructionKind {
  std::string_view name;
  std::string_view languages;  // of "en fr es"
  std::string_view number, relation, text, words;
  InstructionCheck check;
};

struct Instruction {
  std::string id;
  const InstructionKind* kind = nullptr;
  TextLanguage language = TextLanguage::english;
  std::int64_t number = 0, nth = 0;  // nth: only of nth_paragraph_first_word
  CountRelation relation = CountRelation::at_least;
  std::string text;
  std::vector<std::string> words;
  std::vector<std::pair<std::string, std::string>> spellings;  // only of special_character:accents: bare -> right
};

const std::vector<InstructionKind>& instruction_kinds();

// {"instruction_id_list": [...], "kwargs": [{...}, ...]}, members of kwargs that are null count as absent. Refused: unknown ids and arguments, missing ones,
// patterns that do not compile, lists of different lengths.
Result<std::vector<Instruction>> parse_instructions(std::string_view json, std::string_view file = {});

// Linear in the response for a given instruction; a pattern that passes its limit of steps has no match.
bool follows(const Instruction& instruction, std::string_view response);

struct Followed {
  bool strict = false;  // the response as it is
  bool loose = false;   // or without "*", first line, last line, or any of these together
};
// An empty response follows nothing.
std::vector<Followed> check_instructions(const std::vector<Instruction>& instructions, std::string_view response);

// `gold` of the item are the instructions as JSON. `correct` is strict_prompt; `extracted` holds the verdicts as JSON, so that every metric can
// be derived from the row. Not judged: an item without instructions.
ItemScore score_instructions(const Item& item, std::string_view output);
// The same from verdicts that somebody else gave; `names` may be empty.
ItemScore score_followed(const std::vector<Followed>& followed, const std::vector<std::string>& names);

}  // namespace assay
