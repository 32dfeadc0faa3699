// Programs that are waiting for their verdict, run in the sandbox on several threads.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "eval/runs/sandbox.h"
#include "suites/score.h"

namespace assay {

// Settles every score that holds a program; the others are left alone. Where there is no sandbox all of them are faults, with the reason.
// Which thread runs a program changes nothing.
void judge_programs(const std::vector<ItemScore*>& scores, int threads);

// Likewise by `run` instead of the sandbox of this machine.
using RunProgram = std::function<ProgramOutcome(const ProgramTest&)>;
void judge_programs(const std::vector<ItemScore*>& scores, int threads, const RunProgram& run);

}  // namespace assay
