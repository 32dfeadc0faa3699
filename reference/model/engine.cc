#include "reference/model/engine.h"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>

#include "kernels/select.h"
#include "reference/model/conventions.h"
#include "reference/model/engine_state.h"
#include "reference/model/recipes.h"

namespace assay {
namespace {

constexpr std::int64_t kAnnouncedTokens =
    4096;  // of a sequence; longer ones need more keys and values, which is said when they come

std::uint64_t announced_minimum(const ModelFiles& files, const MemoryFacts& facts) {
  return process_bytes(files) +
         least_bytes(facts, std::min(files.config.max_position_embeddings, kAnnouncedTokens));
}

Error too_little(const std::string& file, std::uint64_t least, std::uint64_t given) {
  return Error{.code = Code::memory_limit,
               .message = "the limit given with --memory is below what this model needs",
               .file = file,
               .expected = fmt::format("at least {} bytes", least),
               .got = std::to_string(given)};
}

// What may be used beside what the process holds now, or always holds.
std::uint64_t left_of(std::uint64_t limit, std::uint64_t process) {
  return limit - std::min(limit, std::max(process, resident_bytes()));
}

// Memory that is freed goes back to the system at once: what counts is what is resident.
void give_back_freed_memory() {
  ::mallopt(M_MMAP_THRESHOLD, 256 << 10);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 20);
  ::malloc_trim(0);
}

}  // namespace

Engine::State::State(ModelFiles model, WeightSource source, const StackBytes& sizes, const Kernels& kernels,
                     const EngineOptions& o)
    : files(std::move(model)),
      weights(std::move(source)),
      options(o),
      pool(std::max(1, o.threads)),
      compute{kernels, pool},
      forward(files, files.config, compute),
      facts(memory_facts(files.config, sizes,
                         forward.page_floats_per_layer() * static_cast<std::int64_t>(sizeof(float)))),
      counts(count_model(files.config)) {}

std::uint64_t Engine::State::free_beside_a_pass() const {
  const bool held = weights.is_resident();
  const std::uint64_t left =
      left_of(options.memory_bytes, process_bytes(files) + (held ? facts.weights.whole() : 0));
  return left - std::min(left, least_bytes(facts, 0, held));
}

Result<MemoryPlan> Engine::State::plan(std::int64_t longest, std::uint64_t kept) const {
  MemoryAsk ask{.weights_held = weights.is_resident(), .longest = longest, .wave_rows = options.wave_tokens};
  ask.flops_per_row = static_cast<double>(counts.forward_flops_per_token);
  if (options.memory_bytes == 0) return share_memory(facts, ask);
  const std::uint64_t process = process_bytes(files) + (ask.weights_held ? facts.weights.whole() : 0);
  const std::uint64_t left = left_of(options.memory_bytes, process);
  ask.bytes = left - std::min(left, kept);
  MemoryPlan out = share_memory(facts, ask);
  if (ask.bytes > 0 && out.total_bytes <= ask.bytes) return out;
  const std::uint64_t least = options.memory_bytes - ask.bytes + out.total_bytes;
  Error error = too_little(files.checkpoint.path(), least, options.memory_bytes);
  error.message =
      kept > 0 ? "the limit given with --memory is below what the keys and values of a prompt and its "
                 "samples need here"
               : fmt::format("the limit given with --memory is below what sequences of {} tokens need here",
                             longest);
  return error;
}

WaveLimits Engine::State::limits(const MemoryPlan& plan, bool reuse, bool slabs) const {
  WaveLimits out;
  out.reuse = reuse;
  out.chunk_rows = options.prefill_chunk;
  out.max_pages = plan.max_pages;
  const std::int64_t slab_rows =
      options.slab_rows > 0 ? std::min(options.slab_rows, plan.slab_rows) : plan.slab_rows;
  out.slab_rows = slabs ? slab_rows : 0;
  const std::int64_t visit =
      options.wave_tokens > 0 ? std::min(options.wave_tokens, plan.slab_rows) : plan.slab_rows;
  out.max_rows = slabs ? plan.wave_rows : visit;
  return out;
}

WavePass Engine::State::pass(const MemoryPlan& plan) {
  weights.hold_at_most(options.hold_weight_bytes.value_or(plan.unit_bytes));
  return {files.config, forward, weights, options.hold_state_bytes.value_or(plan.states_bytes),
          options.spill_folder};
}

void Engine::State::end_call() {
  if (options.memory_bytes == 0) return;
  weights.drop();
  forward.drop_buffers();
  ::malloc_trim(0);
}

