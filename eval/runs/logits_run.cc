#include "eval/runs/logits_run.h"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/parallel.h"
#include "base/progress.h"
#include "reference/model/conventions.h"
#include "reference/model/cuda_engine.h"
#include "reference/model/mtp_oracle.h"
#include "reference/model/oracle.h"
#include "reference/model/trace_file.h"
#include "reference/weights/locate.h"
#include "reference/weights/writer.h"

namespace assay {
namespace {

using IdPrompts = std::vector<std::vector<std::int32_t>>;
constexpr std::int64_t kMaxLogits = std::int64_t{1}
                                    << 31;  // 8 GiB of f32: they are kept until the file is written

Status check_prompts(const ModelConfig& config, const IdPrompts& prompts, std::int64_t& tokens) {
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    ASSAY_OK(check_ids(config, prompts[i], static_cast<std::int64_t>(i)));
    tokens += static_cast<std::int64_t>(prompts[i].size());
  }
  if (tokens <= kMaxLogits / config.vocab_size) return {};
  return Error{.code = Code::too_large,
               .message = "the logits of all prompts together do not fit; ask for fewer prompts at a time",
               .expected = fmt::format("at most {} tokens", kMaxLogits / config.vocab_size),
               .got = std::to_string(tokens)};
}

Result<std::vector<ForcedExperts>> forced_of(const LogitsJob& job, const ModelConfig& config,
                                             const IdPrompts& prompts) {
  if (job.forced_path.empty()) return std::vector<ForcedExperts>{};
  if (config.n_moe_layers() == 0) {
    return Error{
        .code = Code::usage, .message = "this model has no experts to force", .field = "--force-experts"};
  }
  return read_forced_experts(job.forced_path, prompts, config.n_moe_layers(), config.router.n_chosen,
                             config.router.n_experts);
}

template <class T>
void add_logits(const std::string& prefix, const std::vector<std::vector<T>>& logits, std::int64_t vocab,
                std::vector<TensorOut>& out) {
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const auto n_rows = static_cast<std::int64_t>(logits[i].size()) / vocab;
    out.push_back(tensor_out(fmt::format("{}logits.{}", prefix, i), {n_rows, vocab}, logits[i]));
  }
}

template <class T>
Status write_logits(const std::string& path, const std::vector<std::vector<T>>& logits,
                    const std::vector<std::vector<std::vector<T>>>& mtp, std::int64_t vocab,
                    const LogitsReport& report) {
  if (path.empty()) return {};
  std::vector<TensorOut> out;
  add_logits("", logits, vocab, out);
  for (std::size_t k = 0; k < mtp.size(); ++k) add_logits(fmt::format("mtp.{}.", k + 1), mtp[k], vocab, out);
  std::vector<std::pair<std::string, std::string>> metadata;
  for (const auto& [name, value] : report.conventions) metadata.emplace_back("convention." + name, value);
  return write_safetensors(path, out, metadata);
}

// What the tensors that --trace-tensors names take until they are written.
Status check_trace_size(const KeptPoints& kept, const ModelConfig& c, std::int64_t tokens,
                        std::uint64_t number_bytes) {
  double bytes = 0;
  for (std::size_t p = 0; p < kPoints; ++p) {
    const auto point = static_cast<Point>(p);
    if (!kept.kept[p]) continue;
    const double layers = belongs_to_layer(point) ? static_cast<double>(c.num_hidden_layers) : 1.0;
    bytes += layers * static_cast<double>(width_of(point, c)) * static_cast<double>(tokens) *
             static_cast<double>(number_bytes);
  }
  if (bytes <= static_cast<double>(kMaxTraceBytes)) return {};
  return Error{.code = Code::too_large,
               .message = "the tensors of this trace do not fit; name fewer points or ask for fewer prompts",
               .field = "--trace-tensors",
               .expected = fmt::format("at most {} bytes", kMaxTraceBytes),
               .got = fmt::format("{:.0f}", bytes)};
}

// The trace that a job asks for, one PromptTrace a prompt; none without a path.
Result<std::vector<PromptTrace>> points_of(const LogitsJob& job, const IdPrompts& prompts,
                                           const ModelConfig& config, std::int64_t tokens) {
  ASSAY_TRY(const KeptPoints kept, parse_kept_points(job.trace_tensors));
  if (job.trace_path.empty()) {
    if (!kept.any()) return std::vector<PromptTrace>{};
    return Error{.code = Code::usage,
                 .message = "tensors are kept in a trace; name its file with --trace",
                 .field = "--trace-tensors"};
  }
  ASSAY_OK(check_trace_size(kept, config, tokens, job.oracle ? sizeof(double) : sizeof(float)));
  return std::vector<PromptTrace>(prompts.size(), PromptTrace(kept));
}

