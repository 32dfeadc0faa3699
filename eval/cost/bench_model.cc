#include "eval/cost/bench_model.h"

#include <fmt/format.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <regex>

#include "base/check.h"
#include "base/progress.h"
#include "base/rng.h"
#include "reference/model/random_model.h"
#include "reference/model/tensors.h"

namespace assay {
namespace {

using BenchClock = std::chrono::steady_clock;
double seconds_from(BenchClock::time_point start) {
  return std::chrono::duration<double>(BenchClock::now() - start).count();
}

double quantile_of(std::vector<double> values, double q) {
  ASSAY_CHECK(!values.empty());
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1) + 0.5)];
}

// A folder that goes when the measurement ends.
class BenchFolder {
 public:
  static Result<BenchFolder> make() {
    std::string name = (std::filesystem::temp_directory_path() / "assay-bench-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      return Error{.code = Code::io, .message = "cannot make a temporary folder", .file = name};
    return BenchFolder(name);
  }
  BenchFolder(BenchFolder&& other) noexcept { path_.swap(other.path_); }
  BenchFolder& operator=(BenchFolder&&) = delete;
  ~BenchFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  explicit BenchFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// What one side measured, repetition by repetition.
struct WholeTimes {
  std::vector<double> seconds, fractions;
};

BenchRow row_of(const std::string& kernel, const std::string& shape, int threads, const WholeTimes& samples) {
  BenchRow row;
  row.kernel = kernel;
  row.shape = shape;
  row.threads = threads;
  row.seconds_p50 = quantile_of(samples.seconds, 0.5);
  row.spread = (quantile_of(samples.seconds, 0.9) - quantile_of(samples.seconds, 0.1)) / row.seconds_p50;
  row.repetitions = static_cast<std::int64_t>(samples.seconds.size());
  row.fraction_of_limit = quantile_of(samples.fractions, 0.5);
  return row;
}

std::vector<std::int32_t> random_ids(std::int64_t n, std::int64_t vocabulary) {
  Stream random(7);
  std::vector<std::int32_t> ids(static_cast<std::size_t>(n));
  for (auto& id : ids) id = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(vocabulary)));
  return ids;
}

// Bytes of a number as the engine keeps it (reference/model/packed_weights.h).
double kept_bytes(Format format) {
  switch (format) {
    case Format::BF16:
    case Format::F16:
      return 2;
    case Format::Q8_0:
      return 1.125;  // with its scales
    case Format::F8_E4M3:
    case Format::F8_E5M2:
      return 1;
    case Format::F4:
    case Format::U8:
      return 0.5;
    default:
      return 4;
  }
}

// Weights that one token reads: all but the embedding, of the experts those that are chosen; the head is the embedding where tied.
double read_per_token(const Engine& engine) {
  const ModelConfig& c = engine.config();
  double bytes = 0;
  for (const TensorSpec& spec : tensors_of(c)) {
    if (spec.role == TensorRole::embedding && !c.tie_word_embeddings) continue;
    double numbers = 1;
    for (const std::int64_t extent : spec.shape) numbers *= static_cast<double>(extent);
    if (spec.expert >= 0 || spec.all_experts)
      numbers *= static_cast<double>(c.router.n_chosen) / static_cast<double>(c.router.n_experts);
    const TensorView* const view = engine.checkpoint().find(spec.name);
    bytes += numbers * (view == nullptr ? 4 : kept_bytes(view->format));
  }
  return bytes;
}

// One engine with a number of threads, and the limits of as many.
class MeasuredEngine {
 public:
  static Result<MeasuredEngine> make(const std::string& folder, EngineOptions options, int threads) {
    options.threads = threads;
    ASSAY_TRY(auto engine, Engine::load(folder, options));
    ASSAY_TRY(LimitProbe probe, LimitProbe::make(threads));
    return MeasuredEngine(std::move(engine), std::move(probe), threads);
  }

