#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/statistics.h"

namespace assay::cli {
namespace {

constexpr const char* kExamples =
    "  echo '{\"k\": 382, \"n\": 500, \"method\": \"clopper-pearson\"}' > in.json; assay stats proportion "
    "--in in.json\n"
    "  echo '{\"published\": \"89.3\", \"n\": 1319}' > in.json; assay stats possible --in in.json\n"
    "  echo '{\"p0\": 0.764, \"p1\": 0.858, \"alpha\": 0.05, \"power\": 0.8, \"alternative\": \"greater\"}' "
    "> in.json;"
    " assay stats power --in in.json\n"
    "Names and keys (the result is always JSON):\n"
    "  proportion  k n level=0.95 method(clopper-pearson wilson agresti-coull) -> value low high\n"
    "  binomial    k n p0 alternative(two-sided less greater), exact   -> p\n"
    "  mcnemar     b c discordant counts, exact                        -> p\n"
    "  paired      a b cluster? level=0.95; delta is the mean of b - a -> delta se low high p_sign_flip "
    "p_normal\n"
    "  cluster     value cluster (Miller, arXiv 2411.00640)            -> mean se\n"
    "  tost        delta se margin alpha                               -> p equivalent\n"
    "  holm, bh    p                                                   -> adjusted\n"
    "  power       p0 p1 alpha power alternative(less greater), exact  -> n\n"
    "  passk       n c k                                               -> value\n"
    "  possible    published(a string) n samples=1 scale=100           -> possible nearest counts by\n"
    "  rounding    published(a string)                                 -> value rounded truncated (low high each)\n"
    "  newcombe    k1 n1 k2 n2 level=0.95, two groups                  -> delta low high\n"
    "  newcombe-paired  both first second neither level=0.95           -> delta low high\n"
    "  bootstrap   a b cluster? level=0.95 draws=10000, paired         -> delta se low high p\n"
    "  equivalence a b cluster? margin alpha, two one-sided tests      -> delta se p_above p_below p equivalent test\n"
    "  samples     n c, of each question                               -> mean se_fixed se_population sampling_variance "
    "question_variance\n"
    "  power-two   p1 p2 alpha power, two groups                       -> n in each\n"
    "  power-paired     gain loss alpha power, McNemar exact           -> n power\n"
    "  power-equivalence  margin sd delta=0 alpha power                -> n\n"
    "  power-samples    items se sampling_variance=0.25                -> samples of each\n"
    "  sequential  values(0 and 1) p0 alpha, stop at any time          -> looked right p decided low high";

}  // namespace

void add_stats(Cli& cli) {
  CLI::App& app = cli.command("stats", "the statistics library by itself", kExamples);
  struct StatsOptions {
    std::string name, in;
  };
  const auto options = std::make_shared<StatsOptions>();
  app.add_option("name", options->name, "which statistic")->required();
  app.add_option("--in", options->in, "file with one JSON document")->required();
  cli.on_run(app, [options, &cli]() -> Result<int> {
    ASSAY_TRY(const Json in, read_json_file(options->in));
    ASSAY_TRY(const Json out, run_statistic(options->name, in, options->in, cli.globals().seed));
    print_result(cli.globals(), out, dump_json(out));
    return kFine;
  });
}

}  // namespace assay::cli
