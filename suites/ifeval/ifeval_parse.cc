#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/json.h"
#include "reference/text/utf8.h"
#include "suites/ifeval/ifeval.h"
#include "suites/ifeval/ifeval_checks.h"
#include "suites/python_text.h"
#include "suites/regex.h"

namespace assay {
namespace {

constexpr std::size_t kMaxInstructionBytes = std::size_t{1} << 20;  // published items have below 4 KiB
constexpr std::size_t kMaxInstructions = 64, kMaxWords = 256;       // of a prompt; published prompts have 3 and 6
constexpr std::size_t kMaxPatternBytes = 4096;
constexpr std::int64_t kMaxNumber = 1'000'000'000;

struct NamedRelation {
  std::string_view name;
  CountRelation relation;
};
constexpr NamedRelation kRelations[] = {{"less than", CountRelation::less_than}, {"at least", CountRelation::at_least}, {"moins de", CountRelation::less_than},
                                        {"au moins", CountRelation::at_least},   {"al menos", CountRelation::at_least}, {"como máximo", CountRelation::at_most}};

class InstructionReader {
 public:
  InstructionReader(std::string_view file, const std::string& id, const Json& arguments) : file_(file), arguments_(arguments) { out_.id = id; }

  Result<Instruction> read() {
    ASSAY_OK(find_kind());
    if (!arguments_.is_object()) return wrong("kwargs", "an object of arguments");
    ASSAY_OK(check_names());
    ASSAY_OK(read_number());
    ASSAY_OK(read_relation());
    ASSAY_OK(read_text());
    ASSAY_OK(read_words());
    ASSAY_OK(read_extras());
    ASSAY_OK(check_patterns());
    return std::move(out_);
  }

 private:
  Error wrong(std::string_view field, std::string_view expected) const {
    const Json* value = member(field);
    return Error{.code = value == nullptr ? Code::missing_field : Code::bad_value,
                 .message = fmt::format("an argument of instruction {} cannot be used", out_.id),
                 .file = std::string(file_),
                 .field = std::string(field),
                 .expected = std::string(expected),
                 .got = value == nullptr ? "nothing" : dump_json(*value).substr(0, 80)};
  }

  // Data sets that came through tables have every argument in every object, null where it is not meant.
  const Json* member(std::string_view name) const {
    if (!arguments_.is_object()) return nullptr;
    const auto at = arguments_.find(name);
    return at == arguments_.end() || at->is_null() ? nullptr : &*at;
  }

  Status find_kind() {
    std::string_view name = out_.id, language = "en";
    if (name.size() > 3 && name[2] == ':') {
      language = name.substr(0, 2);
      name.remove_prefix(3);
    }
    const auto& kinds = instruction_kinds();
    const auto at = std::find_if(kinds.begin(), kinds.end(), [&](const InstructionKind& k) {
      return k.name == name && k.languages.find(language) != std::string_view::npos;
    });
    if (at == kinds.end()) {
      return Error{.code = Code::unsupported, .message = "there is no checker for this instruction", .file = std::string(file_),
                   .field = "instruction_id_list", .got = out_.id.substr(0, 80)};
    }
    out_.kind = &*at;
    out_.language = language == "fr" ? TextLanguage::french : language == "es" ? TextLanguage::spanish : TextLanguage::english;
    return {};
  }

  bool is_extra(std::string_view name) const {
    if (out_.kind->name == "length_constraints:nth_paragraph_first_word") return name == "nth_paragraph";
    if (out_.kind->name == "special_character:accents") return name == "word_to_accentuate";
    return name == "relation" && out_.language == TextLanguage::spanish;  // there beside arguments that are always "at least"
  }

  Status check_names() const {
    const InstructionKind& kind = *out_.kind;
    for (const auto& [name, value] : arguments_.items()) {
      const bool known = name == kind.number || name == kind.relation || name == kind.text || name == kind.words || is_extra(name);
      if (!known && !value.is_null()) return wrong(name, "an argument of this instruction; misspelt?");
    }
    return {};
  }

  Result<std::int64_t> integer(std::string_view name, std::int64_t low) const {
    const Json* value = member(name);
    // Tables turn integers with gaps into fractions: 3.0 is 3.
    const bool whole = value != nullptr && value->is_number() && value->get<double>() == std::floor(value->get<double>());
    if (!whole || value->get<double>() < static_cast<double>(low) || value->get<double>() > static_cast<double>(kMaxNumber))
      return wrong(name, fmt::format("an integer from {} on", low));
    return static_cast<std::int64_t>(value->get<double>());
  }

  Result<std::string> text(std::string_view name) const {
    const Json* value = member(name);
    if (value == nullptr || !value->is_string() || value->get_ref<const std::string&>().empty()) return wrong(name, "a text");
    return value->get<std::string>();
  }

  Status read_number() {
    if (out_.kind->number.empty()) return {};
    ASSAY_TRY(out_.number, integer(out_.kind->number, 0));
    return {};
  }

