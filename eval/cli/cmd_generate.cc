#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/progress.h"
#include "eval/cli/command.h"
#include "eval/cli/engine_options.h"
#include "eval/runs/eval_model.h"
#include "eval/runs/filter.h"
#include "eval/runs/generation.h"
#include "eval/runs/requests.h"
#include "reference/model/sampler.h"

namespace assay::cli {
namespace {

struct GenerateArguments {
  std::string model, in;
  std::vector<std::string> stops;
  std::vector<std::int64_t> stop_ids;
  GenerateOptions generate;
};

// The template's context: the line's own members, the tokenizer's special tokens, a generation prompt unless the line says otherwise.
Result<std::string> render_messages(const EvalModel& model, const Json& line) {
  if (!model.chat) return Error{.code = Code::missing_field, .message = "the model has no chat template", .field = "chat_template", .got = model.name};
  Json context = {{"add_generation_prompt", true}, {"bos_token", model.tokenizer.bos_token()}, {"eos_token", model.tokenizer.eos_token()}};
  context.update(line);
  return model.chat->render(context);
}

Result<std::string> prompt_of(const EvalModel& model, const Json& line) {
  if (line.is_string()) return line.get<std::string>();
  if (line.is_object() && line.contains("messages")) return render_messages(model, line);
  return Error{.code = Code::bad_value,
               .message = "a line is neither a prompt nor an object with messages",
               .expected = "a string, or {\"messages\": [...]}",
               .got = dump_json(line).substr(0, 80)};
}

Result<std::vector<GenerateRequest>> requests_of(const GenerateArguments& options, const EvalModel& model) {
  ASSAY_TRY(const std::vector<Json> lines, read_json_lines(options.in));
  std::vector<GenerateRequest> requests;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    ASSAY_TRY(const std::string prompt, prompt_of(model, lines[i]));
    if (model.asks_texts) {
      requests.push_back({.ids = {}, .item = i, .text = prompt});
      continue;
    }
    ASSAY_TRY(std::vector<std::int32_t> ids, text_ids(model.tokenizer, prompt, BosPolicy::tokenizer));
    requests.push_back({.ids = std::move(ids), .item = i});
  }
  return requests;
}

std::vector<std::int32_t> stop_ids_of(const EvalModel& model) {
  std::vector<std::int32_t> out = model.facts.eos_ids;
  if (model.asks_texts) return out;
  if (const auto eos = model.tokenizer.eos_id()) out.push_back(*eos);
  return out;
}

Json line_of(const GenerateAnswer& answer, const StopStrings& stops) {
  Json line = {{"ids", answer.ids},
               {"text", answer.text ? *answer.text : stops.text(answer.ids)},
               {"finish_reason", answer.finish_reason},
               {"logprobs", answer.logprobs},
               {"sample", answer.sample}};
  for (const TopLogprobs& position : answer.top) {
    Json likeliest = Json::array();
    for (const TokenLogprob& t : position) likeliest.push_back({{"id", t.token}, {"logprob", t.logprob}});
    line["top_logprobs"].push_back(std::move(likeliest));
  }
  return line;
}

Status add_stop_ids(const std::vector<std::int64_t>& given, const EvalModel& model, std::vector<std::int32_t>& out) {
  if (model.is_remote() && !given.empty()) {
    return Error{.code = Code::unsupported, .message = "a server ends a text at its own model's end and at --stop, not at ids", .field = "--stop-id"};
  }
  for (const std::int64_t id : given) {
    if (id < 0 || id >= model.facts.vocab_size)
      return Error{.code = Code::out_of_range,
                   .message = "a stop id is not in the vocabulary",
                   .field = "--stop-id",
                   .expected = fmt::format("0 to {}", model.facts.vocab_size - 1),
                   .got = std::to_string(id)};
    out.push_back(static_cast<std::int32_t>(id));
  }
  return {};
}

Status check_stops(const std::vector<std::string>& stops) {
  for (const std::string& stop : stops) {
    if (stop.empty())
      return Error{.code = Code::usage,
                   .message = "a stop string is empty",
                   .field = "--stop",
                   .expected = "text",
                   .got = "\"\""};
  }
  return {};
}

Result<int> run(const Globals& globals, const GenerateArguments& options) {
  ASSAY_OK(check_stops(options.stops));
  ASSAY_OK(check_generate_options(options.generate));  // before weights are read
  ASSAY_TRY(const EngineOptions engine_choice, engine_options(globals));
  ASSAY_TRY(EvalModel model, load_texts_of(options.model, engine_choice));
  ASSAY_TRY(const std::vector<GenerateRequest> requests, requests_of(options, model));
  ASSAY_OK(load_engine(engine_choice, model));
  const StopStrings stops(model.tokenizer, options.stops);
  GenerateOptions generate = options.generate;
  generate.seed = globals.seed;
  generate.stop_ids = stop_ids_of(model);
  generate.stop_strings = options.stops;
  ASSAY_OK(add_stop_ids(options.stop_ids, model, generate.stop_ids));
  if (!options.stops.empty() && !model.asks_texts) {
    generate.stop = [&](std::size_t, std::int64_t, std::span<const std::int32_t> ids) {
      return stops.ended(ids);
    };
  }
  Progress progress("generating",
                    requests.size() * static_cast<std::size_t>(generate.samples * generate.max_tokens),
                    "tokens at most");
  generate.progress = [&](std::uint64_t n) { progress.add(n); };
  ASSAY_TRY(const std::vector<GenerateAnswer> answers, model.engine->generate(requests, generate));
  for (const GenerateAnswer& answer : answers) fmt::print("{}\n", dump_json(line_of(answer, stops)));
  return kFine;
}

}  // namespace