  Status prefill(std::int64_t n_tokens) {
    const std::vector<ScoreRequest> request = {
        {.ids = random_ids(n_tokens + 1, vocabulary()), .scored_from = n_tokens}};
    const double before = probe_.flops_per_s();
    const auto start = BenchClock::now();
    ASSAY_TRY(const auto answers, engine_->score(request));
    const double seconds = seconds_from(start), after = probe_.flops_per_s();
    ASSAY_CHECK(answers.size() == 1);
    prefill_.seconds.push_back(seconds);
    prefill_.fractions.push_back(static_cast<double>(n_tokens) * flops_per_token() / seconds /
                                 ((before + after) / 2));
    return {};
  }

  // From the first token to the last: the prompt is none of it.
  Status decode(std::int64_t n_tokens) {
    GenerateRequest request;
    request.ids = random_ids(8, vocabulary());
    BenchClock::time_point first, last;
    GenerateOptions options;
    options.max_tokens = n_tokens + 1;
    options.token = [&, seen = false](const GeneratedToken&) mutable {
      last = BenchClock::now();
      if (!seen) first = last;
      seen = true;
    };
    const double before = probe_.bytes_per_s();
    ASSAY_TRY(const auto answers, engine_->generate({&request, 1}, options));
    const double after = probe_.bytes_per_s();
    ASSAY_CHECK(answers.size() == 1 && static_cast<std::int64_t>(answers[0].ids.size()) == n_tokens + 1);
    const double seconds =
        std::chrono::duration<double>(last - first).count() / static_cast<double>(n_tokens);
    decode_.seconds.push_back(seconds);
    decode_.fractions.push_back(bytes_per_token() / seconds / ((before + after) / 2));
    return {};
  }

  void forget() {
    prefill_ = {};
    decode_ = {};
  }

  void add_rows(std::int64_t prompt, std::int64_t generated, std::vector<BenchRow>& rows) const {
    BenchRow p = row_of("prefill", fmt::format("{} tokens", prompt), threads_, prefill_);
    p.flops = static_cast<std::int64_t>(static_cast<double>(prompt) * flops_per_token());
    p.limit_name = "fp32 FMA peak";
    p.tokens = static_cast<double>(prompt);
    BenchRow d = row_of("decode", fmt::format("1 token of {}", generated), threads_, decode_);
    d.bytes = static_cast<std::int64_t>(bytes_per_token());
    d.flops = static_cast<std::int64_t>(flops_per_token());
    d.limit_name = "read bandwidth";
    d.tokens = 1;
    for (BenchRow* row : {&p, &d}) {
      row->isa = probe_.isa();
      rows.push_back(*row);
    }
  }

  double last_prefill_seconds() const { return prefill_.seconds.back(); }

 private:
  MeasuredEngine(std::unique_ptr<Engine> engine, LimitProbe probe, int threads)
      : engine_(std::move(engine)),
        probe_(std::move(probe)),
        threads_(threads),
        counts_(count_model(engine_->config())) {}

  std::int64_t vocabulary() const { return engine_->config().vocab_size; }
  double head_weights() const {
    return static_cast<double>(vocabulary()) * static_cast<double>(engine_->config().hidden_size);
  }
  double flops_per_token() const {
    return static_cast<double>(counts_.forward_flops_per_token) - 2 * head_weights();
  }
  double bytes_per_token() const { return read_per_token(*engine_); }

  std::unique_ptr<Engine> engine_;
  LimitProbe probe_;
  int threads_;
  ModelCounts counts_;
  WholeTimes prefill_, decode_;
};

