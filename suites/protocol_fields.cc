#include "suites/protocol_fields.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace assay {
namespace {

constexpr std::int64_t kMaxShots = 100, kMaxIndex = 5'000'000;
constexpr std::int64_t kMaxSamples = 4096;           // published protocols draw up to 64 (R1), 200 (pass@100)
constexpr std::int64_t kMaxTokens = 1 << 20;
constexpr std::int64_t kMaxSeed = std::int64_t{1} << 53;  // exact in every JSON reader
constexpr std::size_t kMaxChatOptions = 4096;             // bytes

Error wrong(std::string_view file, const Protocol& p, std::string message) {
  return Error{.code = Code::bad_value, .message = std::move(message), .file = std::string(file), .field = p.name};
}

Status parse_indices(const Json& list, ShotChoice& shots, std::string_view file) {
  for (const auto& index : list) {
    const bool usable = index.is_number_integer() && index.get<std::int64_t>() >= 0 && index.get<std::int64_t>() < kMaxIndex;
    if (!usable || list.size() > kMaxShots) {
      return Error{.code = Code::bad_value,
                   .message = "indices of examples must be small integers",
                   .file = std::string(file),
                   .field = "fewshot",
                   .got = dump_json(index)};
    }
    shots.indices.push_back(index.get<int>());
  }
  return {};
}

Result<DrawRule> parse_rule(Fields& fields, std::string_view name) {
  ASSAY_TRY(const int rule, fields.choice(name, {"seeded", "python"}, 0));
  return static_cast<DrawRule>(rule);
}

Result<std::uint64_t> parse_seed(Fields& fields) {
  if (!fields.has("seed")) return fields.wrong("seed", "the number that the draw begins from");
  ASSAY_TRY(const auto seed, fields.integer("seed", 0, 0, kMaxSeed));
  return static_cast<std::uint64_t>(seed);
}

Status parse_drawn(const Json& object, ShotChoice& shots, std::string_view file) {
  Fields fields(object, file);
  ASSAY_TRY(shots.split, fields.text("split", ""));
  ASSAY_TRY(const bool of_subset, fields.flag("of_subset", shots.of_subset));
  shots.of_subset = of_subset;
  if (fields.has("indices")) {
    ASSAY_TRY(const Json* list, fields.array("indices"));
    ASSAY_OK(parse_indices(*list, shots, file));
    return fields.finish();
  }
  ASSAY_TRY(const auto n, fields.integer("n", 0, 1, kMaxShots));
  if (n == 0) return fields.wrong("n", "the number of examples");
  ASSAY_TRY(const int draw, fields.choice("draw", {"first", "seeded", "python", "balanced"}, 0));
  if (draw == 0) {
    for (int i = 0; i < n; ++i) shots.indices.push_back(i);
    return fields.finish();
  }
  shots.n_drawn = static_cast<int>(n);
  shots.rule = static_cast<DrawRule>(draw - 1);
  ASSAY_TRY(shots.seed, parse_seed(fields));
  ASSAY_TRY(const auto spare, fields.integer("spare", 0, 0, kMaxShots));
  shots.n_spare = static_cast<int>(spare);
  return fields.finish();
}

Status parse_shots(const Json& entry, Fields& fields, Protocol& p, std::string_view file) {
  ASSAY_TRY(p.shots.of_subset, fields.flag("fewshot_of_subset", false));
  ASSAY_TRY(p.example, fields.text("example", ""));
  ASSAY_TRY(const int form, fields.choice("fewshot_as", {"text", "turns"}, 0));
  p.shots_as_turns = form == 1;
  if (!fields.has("fewshot")) return {};
  const Json& shots = entry.at("fewshot");
  if (shots.is_object()) {
    ASSAY_TRY(const Json* object, fields.object("fewshot"));
    return parse_drawn(*object, p.shots, file);
  }
  if (shots.is_array()) {
    ASSAY_TRY(const Json* list, fields.array("fewshot"));
    return parse_indices(*list, p.shots, file);
  }
  ASSAY_TRY(const auto count, fields.integer("fewshot", 0, 0, kMaxShots));
  for (int i = 0; i < count; ++i) p.shots.indices.push_back(i);
  return {};
}

Status parse_options(const Json& entry, Fields& fields, Protocol& p, std::string_view file) {
  ASSAY_TRY(p.partial, fields.flag("partial", false));
  if (fields.has("unconditional")) {
    ASSAY_TRY(p.unconditional, fields.text("unconditional"));
  }
  if (!fields.has("option_order")) return {};
  if (!entry.at("option_order").is_object()) {
    ASSAY_TRY([[maybe_unused]] const int given, fields.choice("option_order", {"given"}, 0));
    return {};
  }
  ASSAY_TRY(const Json* object, fields.object("option_order"));
  Fields order(*object, file);
  ASSAY_TRY(p.option_seed, parse_seed(order));
  ASSAY_TRY(p.option_rule, parse_rule(order, "rule"));
  return order.finish();
}

Status parse_chat(Fields& fields, Protocol& p) {
  ASSAY_TRY(p.chat, fields.flag("chat", false));
  ASSAY_TRY(p.system, fields.text("system", ""));
  ASSAY_TRY(const int preamble, fields.choice("preamble_as", {"text", "system"}, 0));
  p.preamble_is_system = preamble == 1;
  ASSAY_TRY(p.gen_prefix, fields.text("gen_prefix", ""));
  if (!fields.has("chat_options")) return {};
  ASSAY_TRY(const Json* options, fields.object("chat_options"));
  for (const char* own : {"messages", "add_generation_prompt", "bos_token", "eos_token"}) {
    if (options->contains(own)) return fields.wrong("chat_options", "members that the tool does not set itself");
  }
  p.chat_options_json = dump_json(*options);
  if (p.chat_options_json.size() > kMaxChatOptions) return fields.wrong("chat_options", "at most 4096 bytes");
  return {};
}

Status parse_thinking(Fields& fields, Protocol& p, std::string_view file) {
  if (!fields.has("thinking")) return {};
  ASSAY_TRY(const Json* object, fields.object("thinking"));
  Fields thinking(*object, file);
  ASSAY_TRY(p.thinking.end, thinking.text("end"));
  if (p.thinking.end.empty()) return thinking.wrong("end", "the text that ends the thinking");
  ASSAY_TRY(const auto tokens, thinking.integer("max_tokens", 0, 1, kMaxTokens));
  p.thinking.max_tokens = static_cast<int>(tokens);
  ASSAY_TRY(const int without, thinking.choice("without_end", {"whole", "no-answer"}, 0));
  p.thinking.needs_end = without == 1;
  return thinking.finish();
}

// NaN cannot be written in JSON; the comparison refuses it all the same.
Result<double> number_in(Fields& fields, std::string_view name, double other, double low, double high) {
  ASSAY_CHECK(low <= other && other <= high);
  if (!fields.has(name)) return other;
  ASSAY_TRY(const double value, fields.number(name));
  if (!(value >= low && value <= high)) return fields.wrong(name, fmt::format("{} to {}", low, high));
  return value;
}

Status parse_sampling(Fields& fields, Protocol& p, std::string_view file) {
  if (!fields.has("sampling")) return {};
  ASSAY_TRY(const Json* object, fields.object("sampling"));
  Fields sampling(*object, file);
  Sampling& s = p.sampling;
  ASSAY_TRY(s.temperature, number_in(sampling, "temperature", 0, 0, 100));
  ASSAY_TRY(s.top_p, number_in(sampling, "top_p", 1, 0, 1));
  ASSAY_TRY(s.min_p, number_in(sampling, "min_p", 0, 0, 1));
  ASSAY_TRY(s.repetition_penalty, number_in(sampling, "repetition_penalty", 1, 0.01, 100));
  ASSAY_TRY(s.presence_penalty, number_in(sampling, "presence_penalty", 0, -100, 100));
  ASSAY_TRY(const auto top_k, sampling.integer("top_k", 0, 0, kMaxTokens));
  s.top_k = static_cast<int>(top_k);
  ASSAY_TRY(const auto samples, sampling.integer("samples", 1, 1, kMaxSamples));
  s.samples = static_cast<int>(samples);
  ASSAY_TRY(const int rule, sampling.choice("seed_rule", {"item-sample", "sample", "none"}, 0));
  s.seed_rule = static_cast<SeedRule>(rule);
  if (sampling.has("seed")) {
    ASSAY_TRY(s.seed, parse_seed(sampling));
  }
  return sampling.finish();
}

Status parse_policies(Fields& fields, Protocol& p) {
  ASSAY_TRY(const int cut, fields.choice("input_cut", {"left", "right", "refuse"}, 0));
  p.input_cut = static_cast<InputCut>(cut);
  const std::vector<std::string_view> kinds = {"as-is", "wrong", "unjudged"};
  ASSAY_TRY(const int truncated, fields.choice("truncated", kinds, 0));
  p.truncated = static_cast<Unusable>(truncated);
  ASSAY_TRY(const int empty, fields.choice("empty", kinds, 1));
  p.empty = static_cast<Unusable>(empty);
  ASSAY_TRY(const int beside, fields.choice("beside", {"micro", "macro"}, -1));
  if (beside >= 0) p.beside = beside == 0 ? Aggregation::micro : Aggregation::macro;
  ASSAY_TRY(p.source, fields.text("source", ""));
  ASSAY_TRY(p.note, fields.text("note", ""));
  return {};
}

}  // namespace