void add_generate(Cli& cli) {
  CLI::App& app = cli.command(
      "generate", "continue prompts: JSON lines in, one line a sample out",
      "  echo '\"Q: What is 3 + 4?\\nA:\"' | assay generate suites/data/demo/model --in - --stop $'\\n\\n'\n"
      "  assay generate MODEL --in prompts.jsonl --temperature 0.7 --top-p 0.9 --samples 8 --seed 3");
  const auto options = std::make_shared<GenerateArguments>();
  GenerateOptions& g = options->generate;
  app.add_option("MODEL", options->model,
                 "a folder, a .safetensors file, org/name in the Hugging Face cache, or http://host:port/v1#model")
      ->required();
  app.add_option("--in", options->in,
                 "a file of JSON lines, - for standard input: a string, or {\"messages\": [...]}")
      ->required();
  app.add_option("--max-tokens", g.max_tokens, "most tokens of a sample")->capture_default_str();
  app.add_option("--temperature", g.temperature, "0: the most likely token each time")->capture_default_str();
  app.add_option("--top-k", g.top_k, "draw from the k most likely, 0: all")->capture_default_str();
  app.add_option("--top-p", g.top_p, "draw from the smallest set of this share")->capture_default_str();
  app.add_option("--min-p", g.min_p, "leave out what is less likely than this share of the most likely")
      ->capture_default_str();
  app.add_option("--repetition-penalty", g.repetition_penalty, "above 1: seen tokens become less likely")
      ->capture_default_str();
  app.add_option("--presence-penalty", g.presence_penalty, "taken off the logit of every token sampled before")
      ->capture_default_str();
  app.add_option("--frequency-penalty", g.frequency_penalty, "taken off the logit of a token for every time it was sampled")
      ->capture_default_str();
  app.add_option("--top-logprobs", g.top_logprobs, "likeliest tokens told at every position")->capture_default_str();
  app.add_option("--samples", g.samples, "samples of each prompt")->capture_default_str();
  app.add_option("--stop", options->stops, "end a sample before this text; may be repeated")
      ->allow_extra_args(false);
  app.add_option("--stop-id", options->stop_ids, "end a sample with this token, as with the model's own end; may be repeated")
      ->allow_extra_args(false);
  cli.on_run(app, [&cli, options] { return run(cli.globals(), *options); });
}

}  // namespace assay::cli
