// The tables of published figures that projects keep beside their stored outputs, each in its own form.
#pragma once
#include <string>
#include <vector>

#include "eval/replay/replay.h"

namespace assay {

// published/SUITE.summary.json of WildEval/ZeroEval, for the suite's folder and its folders of other modes.
std::vector<PublishedFigure> zeroeval_figures(const ReplayResult& result);
// FILE_eval_metrics.jsonl of suzgunmirac/BIG-Bench-Hard. Its accuracy_with_calc is of answers that a calculator redid: not of these outputs.
std::vector<PublishedFigure> bbh_figures(const ReplayResult& result);
// published_average_scores.txt of cpldcpu/MisguidedAttention: model, tab, score of 0 to 1.
std::vector<PublishedFigure> misguided_attention_figures(const ReplayResult& result);
// published_score.json of allenai/WildBench; its task_macro_score needs the items' categories, which the outputs lack.
std::vector<PublishedFigure> wildbench_figures(const ReplayResult& result);
// published_evalperf_combined.json of evalplus.github.io.
std::vector<PublishedFigure> evalperf_figures(const ReplayResult& result);
// The table of README.upstream.md or README.md of TIGER-AI-Lab/MMLU-Pro. Its scores hold one draw of letters: one that lies between our
// worst and best draw agrees.
std::vector<PublishedFigure> mmlu_pro_figures(const ReplayResult& result);

}  // namespace assay
