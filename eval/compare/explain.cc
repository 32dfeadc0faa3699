#include "eval/compare/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "base/parallel.h"
#include "base/progress.h"
#include "eval/compare/explain_other.h"
#include "eval/runs/logits_run.h"
#include "reference/model/conventions.h"
#include "reference/model/oracle.h"
#include "reference/model/tensors.h"
#include "reference/weights/locate.h"

namespace assay {
namespace {

using Switches = std::vector<std::string>;

constexpr double kMaxOracleWork = 4e9;  // parameters times tokens of one attempt: a few seconds in f64
constexpr std::int64_t kParallelParams =
    16 << 20;                              // above that, attempts do not hold their f64 weights side by side
constexpr std::int64_t kShortTokens = 64;  // of the selection on which most attempts are measured
constexpr double kF32Error =
    2e-5;  // what a float32 run errs in units of the logits' spread: the bar of our own
constexpr double kLambda = 4, kRoundingsPerLayer = 6;  // see tolerance_of
// A reading with more switches is preferred where it is this much closer than one with fewer that also fits.
constexpr double kClearlyCloser = 100;
constexpr double kF64Floor = 1e-9;  // of the largest logit: differences below are all rounding

// What attempts are measured on: prompts, possibly cut (a token does not see later ones), and the rows that count.
struct Selection {
  std::vector<std::vector<std::int32_t>> ids;
  std::vector<const OtherPrompt*> other;
  std::vector<std::size_t> n_rows;  // the first so many of other->positions
  bool all = false;
};

Selection select_all(const OtherLogits& other) {
  Selection out{.ids = {}, .other = {}, .n_rows = {}, .all = true};
  for (const OtherPrompt& prompt : other.prompts) {
    out.ids.push_back(prompt.ids);
    out.other.push_back(&prompt);
    out.n_rows.push_back(prompt.positions.size());
  }
  return out;
}

// The shortest prompts, the last of them cut, up to kShortTokens.
Selection select_short(const OtherLogits& other) {
  std::vector<const OtherPrompt*> order;
  for (const OtherPrompt& prompt : other.prompts) order.push_back(&prompt);
  std::stable_sort(order.begin(), order.end(),
                   [](const auto* a, const auto* b) { return a->ids.size() < b->ids.size(); });
  Selection out;
  std::int64_t left = kShortTokens;
  for (const OtherPrompt* prompt : order) {
    const auto n = std::min<std::int64_t>(left, static_cast<std::int64_t>(prompt->ids.size()));
    const auto rows =
        std::lower_bound(prompt->positions.begin(), prompt->positions.end(), n) - prompt->positions.begin();
    if (rows == 0) continue;
    out.ids.emplace_back(prompt->ids.begin(), prompt->ids.begin() + n);
    out.other.push_back(prompt);
    out.n_rows.push_back(static_cast<std::size_t>(rows));
    left -= n;
  }
  return out.ids.empty() ? select_all(other) : out;
}

// Errors of a forward pass in the other's numbers. float32 and float64 runs stay within kF32Error (float64 runs of
// libraries keep float32 parts); a run in 16 bits rounds kRoundingsPerLayer values of each layer one after the other on
// the residual path, each by at most u, which adds up to lambda sqrt(n) u (Higham and Mary 2019), u = 2^-9 or 2^-12.
double tolerance_of(const OtherLogits& other, std::int64_t n_layers) {
  const double exact = kF32Error * std::max(1.0, other.std);
  if (other.format == Format::F64 || other.format == Format::F32) return exact;
  const double u = other.format == Format::BF16 ? 0x1p-9 : 0x1p-12;
  return exact + kLambda * std::sqrt(kRoundingsPerLayer * static_cast<double>(n_layers)) * u * other.max_abs;
}

std::size_t argmax_of(const double* row, std::int64_t n) {
  return static_cast<std::size_t>(std::max_element(row, row + n) - row);
}

class Search {
 public:
  Search(const ExplainJob& job, ModelFiles files, const OtherLogits& other)
      : job_(job),
        files_(std::move(files)),
        other_(other),
        vocab_(files_.config.vocab_size),
        pool_(std::max(1, job.engine.threads)) {
    params_ = count_model(files_.config).params_total;
    std::int64_t tokens = 0;
    for (const OtherPrompt& prompt : other.prompts) tokens += static_cast<std::int64_t>(prompt.ids.size());
    oracle_ = job.oracle || static_cast<double>(params_) * static_cast<double>(tokens) <= kMaxOracleWork;
    out_.tolerance = job.tolerance.value_or(tolerance_of(other, files_.config.num_hidden_layers));
  }

  Result<Explanation> run() {
    whole_ = select_all(other_);
    short_ = select_short(other_);
    ASSAY_OK(try_published());
    ASSAY_OK(try_singles());
    if (fitting_.empty()) ASSAY_OK(try_pairs());
    ASSAY_OK(conclude());
    return std::move(out_);
  }