Status finish(const LogitsJob& job, const IdPrompts& prompts, std::vector<RouterTrace> routing,
              std::vector<PromptTrace> points, LogitsReport& report) {
  for (std::size_t i = 0; i < routing.size(); ++i) {
    for (const NearTie& tie : near_ties(routing[i])) report.near_ties.emplace_back(i, tie);
  }
  if (job.trace_path.empty()) return {};
  return write_trace(job.trace_path, {.arithmetic = job.oracle ? "f64" : "f32",
                                      .backend = report.backend,
                                      .conventions = report.conventions,
                                      .ids = prompts,
                                      .points = std::move(points),
                                      .routing = std::move(routing)});
}

// Takes the conventions of the modules out of those of the model.
Result<MtpChoices> mtp_choices(LogitsJob& job, const ModelConfig& config) {
  MtpChoices choices;
  if (!job.mtp) return choices;
  for (const std::string& each : job.engine.conventions) {
    if (is_mtp_convention(each)) ASSAY_OK(set_mtp_convention(choices, config.num_nextn_predict_layers, each));
  }
  std::erase_if(job.engine.conventions, [](const std::string& each) { return is_mtp_convention(each); });
  return choices;
}

void report_mtp(const LogitsJob& job, const ModelConfig& config, const MtpChoices& choices,
                LogitsReport& report) {
  if (!job.mtp) return;
  report.mtp_modules = config.num_nextn_predict_layers;
  for (auto& each : mtp_conventions_of(choices, report.mtp_modules))
    report.conventions.push_back(std::move(each));
}

// Of each module, of each prompt.
Result<std::vector<std::vector<std::vector<double>>>> oracle_mtp(const LogitsJob& job, const IdPrompts& prompts,
                                                                 const ModelFiles& files,
                                                                 const Oracle& oracle,
                                                                 const MtpChoices& choices,
                                                                 ThreadPool& pool) {
  std::vector<std::vector<std::vector<double>>> out;
  if (!job.mtp) return out;
  ASSAY_TRY(const MtpOracle modules, MtpOracle::load(files.checkpoint, files.config));
  out.assign(static_cast<std::size_t>(files.config.num_nextn_predict_layers), {});
  for (auto& module : out) module.resize(prompts.size());
  pool.run(prompts.size(), [&](std::size_t i, int) {
    if (stop_requested()) return;
    auto logits = modules.logits(oracle, prompts[i], choices);
    for (std::size_t k = 0; k < out.size(); ++k) out[k][i] = std::move(logits[k]);
  });
  return out;
}

Result<LogitsReport> run_oracle(LogitsJob job, const IdPrompts& prompts, ModelFiles files) {
  ASSAY_TRY(const MtpChoices choices, mtp_choices(job, files.config));
  for (const std::string& each : job.engine.conventions) ASSAY_OK(set_convention(files.config, each));
  LogitsReport report{.n = static_cast<std::int64_t>(prompts.size()),
                      .backend = "oracle f64",
                      .conventions = conventions_of(files.config)};
  if (files.config.quant.method.empty())
    report.conventions.emplace_back("weights", name_of(files.config.quant.recipe));
  ASSAY_OK(check_prompts(files.config, prompts, report.tokens));
  ASSAY_TRY(const std::vector<ForcedExperts> forced, forced_of(job, files.config, prompts));
  ASSAY_TRY(std::vector<PromptTrace> points, points_of(job, prompts, files.config, report.tokens));
  ASSAY_TRY(const Oracle oracle, Oracle::load(files.checkpoint, files.config));
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::vector<double>> logits(prompts.size());
  std::vector<RouterTrace> routing(prompts.size());
  ThreadPool pool(std::max(1, job.engine.threads));
  pool.run(prompts.size(), [&](std::size_t i, int) {
    if (stop_requested()) return;
    logits[i] = oracle.logits(prompts[i], forced.empty() ? nullptr : &forced[i], &routing[i],
                              points.empty() ? nullptr : &points[i]);
  });
  ASSAY_TRY(const auto mtp, oracle_mtp(job, prompts, files, oracle, choices, pool));
  if (stop_requested()) return Error{.code = Code::interrupted, .message = "stopped on request"};
  report.seconds = seconds_since(start);
  report.tokens_computed = report.tokens;
  report_mtp(job, files.config, choices, report);
  ASSAY_OK(write_logits(job.out_path, logits, mtp, files.config.vocab_size, report));
  ASSAY_OK(finish(job, prompts, std::move(routing), std::move(points), report));
  return report;
}

