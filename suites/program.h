// Answers that are programs: what has to be run to judge one, and what an outcome means. Nothing is run here: who can
// (eval/runs/sandbox.h) takes the test of an ItemScore and settles it.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "suites/suite.h"

namespace assay {

// Python: `solution` is executed first, then, in the same module, `tests`, which raise where it is wrong.
struct ProgramTest {
  std::string solution, tests;
};

enum class ProgramVerdict : std::uint8_t {
  passed,
  failed,  // an exception, a limit on CPU time or memory, an end before the tests were through
  fault,   // nothing was learnt about the program: no sandbox, no python3, a machine too slow
};

struct ProgramOutcome {
  ProgramVerdict verdict = ProgramVerdict::fault;
  std::string why;  // one clause
};

// Code in what a model wrote: the first ``` block that defines something, else the first one, else everything. A block that
// does not end goes to the end. Indentation is kept.
std::string_view find_code(std::string_view output);

// The test of a protocol with `tests` for code that was extracted. Code that defines the item's `entry_point` stands after what
// the prompt has before that definition (imports, helpers); other code continues the prompt, up to the first stop string. Items
// without an entry point (MBPP) take the code as it is.
Result<ProgramTest> program_test(const Protocol& protocol, const Item& item, std::string_view code);

}  // namespace assay
