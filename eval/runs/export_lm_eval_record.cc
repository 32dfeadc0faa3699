#include "eval/runs/export_lm_eval_record.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "suites/render.h"

namespace assay {
namespace {

constexpr std::pair<std::string_view, std::string_view> kExportedMetrics[] = {
    {"acc", "acc"}, {"acc_char", "acc_norm"}, {"acc_byte", "acc_bytes"}, {"acc_uncond", "acc_mutual_info"},
    {"exact_match", "exact_match"}, {"bits_per_byte", "bits_per_byte"}, {"f1", "f1"}};

Json doc_of(const Item& item) {
  Json doc = {{"id", item.id}};
  if (!item.subset.empty()) doc["subset"] = item.subset;
  if (!item.passage.empty()) doc["passage"] = item.passage;
  if (!item.question.empty()) doc["question"] = item.question;
  if (!item.text.empty()) doc["text"] = item.text;
  if (!item.options.empty()) doc["options"] = item.options;
  for (const auto& [name, value] : item.extra) {
    if (!doc.contains(name)) doc[name] = value;
  }
  if (item.gold_index >= 0)
    doc["answer"] = item.gold_index;
  else if (!item.gold.empty())
    doc["answer"] = item.gold;
  return doc;
}

// Shortest digits that read back as the same double, as repr() of Python writes them.
std::string number_text(double value) { return fmt::format("{}", value); }

Json pair_of(const OptionScore& option, bool greedy) {
  return Json::array({number_text(option.logprob_nats), greedy ? "True" : "False"});
}

Json generation_arguments(const Protocol& protocol) {
  return {{"until", protocol.stops}, {"max_gen_toks", protocol.max_tokens}, {"do_sample", protocol.sampling.temperature > 0},
          {"temperature", protocol.sampling.temperature}};
}

void add_choice(const RenderedRequest& rendered, const LmEvalAnswer& answer, Json& line) {
  Json arguments = Json::object(), resps = Json::array(), filtered = Json::array();
  for (std::size_t i = 0; i < answer.options.size(); ++i) {
    const std::string& text = i < rendered.continuations.size() ? rendered.continuations[i] : answer.texts[i];
    arguments[fmt::format("gen_args_{}", i)] = {{"arg_0", rendered.prompt}, {"arg_1", text}};
    const Json pair = pair_of(answer.options[i], answer.greedy[i]);
    resps.push_back(Json::array({pair}));
    filtered.push_back(pair);
  }
  line["arguments"] = std::move(arguments);
  line["resps"] = std::move(resps);
  line["filtered_resps"] = std::move(filtered);
}

void add_generation(const Protocol& protocol, const RenderedRequest& rendered, const LmEvalAnswer& answer, const ItemScore& score, Json& line) {
  line["arguments"] = {{"gen_args_0", {{"arg_0", rendered.prompt}, {"arg_1", generation_arguments(protocol)}}}};
  line["resps"] = Json::array({Json(answer.outputs)});
  line["filtered_resps"] = Json::array({score.extracted.value_or("[invalid]")});
}

void add_text(const RenderedRequest& rendered, const LmEvalAnswer& answer, Json& line) {
  const std::string value = number_text(answer.options.front().logprob_nats);
  line["arguments"] = {{"gen_args_0", {{"arg_0", rendered.prompt}}}};
  line["resps"] = Json::array({Json::array({value})});
  line["filtered_resps"] = Json::array({value});
}

// The values of several outputs of one item are their means, as in a replay.
ItemScore score_outputs(const Protocol& protocol, const Item& item, const std::vector<std::string>& outputs) {
  ASSAY_CHECK(!outputs.empty());
  ItemScore score = score_output(protocol, item, outputs.front());
  for (auto& [name, value] : score.values) {
    for (std::size_t i = 1; i < outputs.size(); ++i) {
      for (const auto& [other, more] : score_output(protocol, item, outputs[i]).values) value += other == name ? more : 0;
    }
    value /= static_cast<double>(outputs.size());
  }
  return score;
}

Error no_fit(const Item& item) {
  return Error{.code = Code::bad_value, .message = "the run's stored answer does not fit its item", .field = item.id};
}

Result<ItemScore> score_answer(const Protocol& protocol, const Item& item, const LmEvalAnswer& answer) {
  switch (protocol.kind) {
    case ProtocolKind::choice:
      if (item.options.empty() || answer.options.size() != item.options.size()) return no_fit(item);
      return score_choice(protocol, item, answer.options);
    case ProtocolKind::rolling:
      if (answer.options.size() != 1) return no_fit(item);
      return score_rolling(protocol, item, answer.options[0].logprob_nats, answer.options[0].tokens);
    case ProtocolKind::generate:
      break;
  }
  if (answer.outputs.empty()) return no_fit(item);
  return score_outputs(protocol, item, answer.outputs);
}

// The prompt as the run kept it, else rendered again; a chat template is the model's, so its prompt cannot be.
RenderedRequest exported_request(const Suite& suite, const Protocol& protocol, const Item& item, const LmEvalAnswer& answer) {
  Protocol plain = protocol;
  plain.chat = false;
  auto rendered = render_request(suite, plain, item);
  RenderedRequest request = rendered.ok() ? std::move(rendered).value() : RenderedRequest{};
  if (!answer.prompt.empty()) request.prompt = answer.prompt;
  return request;
}

void add_values(const Item& item, const ItemScore& score, const LmEvalAnswer& answer, Json& line) {
  Json names = Json::array();
  for (const auto& [ours, value] : score.values) {
    const auto theirs = lm_eval_metric(ours);
    if (theirs.empty()) continue;
    names.push_back(theirs);
    // The harness keeps what its aggregation divides.
    line[std::string(theirs)] = theirs == "bits_per_byte" ? Json::array({answer.options.front().logprob_nats, item.text.size()}) : finite_or_null(value);
  }
  line["metrics"] = std::move(names);
}

}  // namespace

std::string_view lm_eval_metric(std::string_view ours) {
  for (const auto& [name, theirs] : kExportedMetrics) {
    if (name == ours) return theirs;
  }
  return {};
}

std::string lm_eval_filter(const Protocol& protocol) { return protocol.kind == ProtocolKind::generate ? protocol.name : "none"; }

Result<LmEvalRecord> lm_eval_record(const Suite& suite, const Protocol& protocol, const Item& item, const LmEvalAnswer& answer,
                                    std::int64_t ordinal) {
  LmEvalRecord record;
  ASSAY_TRY(record.score, score_answer(protocol, item, answer));
  const RenderedRequest request = exported_request(suite, protocol, item, answer);
  const Json doc = doc_of(item);
  const std::string target = item.gold_index >= 0 ? std::to_string(item.gold_index) : (item.gold.empty() ? item.text : item.gold);
  Json& line = record.line;
  line = {{"doc_id", ordinal}, {"doc", doc}, {"target", target}};
  if (protocol.kind == ProtocolKind::choice) add_choice(request, answer, line);
  if (protocol.kind == ProtocolKind::generate) add_generation(protocol, request, answer, record.score, line);
  if (protocol.kind == ProtocolKind::rolling) add_text(request, answer, line);
  line["filter"] = lm_eval_filter(protocol);
  add_values(item, record.score, answer, line);
  line["doc_hash"] = sha256_hex(dump_json(doc, 2));
  line["prompt_hash"] = sha256_hex(request.prompt);
  line["target_hash"] = sha256_hex(target);
  return record;
}

Json lm_eval_config(const Protocol& protocol, const std::string& task) {
  constexpr std::string_view kTypes[] = {"multiple_choice", "generate_until", "loglikelihood_rolling"};
  Json config = {{"task", task}, {"output_type", kTypes[static_cast<std::size_t>(protocol.kind)]}, {"num_fewshot", protocol.shots.size()}};
  if (protocol.kind == ProtocolKind::generate) config["generation_kwargs"] = generation_arguments(protocol);
  config["metadata"] = {{"version", protocol.digest.substr(0, 12)}, {"assay_protocol", protocol.name}};
  return config;
}

}  // namespace assay