Result<LogitsReport> run_engine(LogitsJob job, const IdPrompts& prompts, ModelFiles files) {
  LogitsReport report{.n = static_cast<std::int64_t>(prompts.size())};
  ASSAY_TRY(const MtpChoices choices, mtp_choices(job, files.config));
  ASSAY_OK(check_prompts(files.config, prompts, report.tokens));
  ASSAY_TRY(const std::vector<ForcedExperts> forced, forced_of(job, files.config, prompts));
  ASSAY_TRY(std::vector<PromptTrace> points, points_of(job, prompts, files.config, report.tokens));
  ASSAY_TRY(const std::unique_ptr<Engine> engine, Engine::load(std::move(files), job.engine));
  report.backend = engine->name();
  report.conventions = engine->conventions();
  if (!job.engine.recipe.empty()) report.conventions.emplace_back("recipe", job.engine.recipe);
  std::vector<RouterTrace> routing;
  std::vector<std::vector<float>> states;
  ASSAY_TRY(const auto logits, engine->logits(prompts, forced, &routing, job.mtp ? &states : nullptr,
                                              points.empty() ? nullptr : &points));
  std::vector<std::vector<std::vector<float>>> mtp;
  if (job.mtp) {
    ASSAY_TRY(mtp, engine->mtp_logits(prompts, states, choices));
  }
  report_mtp(job, engine->config(), choices, report);
  report.seconds = engine->stats().seconds;
  report.tokens_computed = static_cast<std::int64_t>(engine->stats().tokens_computed);
  ASSAY_OK(write_logits(job.out_path, logits, mtp, engine->config().vocab_size, report));
  ASSAY_OK(finish(job, prompts, std::move(routing), std::move(points), report));
  return report;
}

// On an accelerator: logits and decisions, no points of layers and no modules.
Result<LogitsReport> run_accelerator(const LogitsJob& job, const IdPrompts& prompts, ModelFiles files) {
  if (job.mtp || !job.trace_path.empty()) {
    return Error{.code = Code::unsupported,
                 .message = "traces and prediction modules are computed on the CPU only; leave out --device",
                 .field = job.mtp ? "--mtp" : "--trace",
                 .got = "--device " + job.engine.device};
  }
  LogitsReport report{.n = static_cast<std::int64_t>(prompts.size())};
  ASSAY_OK(check_prompts(files.config, prompts, report.tokens));
  ASSAY_TRY(const std::vector<ForcedExperts> forced, forced_of(job, files.config, prompts));
  ASSAY_TRY(const std::unique_ptr<CudaEngine> engine,
            CudaEngine::load(std::move(files), job.engine, {.device = job.engine.device, .arithmetic = job.engine.gpu_arithmetic}));
  report.backend = engine->name();
  report.conventions = engine->conventions();
  std::vector<RouterTrace> routing;
  ASSAY_TRY(const auto logits, engine->logits(prompts, forced, &routing));
  report.seconds = engine->stats().seconds;
  report.tokens_computed = static_cast<std::int64_t>(engine->stats().tokens_computed);
  ASSAY_OK(write_logits<float>(job.out_path, logits, {}, engine->config().vocab_size, report));
  ASSAY_OK(finish(job, prompts, std::move(routing), {}, report));
  return report;
}

Result<std::vector<std::int32_t>> one_prompt(const Json& list, const std::string& path, std::size_t i) {
  const auto wrong = [&](std::string expected, std::string got) {
    return Error{.code = Code::bad_value,
                 .message = "the ids are no array of arrays of integers",
                 .file = path,
                 .field = fmt::format("prompt {}", i),
                 .expected = std::move(expected),
                 .got = std::move(got)};
  };
  if (!list.is_array()) return wrong("an array of ids", list.type_name());
  std::vector<std::int32_t> ids;
  for (const Json& id : list) {
    const bool fits =
        id.is_number_integer() && id.get<std::int64_t>() >= INT32_MIN && id.get<std::int64_t>() <= INT32_MAX;
    if (!fits) return wrong("an integer below 2^31", dump_json(id).substr(0, 40));
    ids.push_back(id.get<std::int32_t>());
  }
  return ids;
}

}  // namespace

Result<IdPrompts> read_ids(const std::string& path) {
  ASSAY_TRY(const Json document, read_json_file(path));
  if (!document.is_array()) {
    return Error{.code = Code::bad_value,
                 .message = "the ids are no array of arrays of integers",
                 .file = path,
                 .expected = "an array of arrays",
                 .got = document.type_name()};
  }
  IdPrompts out;
  for (const Json& list : document) {
    ASSAY_TRY(std::vector<std::int32_t> ids, one_prompt(list, path, out.size()));
    out.push_back(std::move(ids));
  }
  return out;
}

Result<LogitsReport> run_logits(const LogitsJob& job) {
  ASSAY_TRY(const IdPrompts prompts, read_ids(job.ids_path));
  ASSAY_TRY(const ModelLocation location, locate_model(job.model));
  ASSAY_TRY(ModelFiles files, open_model(location.path));
  if (job.mtp) ASSAY_OK(check_mtp(files.config, files.checkpoint));
  if (job.oracle) return run_oracle(job, prompts, std::move(files));
  return job.engine.device == "cpu" ? run_engine(job, prompts, std::move(files)) : run_accelerator(job, prompts, std::move(files));
}

}  // namespace assay
