#include "eval/verdicts/verify_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "base/check.h"
#include "base/stats/power.h"
#include "suites/suite.h"

namespace assay {
namespace {

constexpr double kMostSeconds = 3.6e7;
constexpr double kPlanAlpha = 0.05, kPower = 0.8;
constexpr int kMaxRounds = 1000;
constexpr double kLeastSeconds = 1e-9;  // a budget that is used up
constexpr double kUnknownShare = 0.5;  // where no figure says otherwise: the widest binomial

using PlanKey = std::tuple<std::string, std::string, std::string>;  // model, suite, protocol

struct PlanRate {
  std::optional<double> seconds, usd;
  std::string origin;
  bool rough = false;
};

// Seconds an item took in earlier runs: of this protocol, else of this suite, else of anything this model was asked, where tokens are what is compared
// if their numbers are known.
Result<PlanRate> rate_of(const Database& database, const std::vector<std::string>& models, const PlanKey& key, double tokens_per_item) {
  const std::pair<const char*, const char*> scopes[] = {{"s.name = ?2 AND p.name = ?3", "runs of this protocol"},
                                                        {"s.name = ?2 AND ?3 = ?3", "runs of this suite under other protocols"},
                                                        {"?2 = ?2 AND ?3 = ?3", "runs of this model on other suites"}};
  for (const auto& [where, origin] : scopes) {
    for (const std::string& model : models) {
      ASSAY_TRY(Statement rows, database.prepare(fmt::format("SELECT sum(r.wall_seconds), sum(r.items_seen), sum(r.cost_usd), sum(r.tokens_computed) FROM main.run r JOIN main.model m ON m.id = r.model_id "
                                                             "JOIN main.suite s ON s.id = r.suite_id JOIN main.protocol p ON p.id = r.protocol_id "
                                                             "WHERE r.kind = 'run' AND r.wall_seconds > 0 AND r.items_seen > 0 AND m.name = ?1 AND {}",
                                                             where)));
      rows.with(model, std::get<1>(key), std::get<2>(key));
      ASSAY_TRY(const bool there, rows.next());
      if (!there || rows.is_null(0) || !(rows.integer(1) > 0)) continue;
      PlanRate out{.seconds = rows.real(0) / static_cast<double>(rows.integer(1)), .usd = {}, .origin = origin, .rough = where == scopes[2].first};
      if (!rows.is_null(2)) out.usd = rows.real(2) / static_cast<double>(rows.integer(1));
      const bool by_tokens = out.rough && tokens_per_item > 0 && !rows.is_null(3) && rows.integer(3) > 0;
      if (by_tokens) {
        const double longer = tokens_per_item * static_cast<double>(rows.integer(1)) / static_cast<double>(rows.integer(3));
        *out.seconds *= longer;
        if (out.usd) *out.usd *= longer;
        out.origin += ", by the length of prompts and answers";
      }
      return out;
    }
  }
  return PlanRate{.seconds = {}, .usd = {}, .origin = "not measured yet"};
}

// Smallest difference from `share` that an exact one-sided test on n items shows with the usual power; 1 where none does.
double detectable(double share, std::int64_t n) {
  const bool down = share > 0.5;  // towards the wider side
  double low = 0, high = down ? share : 1 - share;
  const auto shows = [&](double d) {
    const auto side = down ? stats::Alternative::less : stats::Alternative::greater;
    const auto wanted = stats::sample_size(share, down ? share - d : share + d, kPlanAlpha, kPower, side);
    return wanted.ok() && *wanted <= n;
  };
  if (!(high > 0) || !shows(high)) return 1;
  for (int i = 0; i < 10; ++i) {
    const double middle = (low + high) / 2;
    (middle > 0.005 && shows(middle) ? high : low) = middle;
  }
  return high;
}

class Planner {
 public:
  Planner(const Database& database, const VerifyOptions& options, VerifyPlan& plan) : database_(database), options_(options), plan_(plan) {}

