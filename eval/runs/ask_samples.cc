// Generated answers: prompts to requests, requests in groups of one size, a bound on thinking, and the samples of an item judged together.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/check.h"
#include "base/sha256.h"
#include "eval/runs/ask.h"
#include "eval/runs/generation.h"
#include "eval/runs/judge_programs.h"
#include "eval/runs/requests.h"
#include "suites/draws.h"
#include "suites/samples.h"

namespace assay {
namespace {

// Streams of what is written after a thought that was ended: apart from those of every sample's beginning (numbers stay below kMaxSampleMetric).
constexpr std::int64_t kSecondPart = std::int64_t{1} << 30;

struct SamplePrompt {
  RenderedRequest rendered;
  std::vector<std::int32_t> ids;
  bool cut = false;
};

class Sampler {
 public:
  Sampler(EvalModel& model, const Suite& suite, const Protocol& protocol, std::span<const SampleUnit> units, std::uint64_t seed)
      : model_(model),
        suite_(suite),
        protocol_(protocol),
        units_(units),
        seed_(seed_of(protocol, seed)),
        stops_(model.tokenizer, protocol.stops, false) {}  // a protocol's outputs keep special tokens, as a reader of the raw text sees them

  Result<std::vector<MadeSample>> ask() {
    ASSAY_OK(read_prompts());
    answers_.resize(units_.size());
    ASSAY_OK(generate(all_units(), first_limit(), 0));
    if (first_limit() < protocol_.max_tokens) ASSAY_OK(end_thoughts());
    std::vector<MadeSample> made;
    for (std::size_t i = 0; i < units_.size(); ++i) made.push_back(sample_of(i));
    return made;
  }

 private:
  Status read_prompts() {
    if (model_.context_tokens() <= protocol_.max_tokens) {
      return Error{.code = Code::too_large, .message = "the protocol's max_tokens leaves no room for a prompt", .field = protocol_.name};
    }
    for (const SampleUnit& unit : units_) {
      if (prompts_.contains(unit.index)) continue;
      ASSAY_TRY(SamplePrompt prompt, read_prompt(suite_.items[unit.index]));
      prompts_.emplace(unit.index, std::move(prompt));
    }
    return {};
  }

  Result<SamplePrompt> read_prompt(const Item& item) {
    SamplePrompt prompt;
    ASSAY_TRY(prompt.rendered, render_item(model_, suite_, protocol_, item));
    if (model_.asks_texts) return prompt;
    ASSAY_TRY(prompt.ids, text_ids(model_.tokenizer, prompt.rendered.prompt, protocol_.bos));
    ASSAY_TRY(const std::int64_t lost, cut_prompt(prompt.ids, {model_.context_tokens() - protocol_.max_tokens, protocol_.input_cut}));
    prompt.cut = lost > 0;
    return prompt;
  }

