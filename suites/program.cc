#include "suites/program.h"

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "suites/render.h"

namespace assay {
namespace {

constexpr std::string_view kFence = "```";

bool defines_something(std::string_view code) {
  return code.starts_with("def ") || code.starts_with("class ") || code.find("\ndef ") != std::string_view::npos || code.find("\nclass ") != std::string_view::npos;
}

// "def name(" at the beginning of a line, or npos.
std::size_t definition_of(std::string_view code, std::string_view name, bool last) {
  std::size_t found = std::string_view::npos;
  const std::string head = "def " + std::string(name);
  for (std::size_t at = code.find(head); at != std::string_view::npos; at = code.find(head, at + 1)) {
    const std::size_t end = code.find_first_not_of(' ', at + head.size());
    const bool line_begins = at == 0 || code[at - 1] == '\n';
    if (!line_begins || end == std::string_view::npos || code[end] != '(') continue;
    found = at;
    if (!last) break;
  }
  return found;
}

std::string_view cut_at_stops(std::string_view code, const std::vector<std::string>& stops) {
  for (const std::string& stop : stops) code = code.substr(0, code.find(stop));
  return code;
}

std::string solution_of(const Protocol& protocol, const Item& item, std::string_view code) {
  const auto entry = item.field("entry_point");
  if (!entry) return std::string(cut_at_stops(code, protocol.stops));
  if (definition_of(code, *entry, false) == std::string_view::npos) return item.question + std::string(cut_at_stops(code, protocol.stops));
  const std::size_t own = definition_of(item.question, *entry, true);
  return item.question.substr(0, own == std::string_view::npos ? 0 : own) + std::string(code);
}

}  // namespace

std::string_view find_code(std::string_view output) {
  // A body that goes on where the prompt ended: a fence there closes what the prompt opened.
  const auto begin = output.find_first_not_of("\r\n");
  if (begin != std::string_view::npos && (output[begin] == ' ' || output[begin] == '\t')) return output.substr(0, output.find(kFence));
  std::string_view first;
  bool any = false;
  for (std::size_t open = output.find(kFence); open != std::string_view::npos;) {
    const std::size_t line = output.find('\n', open);  // the language stands behind the fence
    if (line == std::string_view::npos) break;
    const std::size_t close = output.find(kFence, line);
    std::string_view block = output.substr(line + 1, close == std::string_view::npos ? close : close - std::min(close, line + 1));
    if (defines_something(block)) return block;
    if (!any) first = block;
    any = true;
    if (close == std::string_view::npos) break;
    open = output.find(kFence, close + kFence.size());
  }
  return any ? first : output;
}

Result<ProgramTest> program_test(const Protocol& protocol, const Item& item, std::string_view code) {
  ASSAY_CHECK(!protocol.tests.empty());
  ProgramTest test;
  test.solution = solution_of(protocol, item, code);
  ASSAY_TRY(test.tests, render_text(protocol.tests, item));
  return test;
}

}  // namespace assay
