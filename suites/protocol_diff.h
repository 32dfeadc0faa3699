// How two protocols differ: in their definitions, field by field, and in what an item is asked, on the first item where it shows.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "suites/suite.h"

namespace assay {

struct FieldDifference {
  std::string field;  // "sampling.temperature"
  std::string a, b;   // as JSON; "" where a definition does not say it, which means the default
};

// Where two texts part: what stands around the first byte that differs.
struct TextDifference {
  std::size_t offset = 0;  // bytes
  std::string a, b;        // up to kDiffContext bytes before and after, cut between characters
};
inline constexpr std::size_t kDiffContext = 60;

struct PromptDifference {
  std::string item;  // its id
  std::string part;  // prompt, continuation 2, context 1, unconditional, examples shown, order of options
  TextDifference texts;
};

struct ProtocolDifference {
  std::vector<FieldDifference> fields;
  std::int64_t items_compared = 0;  // with the same question and options in both suites
  std::int64_t items_differing = 0;
  std::optional<PromptDifference> first;
};

// Items are compared where both suites have them loaded, matched by id where the suites are one, else by their digest. A chat template
// is stood for by "<role>\n…</role>\n", so that two protocols differ where their turns do.
Result<ProtocolDifference> compare_protocols(const Suite& a, const Protocol& pa, const Suite& b, const Protocol& pb);

// No value: the same bytes.
std::optional<TextDifference> text_difference(const std::string& a, const std::string& b);

}  // namespace assay
