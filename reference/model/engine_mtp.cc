// The f32 path of the multi-token prediction modules: each is a stack of one layer that starts from given states.
#include <algorithm>
#include <numeric>

#include "base/progress.h"
#include "reference/model/engine_state.h"

namespace assay {
namespace {

using Prompts = std::span<const std::vector<std::int32_t>>;
using States = std::vector<std::vector<float>>;  // of each prompt (n_rows, hidden_size)

struct Module {
  ModelConfig config;
  std::vector<float> enorm, hnorm;
  PackedLinear eh_proj;
  std::unique_ptr<WeightSource> block;
  const TensorView* embedding = nullptr;
};

Result<Module> pack_module(const ModelFiles& files, std::int64_t k) {
  const ModelConfig& c = files.config;
  const std::string p = mtp_prefix(c, k);
  const StackNames names = mtp_names(c, files.checkpoint, k);
  Module out;
  out.config = mtp_block(c, k);
  ASSAY_TRY(out.enorm, pack_norm(files, p + ".enorm", c.hidden_size));
  ASSAY_TRY(out.hnorm, pack_norm(files, p + ".hnorm", c.hidden_size));
  ASSAY_TRY(out.eh_proj, pack_matrix(files, p + ".eh_proj", c.hidden_size, 2 * c.hidden_size));
  ASSAY_TRY(PackedModel block, pack_stack(files, out.config, names));
  out.block = std::make_unique<WeightSource>(std::move(block));
  const std::int64_t shape[] = {c.vocab_size, c.hidden_size};
  ASSAY_TRY(out.embedding, files.checkpoint.need(names.embedding + ".weight", shape));
  return out;
}

class ModuleRun {
 public:
  ModuleRun(Engine::State& engine, const Module& module, std::int64_t depth, const MtpChoices& choices)
      : engine_(engine),
        module_(module),
        depth_(depth),
        choices_(choices),
        forward_(engine.files, module.config, engine.compute),
        pass_(module.config, forward_, *module.block, UINT64_MAX, {}) {}

  // From the states before the module to its logits of every prompt; `states` become the module's own.
  Status run(Prompts prompts, States& states, States& logits) {
    std::vector<Sequence> sequences;
    std::vector<std::size_t> prompt_of;
    const auto skipped = static_cast<std::size_t>(depth_) + 1;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      if (prompts[i].size() <= skipped) continue;
      sequences.push_back({.ids = std::span(prompts[i]).subspan(skipped)});
      prompt_of.push_back(i);
    }
    logits.assign(prompts.size(), {});
    // Rows depend on more than the ids that they are planned by: nothing is shared between prompts.
    std::size_t longest = 0;
    for (const auto& sequence : sequences) longest = std::max(longest, sequence.ids.size());
    ASSAY_TRY(const MemoryPlan memory, engine_.plan(static_cast<std::int64_t>(longest)));
    WavePlan plan(std::move(sequences), engine_.limits(memory, false, false));
    PageStore pages(forward_.page_floats_per_layer(), 1);
    Wave wave;
    while (plan.next(pages, wave)) {
      if (stop_requested()) return Error{.code = Code::interrupted, .message = "stopped on request"};
      for (std::size_t& sequence : wave.sequences) sequence = prompt_of[sequence];
      ASSAY_OK(enter(wave, states));
      ASSAY_OK(pass_.run(wave.slabs, pages, {}, x_));
      ASSAY_OK(leave(wave, states, logits));
    }
    return {};
  }

 private:
  std::size_t width() const { return static_cast<std::size_t>(module_.config.hidden_size); }

  Status embed(std::int32_t id, std::int64_t position, std::span<float> out) const {
    if (position == 0 && choices_.first == MtpFirst::masked) {
      std::fill(out.begin(), out.end(), 0.0f);
      return {};
    }
    return load_rows_f32(engine_.files.checkpoint, *module_.embedding, id, 1, out, Recipe::dequant_f32,
                         block_size_of(engine_.files.config));
  }