// The other program: its rate in tokens a second, by its own word or by the clock.
Result<double> run_other(const WholeRequest& request) {
  constexpr std::size_t kMostOutput = 1 << 20;
  const auto failed = [&](const char* why, const std::string& got) {
    return Error{.code = Code::unsupported,
                 .message = why,
                 .field = "--against",
                 .expected = request.against_rate,
                 .got = got};
  };
  const auto start = BenchClock::now();
  FILE* const pipe = ::popen(request.against.c_str(), "r");
  if (pipe == nullptr) return failed("the other program cannot be started", request.against);
  std::string text;
  char buffer[4096];
  for (std::size_t n = 0; (n = ::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    if (text.size() < kMostOutput) text.append(buffer, n);
  }
  const int status = ::pclose(pipe);
  const double seconds = seconds_from(start);
  if (status != 0)
    return failed("the other program failed",
                  fmt::format("status {}", WIFEXITED(status) ? WEXITSTATUS(status) : status));
  if (request.against_rate.empty()) return static_cast<double>(request.prompt_tokens) / seconds;
  try {
    std::smatch found;
    if (!std::regex_search(text, found, std::regex(request.against_rate)) || found.size() < 2)
      return failed("the other program prints no such rate", text.substr(0, 200));
    const double rate = std::strtod(found[1].str().c_str(), nullptr);
    if (rate > 0) return rate;
    return failed("the other program's rate is no number above 0", found[1].str());
  } catch (const std::regex_error&) {
    return failed("--against-rate is not a regular expression", request.against_rate);
  }
}

Status repeat_all(const WholeRequest& request, std::vector<MeasuredEngine>& sides, WholeTimes& other) {
  Progress progress("bench", static_cast<std::size_t>(request.repetitions) + 1, "repetitions", request.quiet);
  for (int i = 0; i <= request.repetitions; ++i, progress.add()) {  // the first one warms everything up
    if (stop_requested())
      return Error{.code = Code::interrupted, .message = "stopped while measuring; nothing was stored"};
    for (MeasuredEngine& side : sides) {
      if (i == 1) side.forget();
      ASSAY_OK(side.prefill(request.prompt_tokens));
      ASSAY_OK(side.decode(request.generated_tokens));
    }
    if (request.against.empty() || i == 0) continue;
    ASSAY_TRY(const double rate, run_other(request));
    const double seconds = static_cast<double>(request.prompt_tokens) / rate;
    other.seconds.push_back(seconds);
    other.fractions.push_back(seconds / sides[0].last_prefill_seconds());
  }
  return {};
}

}  // namespace

Result<BenchReport> bench_whole(const WholeRequest& request) {
  ASSAY_CHECK(request.repetitions >= 1 && request.prompt_tokens >= 1 && request.generated_tokens >= 1);
  std::string folder = request.model, name = std::filesystem::path(request.model).filename().string();
  std::optional<BenchFolder> made;
  if (const RandomShape* const shape = find_random_shape(request.model)) {
    ASSAY_TRY(BenchFolder temporary, BenchFolder::make());
    made.emplace(std::move(temporary));
    folder = made->path();
    ASSAY_OK(write_random_model(shape->config, folder, 1));
  }
  const int threads = std::max(1, request.engine.threads);
  std::vector<MeasuredEngine> sides;
  for (const int n : {threads, 1}) {
    if (!sides.empty() && (!request.scaling || threads == 1)) break;
    ASSAY_TRY(MeasuredEngine side, MeasuredEngine::make(folder, request.engine, n));
    sides.push_back(std::move(side));
  }
  BenchReport report;
  ASSAY_TRY(report.machine, this_device());
  const ProcessorTicks before = processor_ticks();
  WholeTimes other;
  ASSAY_OK(repeat_all(request, sides, other));
  report.steal_fraction = steal_since(before);
  for (const MeasuredEngine& side : sides)
    side.add_rows(request.prompt_tokens, request.generated_tokens, report.rows);
  if (!other.seconds.empty()) {
    report.rows.push_back(row_of("other", fmt::format("{} tokens", request.prompt_tokens), threads, other));
    report.rows.back().flops = report.rows[0].flops;
    report.rows.back().tokens = report.rows[0].tokens;
    report.rows.back().limit_name = "times its rate here";
    report.rows.back().isa = "other";
  }
  for (BenchRow& row : report.rows)
    row.what_for = "whole " + name;  // the cost model sums up what is for `name`
  return report;
}

}  // namespace assay
