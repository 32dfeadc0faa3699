#include "eval/verdicts/verify_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/check.h"
#include "eval/claims/metric_names.h"
#include "eval/verdicts/measured_items.h"
#include "suites/definition.h"
#include "suites/suite.h"

namespace assay {
namespace {

// A figure of the published record names a model that the user need not have; his own claims name one that he has.
bool may_measure(const VerifyOptions& options, const Claim& claim, const std::string& model) {
  return options.measure && (claim.kind.empty() || options.models.contains(model));
}

struct Wanted {
  std::string model, suite, protocol, metric;
};

struct Obtained {
  std::optional<Measurement> measured;
  std::string missing;  // why not, where a reason is known
};

// Loads one side of a claim, measuring it first where it is missing and can be.
Result<Obtained> obtain(const Database& database, const VerifyOptions& options, const Claim& claim, const Wanted& wanted) {
  Obtained out;
  ASSAY_TRY(auto run, find_run(database, names_of(options, wanted.model), wanted.suite, wanted.protocol));
  if (!run && may_measure(options, claim, wanted.model)) {
    ASSAY_TRY(const Askable here, askable(options, wanted.suite, wanted.protocol));
    out.missing = here.missing;
    if (out.missing.empty()) {
      ASSAY_TRY(run, options.measure(model_to_run(options, wanted.model), wanted.suite, wanted.protocol));
    }
  }
  if (!run && options.parts_too) {
    ASSAY_TRY(run, find_part_run(database, names_of(options, wanted.model), wanted.suite, wanted.protocol));
  }
  if (!run) {
    const bool given = claim.kind.empty() || options.models.contains(wanted.model);
    if (out.missing.empty() && !options.measure && options.parts_too && given) {
      ASSAY_TRY(const Askable here, askable(options, wanted.suite, wanted.protocol));
    out.missing = here.missing;
      if (out.missing.empty()) out.missing = "it did not fit into the budget";
    }
    if (out.missing.empty() && !given) out.missing = fmt::format("no model is given for it (--model {}=MODEL)", wanted.model);
    return out;
  }
  ASSAY_TRY(out.measured, load_measurement(database, *run, wanted.metric));
  out.measured->model = wanted.model;
  return out;
}

Result<ParameterCounts> stored_counts(const Database& database, const std::vector<std::string>& models) {
  ParameterCounts counts;
  for (const std::string& model : models) {
    ASSAY_TRY(Statement row,
              database.prepare("SELECT params_stored, params_total, params_active FROM main.model WHERE name "
                               "= ?1 AND params_total IS NOT NULL ORDER BY id DESC"));
    row.with(model);
    ASSAY_TRY(const bool there, row.next());
    if (there) return ParameterCounts{row.maybe_integer(0), row.maybe_integer(1), row.maybe_integer(2)};
  }
  return counts;
}

// The protocol that the claim means; "" where its suite is not known. A name that the suite does not have is refused.
Result<std::string> protocol_meant(const Database& database, const std::string& suite, const std::string& named) {
  ASSAY_TRY(const auto protocols, protocols_of(database, suite));
  if (protocols.empty() || named.empty()) return protocols.empty() ? std::string() : protocols.front();
  if (std::find(protocols.begin(), protocols.end(), named) != protocols.end()) return named;
  return Error{.code = Code::not_found, .message = "the claim names a protocol that its suite does not have", .field = "protocol",
               .expected = protocols.front() + " or another of its protocols", .got = named};
}

// The claimed figure may be that of another protocol: the suite's others, or those that the claim lists. What cannot be asked here is passed over.
Status add_other_protocols(const Database& database, const VerifyOptions& options, const std::vector<std::string>& protocols, Case& one) {
  for (const std::string& protocol : one.claim.others ? *one.claim.others : protocols) {
    if (protocol == one.main->protocol || std::find(protocols.begin(), protocols.end(), protocol) == protocols.end()) continue;
    ASSAY_TRY(Obtained other, obtain(database, options, one.claim, {one.claim.model, one.claim.suite, protocol, one.claim.metric}));
    if (other.measured) one.others.push_back(std::move(*other.measured));
  }
  return {};
}

void add_scale(std::span<const Benchmark> known, Case& one) {
  const Benchmark* benchmark = find_benchmark(known, one.claim.suite);
  if (benchmark == nullptr) return;
  one.scale_low = benchmark->low, one.scale_high = benchmark->high, one.suite_items = benchmark->items;
  if (benchmark->source.starts_with("scale: ")) one.scale_source = benchmark->source.substr(7);
}

// The part's own sub-task. Of how many items it was drawn is known for the suite as a whole: a draw keeps the sub-tasks' shares.
Measurement of_part(const Measurement& all, const std::string& subset) {
  Measurement part = all;
  if (subset.empty()) return part;
  std::erase_if(part.items, [&](const MeasuredItem& item) { return item.subset != subset; });
  if (part.of_items && !all.items.empty()) {
    const double share = static_cast<double>(part.items.size()) / static_cast<double>(all.items.size());
    part.of_items = std::max(static_cast<std::int64_t>(part.items.size()), static_cast<std::int64_t>(std::llround(share * static_cast<double>(*all.of_items))));
  }
  return part;
}

// Joins the parts of a claim; of a mean over sub-tasks every sub-task is a part.
class PartsBuilder {
 public:
  PartsBuilder(const Database& database, const VerifyOptions& options, const Claim& claim) : database_(database), options_(options), claim_(claim) {}