  Status add(const Claim& claim) {
    if (claim.about_parameters) {
      plan_.stored.push_back(claim.id);
      return {};
    }
    if (settled_by_itself(claim)) {
      plan_.stored.push_back(claim.id);
      return {};
    }
    if (!claim.parts.empty()) return add_parts(claim);
    ASSAY_TRY(const auto protocols, protocols_of(database_, claim.suite));
    if (protocols.empty()) return stays(claim, "no suite of that name is defined here");
    const auto known = [&](const std::string& name) { return std::find(protocols.begin(), protocols.end(), name) != protocols.end(); };
    const std::string protocol = claim.protocol.empty() ? protocols.front() : claim.protocol;
    if (!known(protocol)) return stays(claim, "its suite has no protocol of that name");
    bool needs = false;
    ASSAY_OK(side(claim, {claim.model, claim.suite, protocol}, needs));
    if (!claim.against.empty()) {
      const bool other_protocol = known(claim.against);
      ASSAY_OK(side(claim, {other_protocol ? claim.model : claim.against, claim.suite, other_protocol ? claim.against : protocol}, needs));
    }
    if (!needs && !open_.contains(claim.id)) plan_.stored.push_back(claim.id);
    return {};
  }

  Status finish() {
    for (auto& [key, run] : runs_) {
      ASSAY_TRY(const Askable here, askable(options_, run.suite, run.protocol));
      ASSAY_TRY(const PlanRate rate, rate_of(database_, names_of(options_, run.model), key, here.tokens_per_item));
      run.tokens_per_item = here.tokens_per_item, run.seconds_per_item = rate.seconds, run.origin = rate.origin, run.rough = rate.rough;
      if (rate.usd) run.usd = *rate.usd;  // of one item until the number of items is known
      plan_.runs.push_back(run);
    }
    return {};
  }

 private:
  // A figure beyond the ends of the scale that the claim itself names.
  static bool settled_by_itself(const Claim& claim) {
    const bool plain = claim.relation == Relation::equals && claim.against.empty();
    return plain && ((claim.scale_high && claim.figure().low > *claim.scale_high) || (claim.scale_low && claim.figure().high <= *claim.scale_low));
  }

  Status add_parts(const Claim& claim) {
    bool needs = false;
    for (const ClaimPart& part : claim.parts) {
      ASSAY_TRY(const auto protocols, protocols_of(database_, part.suite));
      const std::string protocol = part.protocol.empty() && !protocols.empty() ? protocols.front() : part.protocol;
      if (std::find(protocols.begin(), protocols.end(), protocol) == protocols.end()) {
        ASSAY_OK(stays(claim, protocols.empty() ? "no suite " + part.suite + " is defined here" : part.suite + " has no protocol " + protocol));
        continue;
      }
      ASSAY_OK(side(claim, {claim.model, part.suite, protocol}, needs));
      if (!claim.against.empty()) ASSAY_OK(side(claim, {claim.against, part.suite, protocol}, needs));
    }
    if (!needs && !open_.contains(claim.id)) plan_.stored.push_back(claim.id);
    return {};
  }

  Status stays(const Claim& claim, std::string why) {
    if (open_.insert(claim.id).second) plan_.undecided.emplace_back(claim.id, std::move(why));
    return {};
  }

  Status side(const Claim& claim, const PlanKey& key, bool& needs) {
    const auto& [model, suite, protocol] = key;
    ASSAY_TRY(const auto there, find_run(database_, names_of(options_, model), suite, protocol));
    if (there) return {};
    if (!claim.kind.empty() && !options_.models.contains(model)) return stays(claim, fmt::format("no model is given for {} (--model {}=MODEL)", model, model));
    ASSAY_TRY(const Askable here, askable(options_, suite, protocol));
    if (!here.missing.empty()) return stays(claim, here.missing);
    needs = true;
    PlannedRun& run = runs_[key];
    run.model = model, run.suite = suite, run.protocol = protocol;
    run.items = run.planned = here.items;
    if (std::find(run.claims.begin(), run.claims.end(), claim.id) == run.claims.end()) run.claims.push_back(claim.id);
    return {};
  }

