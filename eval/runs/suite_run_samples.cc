// The generated answers of a run: in waves of samples, which are judged item by item when an item has all of its own.
#include <algorithm>

#include "eval/runs/suite_run.h"

namespace assay {
namespace {

// A wave is one transaction: what an interruption loses. Enough samples that the engine's passes are full, and few enough that a wave is a small
// part of any long run: so many passes' worth of tokens, counted as bytes / 4, the usual size of a token, and what may be generated.
constexpr std::size_t kWaveSamples = 256;
constexpr std::size_t kPassesOfWave = 32, kPassTokens = 4096, kBytesPerToken = 4;

}  // namespace

// Items that have all their samples and no result: from a database whose results somebody took out.
Status SuiteRun::judge_waiting(std::vector<std::size_t>& rest) {
  AskedWave complete;
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (static_cast<std::int64_t>(it->second.size()) != samples_of_item()) {
      ++it;
      continue;
    }
    complete.whole.push_back(judge_samples(suite_, protocol_, std::move(it->second), model_.threads));
    std::erase(rest, it->first);
    it = waiting_.erase(it);
  }
  if (complete.whole.empty()) return {};
  return write(complete, {});
}

// What is left to ask: every item once, or its samples that are neither in a result nor waiting for the others.
std::vector<SampleUnit> SuiteRun::units_of(const std::vector<std::size_t>& items) const {
  std::vector<SampleUnit> units;
  for (const std::size_t index : items) {
    const auto found = waiting_.find(index);
    for (std::int64_t number = 0; number < samples_of_item(); ++number) {
      const bool there = found != waiting_.end() && std::ranges::find(found->second, SampleUnit{index, number}, &MadeSample::unit) != found->second.end();
      if (!there) units.push_back({index, number});
    }
  }
  return units;
}

Result<AskedWave> SuiteRun::ask_wave(std::span<const SampleUnit> units, Progress& progress) {
  AskedWave out;
  ASSAY_CHECK(generates());
  ASSAY_TRY(std::vector<MadeSample> made, ask_samples(model_, suite_, protocol_, units, options_.seed, progress));
  std::vector<SampleUnit> fresh;
  for (MadeSample& sample : made) {
    fresh.push_back(sample.unit);
    waiting_[sample.unit.index].push_back(std::move(sample));
  }
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    if (i + 1 < fresh.size() && fresh[i + 1].index == fresh[i].index) continue;  // the last of its item in this wave
    auto& samples = waiting_.at(fresh[i].index);
    std::ranges::sort(samples, {}, [](const MadeSample& sample) { return sample.unit.number; });
    if (static_cast<std::int64_t>(samples.size()) == samples_of_item()) {
      out.whole.push_back(judge_samples(suite_, protocol_, std::move(samples), model_.threads));
      waiting_.erase(fresh[i].index);
      continue;
    }
    for (const MadeSample& sample : samples) {
      if (std::ranges::find(fresh, sample.unit) != fresh.end()) out.waiting.push_back(&sample);
    }
  }
  return out;
}

std::size_t SuiteRun::wave_size(std::span<const SampleUnit> units) const {
  const std::size_t pass = options_.wave_tokens > 0 ? static_cast<std::size_t>(options_.wave_tokens) : kPassTokens;
  std::size_t tokens = 0, n = 0;
  while (n < std::min(kWaveSamples, units.size()) && (n == 0 || tokens < kPassesOfWave * pass)) {
    const Item& item = suite_.items[units[n++].index];
    std::size_t bytes = item.question.size() + item.passage.size() + item.text.size();
    for (const std::string& option : item.options) bytes += option.size();
    tokens += bytes / kBytesPerToken + static_cast<std::size_t>(std::max(0, protocol_.max_tokens));
  }
  return n;
}

}  // namespace assay