  // `protocol`: "" takes each part's own. Nothing where a suite does not have that protocol.
  Result<std::vector<CasePart>> parts(const std::string& protocol) {
    std::vector<CasePart> out;
    for (std::size_t i = 0; i < claim_.parts.size(); ++i) {
      ClaimPart part = claim_.parts[i];
      if (!protocol.empty()) {
        ASSAY_TRY(const auto known, protocols_of(database_, part.suite));
        if (std::find(known.begin(), known.end(), protocol) == known.end()) return std::vector<CasePart>{};
        part.protocol = protocol;
      }
      ASSAY_OK(add(part, i, out));
    }
    ASSAY_OK(set_weights(out));
    return out;
  }

 private:
  Status add(const ClaimPart& part, std::size_t group, std::vector<CasePart>& out) {
    CasePart one{.asked = part, .weight = part.weight, .group = group};
    ASSAY_TRY(one.protocol, protocol_meant(database_, part.suite, part.protocol));
    if (one.protocol.empty()) {
      one.missing = "no suite of that name is defined here or in the database";
      out.push_back(std::move(one));
      return {};
    }
    ASSAY_TRY(Obtained main, obtain(database_, options_, claim_, {claim_.model, part.suite, one.protocol, part.metric}));
    Obtained against;
    if (!claim_.against.empty()) {
      ASSAY_TRY(against, obtain(database_, options_, claim_, {claim_.against, part.suite, one.protocol, part.metric}));
    }
    const bool whole = main.measured && (claim_.against.empty() || against.measured);
    if (!whole) {
      one.missing = main.measured ? against.missing : main.missing;
      out.push_back(std::move(one));
      return {};
    }
    for (const std::string& subset : subsets(part, *main.measured)) {
      CasePart piece = one;
      piece.asked.subset = subset;
      piece.measured = of_part(*main.measured, subset);
      if (against.measured) piece.against = of_part(*against.measured, subset);
      out.push_back(std::move(piece));
    }
    return {};
  }

  static std::vector<std::string> subsets(const ClaimPart& part, const Measurement& measured) {
    std::vector<std::string> names;
    if (part.macro) {
      for (const MeasuredItem& item : measured.items) names.push_back(item.subset);
      std::sort(names.begin(), names.end());
      names.erase(std::unique(names.begin(), names.end()), names.end());
    }
    if (names.empty()) names.push_back(part.subset);
    return names;
  }