  Status read_relation() {
    if (out_.kind->relation.empty()) return {};
    ASSAY_TRY(const std::string name, text(out_.kind->relation));
    const auto at = std::find_if(std::begin(kRelations), std::end(kRelations), [&](const NamedRelation& r) { return r.name == name; });
    if (at == std::end(kRelations)) return wrong(out_.kind->relation, "less than, at least, moins de, au moins, al menos, como máximo");
    out_.relation = at->relation;
    return {};
  }

  Status read_text() {
    if (out_.kind->text.empty()) return {};
    ASSAY_TRY(out_.text, text(out_.kind->text));
    // The originals strip what they paste into a pattern or compare with an end.
    const bool stripped = out_.kind->text == "section_spliter" || out_.kind->text == "postscript_marker" || out_.kind->text == "keyword" ||
                          out_.kind->text == "end_phrase";
    if (stripped) out_.text = std::string(python::strip(out_.text));
    if (out_.text.empty()) return wrong(out_.kind->text, "more than blanks");
    return {};
  }

  Status read_words() {
    if (out_.kind->words.empty()) return {};
    const Json* list = member(out_.kind->words);
    if (list == nullptr || !list->is_array() || list->empty() || list->size() > kMaxWords) return wrong(out_.kind->words, "an array of texts");
    for (const auto& word : *list) {
      if (!word.is_string() || word.get_ref<const std::string&>().empty()) return wrong(out_.kind->words, "an array of texts");
      out_.words.push_back(word.get<std::string>());
    }
    return {};
  }

  Status read_extras() {
    if (is_extra("nth_paragraph")) {
      ASSAY_TRY(out_.nth, integer("nth_paragraph", 1));
      if (out_.nth > out_.number) return wrong("nth_paragraph", "at most num_paragraphs");
    }
    if (!is_extra("word_to_accentuate")) return {};
    const Json* pairs = member("word_to_accentuate");
    if (pairs == nullptr || !pairs->is_object() || pairs->size() > kMaxWords) return wrong("word_to_accentuate", "an object of texts");
    for (const auto& [bare, right] : pairs->items()) {
      if (!right.is_string()) return wrong("word_to_accentuate", "an object of texts");
      out_.spellings.emplace_back(bare, right.get<std::string>());
    }
    return {};
  }

  Status check_pattern(const std::string& pattern) const {
    if (pattern.size() > kMaxPatternBytes) return Error{.code = Code::too_large, .message = "a keyword is longer than it may be", .file = std::string(file_), .field = out_.id};
    auto compiled = Regex::compile(pattern, file_);
    if (!compiled.ok()) return std::move(compiled).error();
    return {};
  }

  Status check_patterns() const {
    const std::string_view name = out_.kind->name;
    if (name == "detectable_format:multiple_sections") return check_pattern(ifeval::section_pattern(out_));
    if (name == "detectable_content:postscript") return check_pattern(ifeval::postscript_pattern(out_));
    if (name == "keywords:frequency") return check_pattern(ifeval::keyword_pattern(out_.text));
    for (const auto& word : out_.words) {
      ASSAY_OK(check_pattern(name == "keywords:existence" ? ifeval::keyword_pattern(word) : ifeval::whole_word_pattern(word)));
    }
    return {};
  }

  std::string_view file_;
  const Json& arguments_;
  Instruction out_;
};

Error bad_document(std::string_view file, std::string_view field, std::string_view expected) {
  return Error{.code = Code::bad_value, .message = "the instructions of a prompt cannot be read", .file = std::string(file), .field = std::string(field),
               .expected = std::string(expected)};
}

}  // namespace

Result<std::vector<Instruction>> parse_instructions(std::string_view json, std::string_view file) {
  ASSAY_TRY(const Json document, parse_json(json, file, {.max_bytes = kMaxInstructionBytes}));
  const auto array = [&](const char* name) -> const Json* {
    const auto at = document.is_object() ? document.find(name) : document.end();
    return at == document.end() || !at->is_array() ? nullptr : &*at;
  };
  const Json *ids = array("instruction_id_list"), *arguments = array("kwargs");
  if (ids == nullptr || arguments == nullptr) return bad_document(file, "instruction_id_list", "instruction_id_list and kwargs, two arrays");
  if (ids->empty() || ids->size() > kMaxInstructions || ids->size() != arguments->size())
    return bad_document(file, "kwargs", fmt::format("1 to {} instructions with as many kwargs", kMaxInstructions));
  std::vector<Instruction> out;
  for (std::size_t i = 0; i < ids->size(); ++i) {
    if (!(*ids)[i].is_string()) return bad_document(file, "instruction_id_list", "texts");
    ASSAY_TRY(Instruction one, InstructionReader(file, (*ids)[i].get<std::string>(), (*arguments)[i]).read());
    out.push_back(std::move(one));
  }
  ASSAY_CHECK(out.size() == ids->size());
  return out;
}

}  // namespace assay