  std::vector<std::size_t> all_units() const {
    std::vector<std::size_t> all(units_.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    return all;
  }

  std::int64_t first_limit() const {
    return protocol_.thinking.max_tokens > 0 ? std::min(protocol_.thinking.max_tokens, protocol_.max_tokens) : protocol_.max_tokens;
  }

  GenerateOptions options(std::int64_t max_tokens, std::int64_t samples) const {
    const Sampling& s = protocol_.sampling;
    GenerateOptions o{.max_tokens = max_tokens, .samples = samples, .temperature = s.temperature, .top_k = s.top_k, .top_p = s.top_p, .min_p = s.min_p,
                      .repetition_penalty = s.repetition_penalty, .presence_penalty = s.presence_penalty, .seed = seed_};
    o.stop_ids = model_.facts.eos_ids;
    o.stop_strings = protocol_.stops;
    o.stops_see_special = true;
    if (!protocol_.stops.empty()) o.stop = [this](std::size_t, std::int64_t, std::span<const std::int32_t> ids) { return stops_.ended(ids); };
    return o;
  }

  GenerateRequest request(std::size_t i, std::int64_t part) const {
    const SamplePrompt& prompt = prompts_.at(units_[i].index);
    GenerateRequest out{.ids = prompt.ids, .item = units_[i].index, .first_sample = units_[i].number + part};
    if (model_.asks_texts) out.text = prompt.rendered.prompt;
    if (protocol_.sampling.seed_rule == SeedRule::sample) {
      out.seed = seed_ + static_cast<std::uint64_t>(units_[i].number);
      out.item = 0;
      out.first_sample = part;
    }
    const std::vector<std::int32_t>& made = answers_[i].ids;
    out.ids.insert(out.ids.end(), made.begin(), made.end());
    return out;
  }

  bool goes_on(std::size_t a, std::size_t b) const {
    return units_[a].index == units_[b].index && units_[a].number + 1 == units_[b].number && protocol_.sampling.seed_rule != SeedRule::sample;
  }

  // Samples of one item with consecutive numbers are one request, so that its prompt is read once; requests of as many samples are one call.
  Status generate(const std::vector<std::size_t>& which, std::int64_t max_tokens, std::int64_t part) {
    std::map<std::size_t, std::vector<std::size_t>> firsts;  // samples of a request -> the first unit of each such request
    for (std::size_t i = 0; i < which.size();) {
      std::size_t n = 1;
      while (part == 0 && i + n < which.size() && goes_on(which[i + n - 1], which[i + n])) ++n;
      firsts[n].push_back(which[i]);
      i += n;
    }
    for (const auto& [n, starts] : firsts) {
      std::vector<GenerateRequest> requests;
      for (const std::size_t i : starts) requests.push_back(request(i, part));
      ASSAY_TRY(std::vector<GenerateAnswer> answers, model_.engine->generate(requests, options(max_tokens, static_cast<std::int64_t>(n))));
      ASSAY_CHECK(answers.size() == starts.size() * n);
      for (std::size_t a = 0; a < answers.size(); ++a) take(starts[a / n] + a % n, std::move(answers[a]));
    }
    return {};
  }

  // A second part goes behind the first.
  void take(std::size_t i, GenerateAnswer answer) {
    GenerateAnswer& whole = answers_[i];
    std::vector<std::int32_t> ids = std::move(whole.ids);
    ids.insert(ids.end(), answer.ids.begin(), answer.ids.end());
    whole = std::move(answer);
    whole.ids = std::move(ids);
  }

  // Thinking::max_tokens: where the end has not come by itself it is put there.
  Status end_thoughts() {
    if (model_.asks_texts) {
      return Error{.code = Code::unsupported, .message = "a bound on thinking needs the model's tokenizer here; name it with --tokenizer", .field = protocol_.name};
    }
    ASSAY_TRY(const std::vector<std::int32_t> end, text_ids(model_.tokenizer, protocol_.thinking.end, BosPolicy::none));
    std::map<std::int64_t, std::vector<std::size_t>> open;  // tokens left -> units
    for (std::size_t i = 0; i < units_.size(); ++i) {
      if (answers_[i].finish_reason != "length") continue;
      const bool ended = stops_.text(answers_[i].ids).find(protocol_.thinking.end) != std::string::npos;
      if (!ended) answers_[i].ids.insert(answers_[i].ids.end(), end.begin(), end.end());
      const auto left = protocol_.max_tokens - static_cast<std::int64_t>(answers_[i].ids.size());
      if (left > 0) open[left].push_back(i);
    }
    for (const auto& [left, which] : open) ASSAY_OK(generate(which, left, kSecondPart));
    return {};
  }

  MadeSample sample_of(std::size_t i) const {
    const GenerateAnswer& answer = answers_[i];
    const SamplePrompt& prompt = prompts_.at(units_[i].index);
    MadeSample made{.unit = units_[i], .record = {}, .router_ties = std::nullopt};
    made.prompt = prompt.rendered.prompt;
    made.prompt_digest = sha256_hex(prompt.rendered.prompt);
    if (!model_.asks_texts) made.ids_digest = ids_digest(prompt.ids);
    made.record.input_cut = prompt.cut;
    if (answer.counts_ties) made.router_ties = answer.near_ties;
    made.record.seed = answer.seed;
    if (answer.text) {
      made.record.output = *answer.text;
      made.record.finish_reason = answer.text_ended ? "eos" : answer.finish_reason;
      made.record.tokens_generated = answer.text_tokens;
      return made;
    }
    std::vector<std::int32_t> ids = answer.ids;
    const bool ended = !ids.empty() && std::ranges::find(model_.facts.eos_ids, ids.back()) != model_.facts.eos_ids.end();
    if (ended) ids.pop_back();
    made.record.output = stops_.text(ids);
    made.record.finish_reason = ended ? "eos" : answer.finish_reason;
    made.record.tokens_generated = static_cast<std::int64_t>(answer.ids.size());
    return made;
  }

  EvalModel& model_;
  const Suite& suite_;
  const Protocol& protocol_;
  std::span<const SampleUnit> units_;
  std::uint64_t seed_;
  StopStrings stops_;
  std::map<std::size_t, SamplePrompt> prompts_;
  std::vector<GenerateAnswer> answers_;
};

}  // namespace

bool draws(const Protocol& protocol) { return protocol.sampling.temperature > 0; }
std::uint64_t seed_of(const Protocol& protocol, std::uint64_t run_seed) { return protocol.sampling.seed.value_or(run_seed); }

Result<std::vector<std::int32_t>> prompt_ids(EvalModel& model, const Suite& suite, const Protocol& protocol, const Item& item) {
  if (model.asks_texts) return std::vector<std::int32_t>();
  ASSAY_TRY(const RenderedRequest rendered, render_item(model, suite, protocol, item));
  ASSAY_TRY(std::vector<std::int32_t> ids, text_ids(model.tokenizer, rendered.prompt, protocol.bos));
  ASSAY_TRY(const std::int64_t lost, cut_prompt(ids, {model.context_tokens() - protocol.max_tokens, protocol.input_cut}));
  static_cast<void>(lost);
  return ids;
}

Result<std::vector<MadeSample>> ask_samples(EvalModel& model, const Suite& suite, const Protocol& protocol, std::span<const SampleUnit> units,
                                            std::uint64_t seed, Progress& progress) {
  ASSAY_CHECK(protocol.kind == ProtocolKind::generate);
  for (const SampleUnit& unit : units) {
    ASSAY_CHECK(unit.index < suite.items.size() && unit.number >= 0 && unit.number < protocol.sampling.samples);
  }
  ASSAY_TRY(std::vector<MadeSample> made, Sampler(model, suite, protocol, units, seed).ask());
  progress.add(units.size());
  return made;
}

namespace {

// Scores of samples in their order; what is a program has been run.
std::vector<ItemScore> score_each(const Protocol& protocol, const Item& item, const std::vector<MadeSample>& samples, int threads) {
  std::vector<ItemScore> scores;
  for (const MadeSample& sample : samples) {
    scores.push_back(score_output(protocol, item, sample.record.output, {}, sample.record.finish_reason == "length"));
  }
  std::vector<ItemScore*> waiting;
  for (ItemScore& score : scores) waiting.push_back(&score);
  judge_programs(waiting, threads);
  return scores;
}

// What the prompt showed is drawn anew, not read back: a sample of an earlier process does not hold it.
void keep_shown_of(AskedItem& asked, const Suite& suite, const Protocol& protocol, const Item& item) {
  std::vector<std::string> shown;
  if (const auto examples = shown_examples(suite, protocol, item); examples.ok()) {
    for (const Item* example : *examples) shown.push_back(example->id);
  }
  keep_shown(asked.record, shown, option_order(protocol, item));
}

}  // namespace

AskedItem judge_samples(const Suite& suite, const Protocol& protocol, std::vector<MadeSample> samples, int threads) {
  ASSAY_CHECK(!samples.empty());
  AskedItem asked{.index = samples.front().unit.index};
  const Item& item = suite.items[asked.index];
  asked.record.prompt = std::move(samples.front().prompt);
  asked.record.prompt_digest = std::move(samples.front().prompt_digest);
  asked.record.ids_digest = std::move(samples.front().ids_digest);
  keep_shown_of(asked, suite, protocol, item);
  std::vector<ItemScore> scores = score_each(protocol, item, samples, threads);
  std::int64_t ties = 0;
  bool counted = true;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    MadeSample& sample = samples[i];
    ASSAY_CHECK(sample.unit == (SampleUnit{asked.index, static_cast<std::int64_t>(i)}));
    sample.record.correct = scores[i].correct;
    sample.record.score = scores[i].score;
    sample.record.extracted = scores[i].extracted;
    asked.truncated |= sample.record.finish_reason == "length" || sample.record.input_cut.value_or(false);
    counted = counted && sample.router_ties.has_value();
    ties += sample.router_ties.value_or(0);
    asked.record.samples.push_back(std::move(sample.record));
  }
  if (counted) asked.record.router_ties = ties;
  asked.score = scores.size() == 1 && !has_sample_metric(protocol) ? std::move(scores.front()) : score_samples(protocol, scores);
  asked.score.sampled = draws(protocol);
  return asked;
}

}  // namespace assay