 private:
  // Logits (n_tokens, vocab) of each prompt; or why this reading cannot be run.
  Result<std::vector<std::vector<double>>> logits_of(const Switches& switches, const Selection& on) {
    if (!oracle_) return engine_logits(switches, on);
    ModelConfig config = files_.config;
    for (const std::string& each : switches) ASSAY_OK(set_convention(config, each));
    ASSAY_TRY(const Oracle oracle, Oracle::load(files_.checkpoint, config));
    std::vector<std::vector<double>> out;
    for (const auto& ids : on.ids) out.push_back(oracle.logits(ids));
    return out;
  }

  Result<std::vector<std::vector<double>>> engine_logits(const Switches& switches, const Selection& on) {
    ASSAY_TRY(ModelFiles files, open_model(files_.checkpoint.path()));
    EngineOptions options = job_.engine;
    options.conventions.insert(options.conventions.end(), switches.begin(), switches.end());
    ASSAY_TRY(const std::unique_ptr<Engine> engine, Engine::load(std::move(files), options));
    backend_ = engine->name();
    ASSAY_TRY(const auto narrow, engine->logits(on.ids));
    std::vector<std::vector<double>> out;
    for (const auto& each : narrow) out.emplace_back(each.begin(), each.end());
    return out;
  }

  void measure(const std::vector<std::vector<double>>& logits, const Selection& on, Attempt& attempt) const {
    double squares = 0;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      for (std::size_t r = 0; r < on.n_rows[i]; ++r) {
        const double* ours = logits[i].data() + on.other[i]->positions[r] * vocab_;
        const double* theirs = on.other[i]->logits.data() + static_cast<std::int64_t>(r) * vocab_;
        for (std::int64_t v = 0; v < vocab_; ++v) {
          const double difference = std::abs(ours[v] - theirs[v]);
          if (!(difference <= attempt.max_abs)) attempt.max_abs = difference;  // a NaN stays
          squares += difference * difference;
        }
        attempt.argmax_same += argmax_of(ours, vocab_) == argmax_of(theirs, vocab_);
        ++attempt.positions;
      }
    }
    attempt.rms = std::sqrt(squares / (static_cast<double>(attempt.positions) * static_cast<double>(vocab_)));
    if (std::isnan(attempt.rms)) attempt.max_abs = attempt.rms;
    attempt.fits = attempt.max_abs <= out_.tolerance;
  }

  Attempt attempt(const Switches& switches, const Selection& on) {
    Attempt out{.switches = switches, .on_all = on.all};
    if (stop_requested()) {
      out.refused = "stopped on request";
      return out;
    }
    auto logits = logits_of(switches, on);
    if (!logits.ok()) {
      out.refused = logits.error().text();
      return out;
    }
    measure(*logits, on, out);
    out.no_effect = !switches.empty() && *logits == published_[on.all];
    return out;
  }

  std::vector<Attempt> attempts(const std::vector<Switches>& list, const Selection& on) {
    std::vector<Attempt> out(list.size());
    if (oracle_ && params_ <= kParallelParams) {
      pool_.run(list.size(), [&](std::size_t i, int) { out[i] = attempt(list[i], on); });
    } else {
      for (std::size_t i = 0; i < list.size(); ++i) out[i] = attempt(list[i], on);
    }
    return out;
  }

  Status try_published() {
    for (const std::string& each : job_.engine.conventions)
      if (oracle_) ASSAY_OK(set_convention(files_.config, each));
    for (std::size_t i = 0; i < whole_.ids.size(); ++i)
      ASSAY_OK(check_ids(files_.config, whole_.ids[i], static_cast<std::int64_t>(i)));
    ASSAY_TRY(published_[0], logits_of({}, short_));
    if (short_.all) {
      published_[1] = published_[0];
    } else {
      ASSAY_TRY(published_[1], logits_of({}, whole_));
    }
    Attempt first{.on_all = true};
    measure(published_[1], whole_, first);
    out_.tried.push_back(first);
    if (first.fits) fitting_.push_back(first);
    Attempt brief;
    measure(published_[0], short_, brief);
    // Where the short selection cannot tell the published reading from the other's, it cannot tell others either.
    on_ = brief.fits && !first.fits ? &whole_ : &short_;
    return {};
  }

  Status try_singles() {
    std::vector<Switches> list;
    for (const std::string& each : other_conventions(config_now())) list.push_back({each});
    singles_ = attempts(list, *on_);
    if (stop_requested()) return Error{.code = Code::interrupted, .message = "stopped on request"};
    for (Attempt& each : singles_) {
      if (!each.on_all && each.fits) each = attempt(each.switches, whole_);
      if (each.fits && !each.no_effect) fitting_.push_back(each);
      out_.tried.push_back(each);
    }
    return {};
  }

  ModelConfig config_now() const {
    ModelConfig config = files_.config;
    for (const std::string& each : job_.engine.conventions) ASSAY_CHECK(set_convention(config, each).ok());
    return config;
  }