  // Weights sum to 1. By items: as many as the suite has; while a part is missing nobody knows them, and nothing is joined.
  static Status set_weights(std::vector<CasePart>& parts) {
    std::map<std::size_t, double> pieces;
    for (CasePart& part : parts) {
      ++pieces[part.group];
      if (!part.asked.by_items) continue;
      const auto n = part.measured ? static_cast<std::int64_t>(part.measured->items.size()) : 0;
      part.weight = static_cast<double>(part.measured && part.measured->of_items ? *part.measured->of_items : n);
    }
    double sum = 0;
    for (CasePart& part : parts) {
      if (!part.asked.by_items) part.weight /= pieces.at(part.group);
      sum += part.weight;
    }
    for (CasePart& part : parts) part.weight = sum > 0 ? part.weight / sum : 0;
    return {};
  }

  const Database& database_;
  const VerifyOptions& options_;
  const Claim& claim_;
};

Error mixed_units(const Claim& claim) {
  return Error{.code = Code::bad_value, .message = "the parts of a claim are figures of different kinds", .field = claim.id,
               .expected = "all of them shares of right answers, or all in bits per byte", .got = claim.metric};
}

Result<Case> build_composite(const Database& database, const VerifyOptions& options, Case one) {
  const auto share = [](const ClaimPart& part) { return is_share_metric(part.metric); };
  const bool shares = std::all_of(one.claim.parts.begin(), one.claim.parts.end(), share);
  if (!shares && std::any_of(one.claim.parts.begin(), one.claim.parts.end(), share)) return mixed_units(one.claim);
  PartsBuilder builder(database, options, one.claim);
  ASSAY_TRY(one.parts, builder.parts(""));
  if (shares && !one.scale_high) one.scale_low = 0, one.scale_high = 100, one.scale_source = "a share of right answers";
  if (!one.claim.others || !wants_other_protocols(one)) return one;
  for (const std::string& protocol : *one.claim.others) {
    ASSAY_TRY(std::vector<CasePart> way, builder.parts(protocol));
    const bool whole = !way.empty() && std::all_of(way.begin(), way.end(), [](const CasePart& part) { return part.measured && !part.measured->items.empty(); });
    if (whole) one.ways.push_back({.label = protocol, .parts = std::move(way)});
  }
  return one;
}

}  // namespace

namespace {

// Where the items can be had, file by file.
Result<std::string> what_to_fetch(const std::string& suite) {
  ASSAY_TRY(const LoadedDefinition loaded, load_definition(suite));
  std::string out;
  for (const ItemsSource& source : loaded.definition.items) {
    if (source.file.empty()) continue;
    const std::string from = source.from.empty() ? loaded.definition.suite.source : source.from;
    out += fmt::format("{}{} ({})", out.empty() ? "" : ", or ", source.file, from);
  }
  return out.empty() ? std::string("they are only in stored outputs (assay replay)") : fmt::format("put into the folder of --data {}", out);
}

constexpr double kBytesOfToken = 4;      // English text
constexpr double kUsedOfLimit = 0.5;     // of the tokens that an answer may have
constexpr std::size_t kLookedAt = 200;   // items

double bytes_of(const Item& item, bool solved) {
  std::size_t bytes = item.question.size() + item.passage.size() + item.text.size();
  for (const std::string& option : item.options) bytes += option.size();
  if (solved) {
    bytes += item.gold.size();
    for (const auto& [name, text] : item.extra) bytes += name == "solution" || name == "text" ? text.size() : 0;
  }
  return static_cast<double>(bytes);
}

double mean_bytes(const std::vector<Item>& items, bool solved) {
  const std::size_t step = std::max<std::size_t>(1, items.size() / kLookedAt);
  double sum = 0, n = 0;
  for (std::size_t i = 0; i < items.size(); i += step) sum += bytes_of(items[i], solved), ++n;
  return n > 0 ? sum / n : 0;
}

double guessed_tokens(const Suite& suite, const Protocol& protocol) {
  const std::vector<Item>* examples = protocol.shots.split == "items" ? &suite.items : &suite.fewshot;
  for (const auto& [name, items] : suite.splits) {
    if (name == protocol.shots.split) examples = &items;
  }
  const double fixed = static_cast<double>(protocol.preamble.size() + protocol.block.size());
  const double shown = static_cast<double>(protocol.shots.size()) * (mean_bytes(*examples, true) + static_cast<double>(protocol.block.size()));
  const double answer = protocol.kind == ProtocolKind::generate ? kUsedOfLimit * protocol.max_tokens * protocol.sampling.samples : 0;
  return (fixed + shown + mean_bytes(suite.items, false)) / kBytesOfToken + answer;
}

Result<Askable> look_at(const VerifyOptions& options, const std::string& suite, const std::string& protocol) {
  const auto definition = load_definition(suite);
  if (!definition.ok()) return Askable{.missing = definition.error().code == Code::not_found ? "no suite of that name is defined here" : definition.error().text()};
  const Result<Suite> loaded = load_suite(suite, options.data_dir);
  if (loaded.ok() ? !loaded->items_loaded : loaded.error().code == Code::not_found) {
    ASSAY_TRY(const std::string files, what_to_fetch(suite));
    return Askable{.missing = fmt::format("the suite's items are not here: {}", files)};
  }
  if (!loaded.ok()) return Askable{.missing = loaded.error().text()};
  Askable out{.items = static_cast<std::int64_t>(loaded->items.size())};
  const Protocol* asked = loaded->find_protocol(protocol);
  if (asked != nullptr) out.tokens_per_item = guessed_tokens(*loaded, *asked);
  if (asked == nullptr) out.missing = fmt::format("{} has no protocol {}", suite, protocol);
  for (const auto& [split, whence] : loaded->missing) {
    if (asked != nullptr && asked->shots.size() > 0 && split == asked->shots.split) out.missing = fmt::format("the solved examples that {} shows are not here: {}", protocol, whence);
  }
  return out;
}

}  // namespace

Result<Askable> askable(const VerifyOptions& options, const std::string& suite, const std::string& protocol) {
  const auto key = std::pair(suite, protocol);
  const auto known = options.seen->find(key);
  if (known != options.seen->end()) return known->second;
  ASSAY_TRY(Askable found, look_at(options, suite, protocol));
  options.seen->emplace(key, found);
  return found;
}

Result<Case> build_case(const Database& database, const VerifyOptions& options, std::span<const Benchmark> known, const Claim& claim) {
  Case one{.claim = claim};
  if (!claim.about_parameters) add_scale(known, one);
  if (claim.about_parameters) {
    if (options.count) {
      ASSAY_TRY(one.counts, options.count(model_to_run(options, claim.model)));
    } else {
      ASSAY_TRY(one.counts, stored_counts(database, names_of(options, claim.model)));
    }
    return one;
  }
  if (!claim.parts.empty()) return build_composite(database, options, std::move(one));
  ASSAY_TRY(const auto protocols, protocols_of(database, claim.suite));
  ASSAY_TRY(const std::string protocol, protocol_meant(database, claim.suite, claim.protocol));
  if (protocol.empty()) {
    one.missing = "no suite of that name is defined here or in the database";
    return one;
  }
  ASSAY_TRY(Obtained main, obtain(database, options, claim, {claim.model, claim.suite, protocol, claim.metric}));
  one.main = std::move(main.measured), one.missing = std::move(main.missing);
  if (!claim.against.empty()) {
    const bool other_protocol = std::find(protocols.begin(), protocols.end(), claim.against) != protocols.end();
    ASSAY_TRY(Obtained against, obtain(database, options, claim, {other_protocol ? claim.model : claim.against, claim.suite,
                                                                   other_protocol ? claim.against : protocol, claim.metric}));
    one.against = std::move(against.measured);
    if (one.missing.empty()) one.missing = std::move(against.missing);
  } else if (one.main && wants_other_protocols(one)) {
    ASSAY_OK(add_other_protocols(database, options, protocols, one));
  }
  return one;
}

}  // namespace assay
