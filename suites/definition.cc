#include "suites/definition.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "suites/extract.h"
#include "suites/fields.h"
#include "suites/locate.h"
#include "suites/protocol_fields.h"
#include "suites/regex.h"
#include "suites/samples.h"
#include "suites/score.h"

namespace assay {
namespace {

constexpr std::size_t kMaxIgnored = 20;
constexpr std::int64_t kMaxNewTokens = 1 << 20;

const std::vector<std::string_view> kMetrics = {"accuracy",      "no_answer",   "exact_match", "f1",
                                                "acc",           "acc_char",    "acc_byte",    "acc_token",   "acc_uncond",
                                                "bits_per_byte", "mean_logprob", "pass@1",     "pass@5",      "pass@1_base",
                                                "dps",           "dps_norm",    "score",       "adjusted_score", "avg_len",
                                                "strict_prompt", "strict_instruction", "loose_prompt", "loose_instruction"};

Status refuse(std::string_view file, std::string_view field, std::string message, std::string got = {}) {
  return Error{.code = Code::bad_value,
               .message = std::move(message),
               .file = std::string(file),
               .field = std::string(field),
               .got = std::move(got)};
}

// What each kind of protocol may leave empty.
Status check_kind(const Protocol& p, std::string_view file) {
  const bool choice = p.kind == ProtocolKind::choice, generate = p.kind == ProtocolKind::generate;
  if (choice && p.continuation.empty()) return refuse(file, p.name, "a choice protocol needs a continuation");
  if (!choice && !p.continuation.empty())
    return refuse(file, p.name, "only a choice protocol has continuations");
  if (generate && p.extractors.empty()) return refuse(file, p.name, "a generation protocol needs extractors");
  if (!generate && !p.extractors.empty())
    return refuse(file, p.name, "only a generation protocol has extractors");
  if (generate && p.max_tokens <= 0)
    return refuse(file, p.name, "a generation protocol needs max_tokens above 0");
  if (generate && p.equality.empty()) return refuse(file, p.name, "a generation protocol needs an equality");
  if ((p.equality == kPythonTests) != !p.tests.empty())
    return refuse(file, p.name, "tests and the equality python-tests belong together");
  if (p.metrics.empty()) return refuse(file, p.name, "a protocol needs at least one metric");
  if (std::any_of(p.stops.begin(), p.stops.end(), [](const std::string& s) { return s.empty(); })) {
    return refuse(file, p.name, "an empty stop string would end every text at once");
  }
  return {};
}

Result<ExtractorLink> parse_link(const Json& entry, std::string_view file) {
  Fields fields(entry, file);
  ExtractorLink link;
  ASSAY_TRY(link.function, fields.text("function"));
  ASSAY_TRY(link.pattern, fields.text("pattern", ""));
  ASSAY_TRY(link.fallback, fields.flag("fallback", false));
  ASSAY_TRY(link.only_model, fields.text("only_model", ""));
  ASSAY_OK(fields.finish());
  ASSAY_OK(check_extractor(link, file));
  return link;
}

Status parse_extractors(Fields& fields, Protocol& protocol, std::string_view file) {
  if (!fields.has("extractors")) return {};
  ASSAY_TRY(const Json* chain, fields.array("extractors"));
  for (const auto& entry : *chain) {
    ASSAY_TRY(ExtractorLink link, parse_link(entry, file));
    protocol.extractors.push_back(std::move(link));
  }
  return {};
}

// Patterns of PCRE2 that mean the same in Python's re are what other harnesses' definitions hold.
Status parse_ignore(Fields& fields, Protocol& p, std::string_view file) {
  ASSAY_TRY(p.ignore, fields.texts("ignore"));
  if (p.ignore.size() > kMaxIgnored) return fields.wrong("ignore", "at most 20 patterns");
  for (const auto& pattern : p.ignore) ASSAY_OK(Regex::compile(pattern, file));
  return {};
}

Status parse_texts(Fields& fields, Protocol& p) {
  ASSAY_TRY(p.preamble, fields.text("preamble", ""));
  ASSAY_TRY(p.block, fields.text("block"));
  ASSAY_TRY(p.answer, fields.text("answer", ""));
  ASSAY_TRY(p.continuation, fields.text("continuation", ""));
  ASSAY_TRY(p.option_line, fields.text("option_line", ""));
  ASSAY_TRY(p.separator, fields.text("separator", "\n\n"));
  ASSAY_TRY(p.primer, fields.text("primer", ""));
  ASSAY_TRY(p.tests, fields.text("tests", ""));
  ASSAY_TRY(p.stops, fields.texts("stops"));
  return {};
}

Status parse_choices(Fields& fields, Protocol& p) {
  ASSAY_TRY(const int kind, fields.choice("kind", {"choice", "generate", "rolling"}, -1));
  if (kind < 0) return fields.wrong("kind", "choice, generate or rolling");
  p.kind = static_cast<ProtocolKind>(kind);
  ASSAY_TRY(const int bos, fields.choice("bos", {"one", "none", "tokenizer"}, 2));
  p.bos = static_cast<BosPolicy>(bos);
  ASSAY_TRY(const int norm, fields.choice("normalisation", {"none", "chars", "bytes", "tokens", "uncond"}, 0));
  p.normalisation = static_cast<Normalisation>(norm);
  ASSAY_TRY(const int aggregation, fields.choice("aggregation", {"mean", "micro", "macro"}, 0));
  p.aggregation = static_cast<Aggregation>(aggregation);
  std::vector<std::string_view> equalities(equality_names());
  ASSAY_TRY(const int equality, fields.choice("equality", equalities, -1));
  if (equality >= 0) p.equality = equalities[static_cast<std::size_t>(equality)];
  return {};
}

Status parse_metrics(Fields& fields, Protocol& p, std::string_view file) {
  ASSAY_TRY(p.metrics, fields.texts("metrics"));
  for (const auto& metric : p.metrics) {
    if (std::find(kMetrics.begin(), kMetrics.end(), metric) == kMetrics.end() && !sample_metric(metric)) {
      return refuse(file, "metrics", "no such metric", metric);
    }
  }
  return {};
}

Result<Protocol> parse_protocol(const Json& entry, std::string_view file) {
  Fields fields(entry, file);
  Protocol p;
  ASSAY_TRY(p.name, fields.text("name"));
  ASSAY_TRY(p.main, fields.flag("main", false));
  ASSAY_TRY(const auto max_tokens, fields.integer("max_tokens", 0, 1, kMaxNewTokens));
  p.max_tokens = static_cast<int>(max_tokens);
  ASSAY_OK(parse_choices(fields, p));
  ASSAY_OK(parse_texts(fields, p));
  ASSAY_OK(parse_conduct(entry, fields, p, file));
  ASSAY_OK(parse_extractors(fields, p, file));
  ASSAY_OK(parse_ignore(fields, p, file));
  ASSAY_OK(parse_metrics(fields, p, file));
  ASSAY_OK(fields.finish());
  ASSAY_OK(check_kind(p, file));
  ASSAY_OK(check_conduct(p, file));
  Json identity = entry;  // where a protocol is written down does not change what it is
  identity.erase("source");
  identity.erase("note");
  p.definition_json = dump_json(identity);
  return p;
}

Status parse_protocols(Fields& fields, Suite& suite, std::string_view file) {
  ASSAY_TRY(const Json* list, fields.array("protocols"));
  int mains = 0;
  for (const auto& entry : *list) {
    ASSAY_TRY(Protocol protocol, parse_protocol(entry, file));
    if (suite.find_protocol(protocol.name) != nullptr) {
      return Error{.code = Code::duplicate,
                   .message = "two protocols of a suite have one name",
                   .file = std::string(file),
                   .field = protocol.name};
    }
    mains += protocol.main ? 1 : 0;
    suite.protocols.push_back(std::move(protocol));
  }
  if (mains != 1)
    return refuse(file, "main", "exactly one protocol must be the main one", fmt::format("{}", mains));
  return {};
}

}  // namespace

Result<Definition> parse_definition(const Json& document, std::string_view file) {
  Fields fields(document, file);
  Definition definition;
  Suite& suite = definition.suite;
  ASSAY_TRY(suite.name, fields.text("name"));
  ASSAY_TRY(suite.title, fields.text("title"));
  ASSAY_TRY(suite.source, fields.text("source"));
  ASSAY_TRY(suite.licence, fields.text("licence"));
  ASSAY_OK(parse_sources(fields, definition, file));
  ASSAY_OK(parse_protocols(fields, suite, file));
  ASSAY_OK(fields.finish());
  suite.items_digest = definition.items.front().sha256;
  suite.n_items = definition.items.front().count;
  return definition;
}

}  // namespace assay