void Engine::State::count_routing(std::int64_t moe_layer, std::int64_t first_row, const BatchRouting& routing,
                                  const Users& users, std::span<std::int32_t> ties) {
  const auto k = static_cast<std::size_t>(files.config.router.n_chosen),
             n_experts = static_cast<std::size_t>(files.config.router.n_experts),
             first = static_cast<std::size_t>(first_row), layer = static_cast<std::size_t>(moe_layer),
             n_layers = static_cast<std::size_t>(stats.n_moe_layers);
  if (stats.expert_tokens.size() < users.size() * n_layers * n_experts)
    stats.expert_tokens.resize(users.size() * n_layers * n_experts, 0);
  for (std::size_t i = 0; i < routing.margins.size(); ++i) {
    const bool near = !(routing.margins[i] >= kNearTieMargin);
    ties[first + i] += near;
    for (std::size_t a = 0; a < users.size(); ++a) {
      const auto count = static_cast<std::uint64_t>(users[a][first + i]);
      if (count == 0) continue;
      stats.near_ties += near ? count : 0;
      const std::size_t cell = (a * n_layers + layer) * n_experts;
      for (std::size_t j = 0; j < k; ++j)
        stats.expert_tokens[cell + static_cast<std::size_t>(routing.experts[i * k + j])] += count;
    }
  }
}

double Engine::State::flops_of(std::int64_t n_rows, std::int64_t n_keys) const {
  return static_cast<double>(n_rows) * static_cast<double>(counts.forward_flops_per_token) +
         static_cast<double>(n_keys) * static_cast<double>(counts.attention_flops_per_key);
}

void Engine::State::count_rows(std::int64_t n_rows, std::int64_t n_keys) {
  stats.tokens_computed += static_cast<std::uint64_t>(n_rows);
  stats.flops += flops_of(n_rows, n_keys);
}

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) { reset_stats(); }
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::load(const std::string& path, const EngineOptions& options) {
  ASSAY_TRY(ModelFiles files, open_model(path));
  return load(std::move(files), options);
}

Result<std::unique_ptr<Engine>> Engine::load(ModelFiles files, const EngineOptions& options) {
  for (const std::string& convention : options.conventions)
    ASSAY_OK(set_convention(files.config, convention));
  ASSAY_OK(check_f32_conventions(files.config));
  ASSAY_OK(set_recipe(files.config, options.recipe));
  ASSAY_TRY(const Kernels* kernels, options.isa.empty() ? chosen_kernels() : select_kernels(options.isa));
  ASSAY_TRY(const StackBytes sizes, measure_stack(files, files.config, {}));
  auto state =
      std::make_unique<State>(std::move(files), WeightSource(PackedModel()), sizes, *kernels, options);
  State& s = *state;
  bool resident = !options.hold_weight_bytes;
  if (options.memory_bytes > 0) {
    give_back_freed_memory();
    const std::uint64_t least = announced_minimum(s.files, s.facts);
    if (options.memory_bytes < least)
      return too_little(s.files.checkpoint.path(), least, options.memory_bytes);
    const MemoryAsk ask{.bytes = left_of(options.memory_bytes, process_bytes(s.files)),
                        .longest = std::min(s.files.config.max_position_embeddings, kAnnouncedTokens),
                        .wave_rows = options.wave_tokens};
    resident = resident && ask.bytes > 0 && share_memory(s.facts, ask).resident;
  }
  if (resident) {
    ASSAY_TRY(PackedModel packed, pack_model(s.files));
    s.weights = WeightSource(std::move(packed));
  } else {
    s.weights = WeightSource(s.files, s.files.config, {}, sizes);
  }
  return std::unique_ptr<Engine>(new Engine(std::move(state)));
}

BackendStats Engine::stats() const { return state_->stats; }

void Engine::reset_stats() {
  const ModelConfig& c = state_->files.config;
  state_->stats = {};
  state_->stats.n_moe_layers = c.n_moe_layers();
  state_->stats.n_experts = c.router.n_experts;
  state_->stats.expert_tokens.assign(static_cast<std::size_t>(c.n_moe_layers() * c.router.n_experts), 0);
}

std::string Engine::name() const { return fmt::format("cpu {}", state_->compute.kernels.name); }
bool Engine::is_streamed() const { return !state_->weights.is_resident(); }
const ModelConfig& Engine::config() const { return state_->files.config; }
const Checkpoint& Engine::checkpoint() const { return state_->files.checkpoint; }

std::vector<std::pair<std::string, std::string>> Engine::conventions() const {
  auto out = conventions_of(state_->files.config);
  if (state_->files.config.quant.method.empty()) out.emplace_back("weights", name_of(Recipe::dequant_f32));
  return out;
}

}  // namespace assay