  // x = eh_proj [enorm(embedding) ; hnorm(state)], in the rows of the wave.
  Status enter(const Wave& wave, const States& states) {
    const Batch& batch = wave.slabs.front().batch;
    const std::size_t d = width(), n = batch.ids.size();
    joined_.resize(2 * n * d);
    const std::size_t e_at = choices_.order == MtpOrder::embedding_first ? 0 : d, h_at = d - e_at;
    const auto eps = static_cast<float>(module_.config.norm_eps());
    const Kernels& kernels = engine_.compute.kernels;
    for (std::size_t s = 0; s < wave.sequences.size(); ++s) {
      for (std::size_t p = 0; p < wave.rows[s].size(); ++p) {
        const auto row = static_cast<std::size_t>(wave.rows[s][p]);
        float* e = joined_.data() + 2 * row * d + e_at;
        float* h = joined_.data() + 2 * row * d + h_at;
        ASSAY_OK(embed(batch.ids[row], batch.positions[row], std::span(e, d)));
        kernels.rms_norm(e, module_.enorm.data(), module_.config.hidden_size, eps, e);
        kernels.rms_norm(states[wave.sequences[s]].data() + p * d, module_.hnorm.data(),
                         module_.config.hidden_size, eps, h);
      }
    }
    x_.resize(n * d);
    matmul(engine_.compute, module_.eh_proj.matrix, joined_.data(), static_cast<std::int64_t>(n), x_.data());
    return {};
  }

  Status leave(const Wave& wave, States& states, States& logits) {
    const auto vocab = static_cast<std::size_t>(module_.config.vocab_size);
    std::vector<std::pair<std::size_t, std::size_t>> owner(
        static_cast<std::size_t>(wave.n_rows));  // prompt, position
    for (std::size_t s = 0; s < wave.sequences.size(); ++s) {
      ASSAY_TRY(states[wave.sequences[s]], states_of(wave.rows[s]));
      logits[wave.sequences[s]].resize(wave.rows[s].size() * vocab);
      for (std::size_t p = 0; p < wave.rows[s].size(); ++p)
        owner[static_cast<std::size_t>(wave.rows[s][p])] = {wave.sequences[s], p};
    }
    std::vector<std::int32_t> rows(owner.size());
    std::iota(rows.begin(), rows.end(), 0);
    return pass_.head(rows, [&](std::int64_t first, std::int64_t n, const float* values) {
      for (std::int64_t r = 0; r < n; ++r) {
        const auto [prompt, position] = owner[static_cast<std::size_t>(first + r)];
        std::copy_n(values + static_cast<std::size_t>(r) * vocab, vocab,
                    logits[prompt].data() + position * vocab);
      }
    });
  }

  Result<std::vector<float>> states_of(std::span<const std::int32_t> rows) {
    ASSAY_TRY(std::vector<float> out, pass_.states_of(rows));
    if (choices_.chain == MtpChain::raw) return out;
    ASSAY_TRY(const PackedEnds* ends, module_.block->ends());
    rms_norm(engine_.compute, out.data(), ends->norm.data(), static_cast<std::int64_t>(rows.size()),
             module_.config.hidden_size, static_cast<float>(module_.config.norm_eps()), out.data());
    return out;
  }

  Engine::State& engine_;
  const Module& module_;
  std::int64_t depth_;
  MtpChoices choices_;
  Forward forward_;
  WavePass pass_;
  std::vector<float> joined_, x_;  // (n_rows, 2 hidden), (n_rows, hidden)
};

}  // namespace

Result<std::vector<std::vector<std::vector<float>>>> Engine::mtp_logits(
    Prompts prompts, std::span<const std::vector<float>> states, const MtpChoices& choices) {
  State& s = *state_;
  const ModelConfig& c = s.files.config;
  ASSAY_CHECK(states.size() == prompts.size());
  ASSAY_OK(check_mtp(c, s.files.checkpoint));
  States current(states.begin(), states.end());
  if (choices.hidden == MtpHidden::normed) {
    ASSAY_TRY(const PackedEnds* ends, s.weights.ends());
    for (std::vector<float>& rows : current)
      rms_norm(s.compute, rows.data(), ends->norm.data(),
               static_cast<std::int64_t>(rows.size()) / c.hidden_size, c.hidden_size,
               static_cast<float>(c.norm_eps()), rows.data());
  }
  std::vector<States> out(static_cast<std::size_t>(c.num_nextn_predict_layers));
  for (std::int64_t k = 0; k < c.num_nextn_predict_layers; ++k) {
    ASSAY_TRY(const Module module, pack_module(s.files, k));
    ASSAY_OK(ModuleRun(s, module, k, choices).run(prompts, current, out[static_cast<std::size_t>(k)]));
  }
  return out;
}

}  // namespace assay