  const Database& database_;
  const VerifyOptions& options_;
  VerifyPlan& plan_;
  std::map<PlanKey, PlannedRun> runs_;
  std::set<std::string> open_;
};

double seconds_a_claim(const PlannedRun& run) {
  if (!run.seconds_per_item) return -1 / (1 + run.tokens_per_item);  // probes come first, the shortest before all
  return *run.seconds_per_item * static_cast<double>(run.items) / static_cast<double>(run.claims.size());
}

void set_costs(PlannedRun& run) {
  ASSAY_CHECK(run.planned >= 0 && run.planned <= run.items);
  if (run.seconds_per_item) run.seconds = *run.seconds_per_item * static_cast<double>(run.planned);
  if (run.usd) run.usd = *run.usd * static_cast<double>(run.planned);
  if (run.planned > 0) run.detects = run.planned == run.items ? 0 : 100 * detectable(kUnknownShare, run.planned);
}

// Items of a run that so much time pays for; a part that would show nothing is none.
std::int64_t affordable(const PlannedRun& run, double seconds, std::int64_t least) {
  if (!run.seconds_per_item) return std::min(run.items, kProbeItems);
  const double paid = std::floor(seconds / *run.seconds_per_item);
  const auto part = static_cast<std::int64_t>(std::min(paid, static_cast<double>(run.items)));
  return part >= least ? part : 0;
}

// What is left after the whole runs goes in equal times to as many of the others as can each be asked a useful part: a part twice as large shows a
// difference that is smaller by a third, another suite decides another claim. Where none can, the first one gets all.
void share_out(std::vector<PlannedRun*>& open, double left) {
  for (std::size_t n = open.size(); n > 0; --n) {
    const double each = left / static_cast<double>(n);
    const auto useful = [&](const PlannedRun* run) { return affordable(*run, each, n == 1 ? kLeastPart : kUsefulPart) > 0; };
    if (!std::all_of(open.begin(), open.begin() + static_cast<std::ptrdiff_t>(n), useful)) continue;
    for (std::size_t i = 0; i < n; ++i) open[i]->planned = affordable(*open[i], each, kLeastPart);
    return;
  }
}

std::string why_open(const PlannedRun& run) {
  if (!run.seconds_per_item) return fmt::format("the speed on {} is not known before its first {} items are asked", run.suite, run.planned);
  if (run.planned == 0) return fmt::format("{} items of {} do not fit into the budget", run.items, run.suite);
  return fmt::format("only {} of {} items of {} fit: they can refute, not confirm", run.planned, run.items, run.suite);
}

// `parted`: runs that got their part already.
void fit(VerifyPlan& plan, const std::set<PlanKey>& parted) {
  std::stable_sort(plan.runs.begin(), plan.runs.end(), [](const PlannedRun& a, const PlannedRun& b) { return seconds_a_claim(a) < seconds_a_claim(b); });
  double left = plan.budget_seconds.value_or(kMostSeconds);
  std::vector<PlannedRun*> open;
  for (PlannedRun& run : plan.runs) {
    if (run.seconds_per_item) plan.whole_seconds += *run.seconds_per_item * static_cast<double>(run.items);
    else plan.speeds_known = false;
    if (!plan.budget_seconds) continue;
    const bool whole = run.seconds_per_item && *run.seconds_per_item * static_cast<double>(run.items) <= left;
    run.planned = whole ? run.items : run.seconds_per_item ? 0 : affordable(run, left, 0);
    if (whole) left -= *run.seconds_per_item * static_cast<double>(run.items);
    else if (run.seconds_per_item && !parted.contains({run.model, run.suite, run.protocol})) open.push_back(&run);
  }
  share_out(open, left);
  for (PlannedRun& run : plan.runs) {
    set_costs(run);
    plan.seconds += run.seconds.value_or(0);
    if (run.planned == run.items) continue;
    for (const std::string& id : run.claims) plan.undecided.emplace_back(id, why_open(run));
  }
}

bool is_probe(const PlannedRun& run) { return run.rough || !run.seconds_per_item; }

Result<double> wall_seconds(const Database& database, std::int64_t run) {
  ASSAY_TRY(Statement row, database.prepare("SELECT coalesce(wall_seconds, 0) FROM main.run WHERE id = ?1"));
  row.with(run);
  ASSAY_TRY(const bool there, row.next());
  return there ? row.real(0) : 0.0;
}

struct BegunPart {
  std::int64_t limit = 0;
  double seconds = 0;  // that went into it before
};

// A drawn part that was begun and stopped, and whose rest fits: it goes on before anything new is begun.
Result<std::optional<BegunPart>> begun_part(const Database& database, const std::vector<std::string>& models, const PlannedRun& run) {
  for (const std::string& model : models) {
    ASSAY_TRY(Statement row, database.prepare("SELECT r.limit_items, coalesce(r.wall_seconds, 0), (SELECT count(*) FROM main.item_result x WHERE x.run_id = r.id) FROM main.run r JOIN main.model m ON m.id = r.model_id JOIN main.suite s ON s.id = r.suite_id "
                                              "JOIN main.protocol p ON p.id = r.protocol_id WHERE m.name = ?1 AND s.name = ?2 AND p.name = ?3 AND r.kind = 'run' "
                                              "AND r.status <> 'complete' AND r.limit_items IS NOT NULL ORDER BY r.id DESC"));
    row.with(model, run.suite, run.protocol);
    ASSAY_TRY(const bool there, row.next());
    if (there && row.integer(0) > kProbeItems && row.integer(0) - row.integer(2) <= run.planned) return std::optional(BegunPart{row.integer(0), row.real(1)});
  }
  return std::optional<BegunPart>();
}

}  // namespace

Result<double> parse_duration(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string unit(end, text.data() + text.size());
  const double factor = unit.empty() || unit == "s" ? 1 : unit == "min" || unit == "m" ? 60 : unit == "h" ? 3600 : 0;
  if (error == std::errc() && value * factor > 0 && value * factor <= kMostSeconds) return value * factor;
  return Error{.code = Code::usage, .message = "a time cannot be read", .field = "--budget", .expected = "such as 90s, 20min or 1.5h", .got = text};
}

namespace {

Result<VerifyPlan> plan_rest(const Database& database, const std::vector<Claim>& claims, const VerifyOptions& options, std::optional<double> budget_seconds,
                             const std::set<PlanKey>& parted) {
  VerifyPlan plan;
  plan.budget_seconds = budget_seconds;
  Planner planner(database, options, plan);
  for (const Claim& claim : claims) ASSAY_OK(planner.add(claim));
  ASSAY_OK(planner.finish());
  fit(plan, parted);
  return plan;
}

}  // namespace

Result<VerifyPlan> plan_verification(const Database& database, const std::vector<Claim>& claims, const VerifyOptions& options, std::optional<double> budget_seconds) {
  return plan_rest(database, claims, options, budget_seconds, {});
}

Result<VerifyPlan> run_within_budget(Database& database, const std::vector<Claim>& claims, const VerifyOptions& options, double budget_seconds, const MeasurePart& measure) {
  double spent = 0;
  std::set<PlanKey> probed, parted;
  for (int round = 0; round < kMaxRounds; ++round) {
    ASSAY_TRY(VerifyPlan plan, plan_rest(database, claims, options, std::max(budget_seconds - spent, kLeastSeconds), parted));
    const auto next = std::find_if(plan.runs.begin(), plan.runs.end(), [&](const PlannedRun& run) {
      const PlanKey key{run.model, run.suite, run.protocol};
      if (run.planned == 0) return false;
      return is_probe(run) ? !probed.contains(key) : run.planned == run.items || !parted.contains(key);
    });
    if (next == plan.runs.end() || spent >= budget_seconds) return plan;
    const bool probe = is_probe(*next), whole = !probe && next->planned == next->items;
    if (!whole) (probe ? probed : parted).insert({next->model, next->suite, next->protocol});
    const std::string model = model_to_run(options, next->model);
    std::optional<BegunPart> begun;
    if (!whole && !probe) {
      ASSAY_TRY(begun, begun_part(database, names_of(options, next->model), *next));
    }
    const std::int64_t limit = whole ? 0 : probe ? std::min(next->items, kProbeItems) : begun ? begun->limit : next->planned;
    ASSAY_TRY(const std::int64_t run, measure(model, next->suite, next->protocol, limit));
    ASSAY_TRY(const double seconds, wall_seconds(database, run));
    spent += std::max(0.0, seconds - (begun ? begun->seconds : 0));
  }
  return plan_rest(database, claims, options, kLeastSeconds, parted);
}

Status measure_speeds(Database& database, const std::vector<Claim>& claims, const VerifyOptions& options, const MeasurePart& measure) {
  ASSAY_TRY(const VerifyPlan plan, plan_verification(database, claims, options, {}));
  std::map<std::string, const PlannedRun*> shortest;  // by model
  for (const PlannedRun& run : plan.runs) {
    if (run.seconds_per_item) continue;
    const PlannedRun*& best = shortest[run.model];
    if (best == nullptr || run.tokens_per_item < best->tokens_per_item) best = &run;
  }
  for (const auto& [model, run] : shortest) {
    ASSAY_OK(measure(model_to_run(options, model), run->suite, run->protocol, std::min(run->items, kProbeItems)));
  }
  return {};
}

Json plan_json(const VerifyPlan& plan) {
  const auto maybe = [](const std::optional<double>& v) { return v ? finite_or_null(*v) : Json(nullptr); };
  Json runs = Json::array(), open = Json::array();
  for (const PlannedRun& r : plan.runs) {
    runs.push_back({{"model", r.model}, {"suite", r.suite}, {"protocol", r.protocol}, {"claims", r.claims}, {"items", r.items}, {"planned", r.planned},
                    {"seconds_per_item", maybe(r.seconds_per_item)}, {"origin", r.origin}, {"seconds", maybe(r.seconds)}, {"usd", maybe(r.usd)}, {"detects_points", maybe(r.detects)}});
  }
  for (const auto& [id, why] : plan.undecided) open.push_back({{"claim", id}, {"why", why}});
  return {{"budget_seconds", maybe(plan.budget_seconds)}, {"seconds", plan.seconds}, {"whole_seconds", plan.speeds_known ? finite_or_null(plan.whole_seconds) : Json(nullptr)}, {"runs", runs}, {"stored", plan.stored}, {"undecided", open}};
}

std::string plan_text(const VerifyPlan& plan) {
  std::string out = fmt::format("{} claims are decided by stored runs\n", plan.stored.size());
  for (const PlannedRun& r : plan.runs) {
    if (r.planned == 0) {
      out += fmt::format("{} under {} with {}: nothing; its {} items would take {} ({}), for {}\n", r.suite, r.protocol, r.model, r.items,
                         duration_text(r.seconds_per_item.value_or(0) * static_cast<double>(r.items)), r.origin, fmt::join(r.claims, " "));
      continue;
    }
    const std::string time = r.seconds ? duration_text(*r.seconds) + " (" + r.origin + ")" : "speed not known: these items measure it";
    out += fmt::format("{} under {} with {}: {} of {} items, {}{}, for {}\n", r.suite, r.protocol, r.model, r.planned, r.items, time,
                       r.planned > 0 && r.planned < r.items ? fmt::format(", shows differences of {:.3g} points", r.detects.value_or(100)) : "", fmt::join(r.claims, " "));
  }
  for (const auto& [id, why] : plan.undecided) out += fmt::format("{} stays open: {}\n", id, why);
  const std::string budget = plan.budget_seconds ? fmt::format(" of {}", duration_text(*plan.budget_seconds)) : "";
  const std::string whole = plan.budget_seconds && plan.speeds_known ? fmt::format("; all that is not there yet would take {}", duration_text(plan.whole_seconds)) : "";
  return out + fmt::format("{}{} planned{}", duration_text(plan.seconds), budget, whole);
}

}  // namespace assay