Status parse_conduct(const Json& entry, Fields& fields, Protocol& p, std::string_view file) {
  ASSAY_OK(parse_shots(entry, fields, p, file));
  ASSAY_OK(parse_options(entry, fields, p, file));
  ASSAY_OK(parse_chat(fields, p));
  ASSAY_OK(parse_thinking(fields, p, file));
  ASSAY_OK(parse_sampling(fields, p, file));
  return parse_policies(fields, p);
}

Status check_conduct(const Protocol& p, std::string_view file) {
  const bool choice = p.kind == ProtocolKind::choice, generate = p.kind == ProtocolKind::generate;
  const bool needs_chat = !p.system.empty() || p.preamble_is_system || p.shots_as_turns || !p.chat_options_json.empty();
  if (needs_chat && !p.chat) return wrong(file, p, "system, turns and chat_options need the chat template: \"chat\": true");
  if (p.shots_as_turns && !p.example.empty()) return wrong(file, p, "examples that are turns are made of block and answer, not of `example`");
  if ((p.partial || p.unconditional) && !choice) return wrong(file, p, "partial and unconditional are for choice protocols");
  if (p.partial && p.block.find("{option}") == std::string::npos) return wrong(file, p, "partial evaluation needs {option} in the block");
  if (p.normalisation == Normalisation::uncond && !p.unconditional) {
    return wrong(file, p, "normalisation by the unconditional likelihood needs `unconditional`");
  }
  if (!generate && (p.sampling.samples > 1 || p.sampling.temperature > 0 || !p.thinking.end.empty())) {
    return wrong(file, p, "sampling and thinking are for generation protocols");
  }
  if (p.sampling.samples > 1 && p.sampling.temperature == 0) return wrong(file, p, "several samples at temperature 0 are one sample");
  if (p.thinking.max_tokens > 0 && p.thinking.max_tokens >= p.max_tokens) {
    return wrong(file, p, "the thinking's max_tokens must leave room below max_tokens");
  }
  if (p.kind == ProtocolKind::rolling && (p.chat || p.shots.size() > 0)) return wrong(file, p, "a rolling protocol has neither examples nor chat");
  if (p.beside && (*p.beside == p.aggregation || p.aggregation == Aggregation::mean)) {
    return wrong(file, p, "`beside` names the other one of micro and macro");
  }
  return {};
}

}  // namespace assay