  // Pairs of singles that change something, those first whose parts come closest.
  std::vector<Switches> pairs() const {
    struct Scored {
      double rms;
      Switches switches;
    };
    const auto name_of_switch = [](const std::string& text) { return text.substr(0, text.find('=')); };
    std::vector<Scored> scored;
    for (std::size_t i = 0; i < singles_.size(); ++i) {
      for (std::size_t j = i + 1; j < singles_.size(); ++j) {
        const Attempt &a = singles_[i], &b = singles_[j];
        const bool usable = a.refused.empty() && b.refused.empty() && !a.no_effect && !b.no_effect;
        if (!usable || name_of_switch(a.switches[0]) == name_of_switch(b.switches[0])) continue;
        const double rms = std::min(a.rms, b.rms) + 1e-3 * std::max(a.rms, b.rms);
        scored.push_back({std::isnan(rms) ? HUGE_VAL : rms, {a.switches[0], b.switches[0]}});
      }
    }
    std::stable_sort(scored.begin(), scored.end(),
                     [](const Scored& a, const Scored& b) { return a.rms < b.rms; });
    std::vector<Switches> out;
    for (Scored& each : scored) out.push_back(std::move(each.switches));
    return out;
  }

  // In rounds, until one fits or the tries are used up.
  Status try_pairs() {
    std::vector<Switches> list = pairs();
    const auto left = static_cast<std::size_t>(
        std::max<std::int64_t>(0, job_.max_tries - static_cast<std::int64_t>(out_.tried.size())));
    out_.stopped_early = list.size() > left;
    list.resize(std::min(list.size(), left));
    constexpr std::size_t kRound = 16;
    for (std::size_t first = 0; first < list.size() && fitting_.empty(); first += kRound) {
      const auto begin = list.begin() + static_cast<std::ptrdiff_t>(first),
                 end = list.begin() + static_cast<std::ptrdiff_t>(std::min(list.size(), first + kRound));
      for (Attempt& each : attempts({begin, end}, *on_)) {
        if (!each.on_all && each.fits) each = attempt(each.switches, whole_);
        if (each.fits) fitting_.push_back(each);
        out_.tried.push_back(each);
      }
      if (stop_requested()) return Error{.code = Code::interrupted, .message = "stopped on request"};
    }
    return {};
  }

  // Fewer switches win, unless more of them are clearly closer.
  Status conclude() {
    const double floor = kF64Floor * other_.max_abs;
    double best = HUGE_VAL;
    for (const Attempt& each : fitting_) best = std::min(best, std::max(each.max_abs, floor));
    std::stable_sort(fitting_.begin(), fitting_.end(), [&](const Attempt& a, const Attempt& b) {
      const auto rank = [&](const Attempt& x) {
        return std::tuple(x.max_abs > kClearlyCloser * best, x.switches.size(), std::max(x.max_abs, floor));
      };
      return rank(a) < rank(b);
    });
    out_.fitting = fitting_;
    out_.backend = oracle_ ? "oracle f64" : backend_;
    if (!fitting_.empty()) return {};
    const auto worse = [](const Attempt& a, const Attempt& b) {
      const bool a_ran = a.refused.empty() && !std::isnan(a.rms),
                 b_ran = b.refused.empty() && !std::isnan(b.rms);
      return a_ran != b_ran ? a_ran : a.rms < b.rms;
    };
    const Attempt& near = *std::min_element(out_.tried.begin(), out_.tried.end(), worse);
    out_.closest = near.on_all ? near : attempt(near.switches, whole_);
    return {};
  }

  const ExplainJob& job_;
  ModelFiles files_;
  const OtherLogits& other_;
  std::int64_t vocab_, params_ = 0;
  ThreadPool pool_;
  bool oracle_ = false;
  std::string backend_;
  Selection whole_, short_;
  const Selection* on_ = nullptr;
  std::vector<std::vector<double>> published_[2];  // on the short selection, on all
  std::vector<Attempt> singles_, fitting_;
  Explanation out_;
};

}  // namespace

Result<Explanation> explain(const ExplainJob& job) {
  if (job.tolerance && !(*job.tolerance > 0)) {
    return Error{.code = Code::usage,
                 .message = "a tolerance is positive",
                 .field = "--tolerance",
                 .got = fmt::format("{}", *job.tolerance)};
  }
  std::vector<std::vector<std::int32_t>> prompts;
  if (!job.ids_path.empty()) {
    ASSAY_TRY(prompts, read_ids(job.ids_path));
  }
  ASSAY_TRY(const ModelLocation location, locate_model(job.model));
  ASSAY_TRY(ModelFiles files, open_model(location.path));
  ASSAY_TRY(const OtherLogits other,
            read_other_logits(job.other_path, job.reading, prompts, files.config.vocab_size));
  Search search(job, std::move(files), other);
  ASSAY_TRY(Explanation out, search.run());
  out.model = job.model;
  out.other = job.other_path;
  out.format = name_of(other.format);
  out.prompts = static_cast<std::int64_t>(other.prompts.size());
  out.positions = other.n_positions();
  out.largest_logit = other.max_abs;
  return out;
}

}  // namespace assay
