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

// Seconds an item took in earlier runs: of this protocol, else of this suite, else of anything this model was asked.
Result<PlanRate> rate_of(const Database& database, const std::vector<std::string>& models, const PlanKey& key) {
  const std::pair<const char*, const char*> scopes[] = {{"s.name = ?2 AND p.name = ?3", "runs of this protocol"},
                                                        {"s.name = ?2 AND ?3 = ?3", "runs of this suite under other protocols"},
                                                        {"?2 = ?2 AND ?3 = ?3", "runs of this model on other suites"}};
  for (const auto& [where, origin] : scopes) {
    for (const std::string& model : models) {
      ASSAY_TRY(Statement rows, database.prepare(fmt::format("SELECT sum(r.wall_seconds), sum(r.items_seen), sum(r.cost_usd) FROM main.run r JOIN main.model m ON m.id = r.model_id "
                                                             "JOIN main.suite s ON s.id = r.suite_id JOIN main.protocol p ON p.id = r.protocol_id "
                                                             "WHERE r.kind = 'run' AND r.wall_seconds > 0 AND r.items_seen > 0 AND m.name = ?1 AND {}",
                                                             where)));
      rows.with(model, std::get<1>(key), std::get<2>(key));
      ASSAY_TRY(const bool there, rows.next());
      if (!there || rows.is_null(0) || !(rows.integer(1) > 0)) continue;
      PlanRate out{.seconds = rows.real(0) / static_cast<double>(rows.integer(1)), .usd = {}, .origin = origin, .rough = where == scopes[2].first};
      if (!rows.is_null(2)) out.usd = rows.real(2) / static_cast<double>(rows.integer(1));
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
    ASSAY_TRY(const auto protocols, protocols_of(database_, options_, claim.suite));
    if (protocols.empty()) return stays(claim, "no suite of that name is defined here");
    const auto known = [&](const std::string& name) { return std::find(protocols.begin(), protocols.end(), name) != protocols.end(); };
    const std::string protocol = claim.protocol.empty() ? protocols.front() : claim.protocol;
    if (!known(protocol)) return stays(claim, "its suite has no protocol of that name");
    bool needs = false;
    ASSAY_OK(side(claim, claim.model, protocol, needs));
    if (!claim.against.empty()) {
      const bool other_protocol = known(claim.against);
      ASSAY_OK(side(claim, other_protocol ? claim.model : claim.against, other_protocol ? claim.against : protocol, needs));
    }
    if (!needs && !open_.contains(claim.id)) plan_.stored.push_back(claim.id);
    return {};
  }

  Status finish() {
    for (auto& [key, run] : runs_) {
      ASSAY_TRY(const PlanRate rate, rate_of(database_, names_of(options_, run.model), key));
      run.seconds_per_item = rate.seconds, run.origin = rate.origin, run.rough = rate.rough;
      if (rate.usd) run.usd = *rate.usd;  // of one item until the number of items is known
      plan_.runs.push_back(run);
    }
    return {};
  }

 private:
  Status stays(const Claim& claim, std::string why) {
    if (open_.insert(claim.id).second) plan_.undecided.emplace_back(claim.id, std::move(why));
    return {};
  }

  Status side(const Claim& claim, const std::string& model, const std::string& protocol, bool& needs) {
    ASSAY_TRY(const auto there, find_run(database_, names_of(options_, model), claim.suite, protocol));
    if (there) return {};
    if (!claim.kind.empty() && !options_.models.contains(model)) return stays(claim, fmt::format("no model is given for {} (--model {}=MODEL)", model, model));
    const Result<Suite> suite = load_suite(claim.suite, options_.data_dir);
    if (!suite.ok()) return stays(claim, suite.error().text());
    if (!suite->items_loaded) return stays(claim, "the suite's items are not here (--data DIR)");
    needs = true;
    PlannedRun& run = runs_[{model, claim.suite, protocol}];
    run.model = model, run.suite = claim.suite, run.protocol = protocol;
    run.items = run.planned = static_cast<std::int64_t>(suite->items.size());
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
  if (!run.seconds_per_item) return -1;  // probes come first
  return *run.seconds_per_item * static_cast<double>(run.items) / static_cast<double>(run.claims.size());
}

void set_costs(PlannedRun& run) {
  ASSAY_CHECK(run.planned >= 0 && run.planned <= run.items);
  if (run.seconds_per_item) run.seconds = *run.seconds_per_item * static_cast<double>(run.planned);
  if (run.usd) run.usd = *run.usd * static_cast<double>(run.planned);
  if (run.planned > 0) run.detects = run.planned == run.items ? 0 : 100 * detectable(kUnknownShare, run.planned);
}

// How many items of a run the remaining time pays for.
std::int64_t affordable(const PlannedRun& run, double left) {
  if (!run.seconds_per_item) return std::min(run.items, kProbeItems);
  if (*run.seconds_per_item * static_cast<double>(run.items) <= left) return run.items;
  const auto part = static_cast<std::int64_t>(std::floor(left / *run.seconds_per_item));
  return part >= kLeastPart ? part : 0;
}

void fit(VerifyPlan& plan) {
  std::stable_sort(plan.runs.begin(), plan.runs.end(), [](const PlannedRun& a, const PlannedRun& b) { return seconds_a_claim(a) < seconds_a_claim(b); });
  double left = plan.budget_seconds.value_or(kMostSeconds);
  for (PlannedRun& run : plan.runs) {
    if (plan.budget_seconds) run.planned = affordable(run, left);
    set_costs(run);
    left -= run.seconds.value_or(0);
    plan.seconds += run.seconds.value_or(0);
    if (run.planned == run.items) continue;
    for (const std::string& id : run.claims) {
      if (!run.seconds_per_item) plan.undecided.emplace_back(id, fmt::format("the speed on {} is not known before its first {} items are asked", run.suite, run.planned));
      else plan.undecided.emplace_back(id, run.planned == 0 ? fmt::format("{} items of {} do not fit into the budget", run.items, run.suite)
                                                       : fmt::format("only {} of {} items of {} fit: they can refute, not confirm", run.planned, run.items, run.suite));
    }
  }
}

bool is_probe(const PlannedRun& run) { return run.rough || !run.seconds_per_item; }

Result<double> wall_seconds(const Database& database, std::int64_t run) {
  ASSAY_TRY(Statement row, database.prepare("SELECT coalesce(wall_seconds, 0) FROM main.run WHERE id = ?1"));
  row.with(run);
  ASSAY_TRY(const bool there, row.next());
  return there ? row.real(0) : 0.0;
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

Result<VerifyPlan> plan_verification(const Database& database, const std::vector<Claim>& claims, const VerifyOptions& options, std::optional<double> budget_seconds) {
  VerifyPlan plan;
  plan.budget_seconds = budget_seconds;
  Planner planner(database, options, plan);
  for (const Claim& claim : claims) ASSAY_OK(planner.add(claim));
  ASSAY_OK(planner.finish());
  fit(plan);
  return plan;
}

Result<VerifyPlan> run_within_budget(Database& database, const std::vector<Claim>& claims, const VerifyOptions& options, double budget_seconds, const MeasurePart& measure) {
  double spent = 0;
  std::set<PlanKey> probed, parted;
  for (int round = 0; round < kMaxRounds; ++round) {
    ASSAY_TRY(VerifyPlan plan, plan_verification(database, claims, options, std::max(budget_seconds - spent, kLeastSeconds)));
    const auto next = std::find_if(plan.runs.begin(), plan.runs.end(), [&](const PlannedRun& run) {
      const PlanKey key{run.model, run.suite, run.protocol};
      if (run.planned == 0) return false;
      return is_probe(run) ? !probed.contains(key) : run.planned == run.items || !parted.contains(key);
    });
    if (next == plan.runs.end() || spent >= budget_seconds) return plan;
    const bool probe = is_probe(*next), whole = !probe && next->planned == next->items;
    if (!whole) (probe ? probed : parted).insert({next->model, next->suite, next->protocol});
    const auto mapped = options.models.find(next->model);
    const std::string& model = mapped == options.models.end() ? next->model : mapped->second;
    ASSAY_TRY(const std::int64_t run, measure(model, next->suite, next->protocol, whole ? 0 : probe ? std::min(next->items, kProbeItems) : next->planned));
    ASSAY_TRY(const double seconds, wall_seconds(database, run));
    spent += seconds;
  }
  return plan_verification(database, claims, options, kLeastSeconds);
}

Json plan_json(const VerifyPlan& plan) {
  const auto maybe = [](const std::optional<double>& v) { return v ? finite_or_null(*v) : Json(nullptr); };
  Json runs = Json::array(), open = Json::array();
  for (const PlannedRun& r : plan.runs) {
    runs.push_back({{"model", r.model}, {"suite", r.suite}, {"protocol", r.protocol}, {"claims", r.claims}, {"items", r.items}, {"planned", r.planned},
                    {"seconds_per_item", maybe(r.seconds_per_item)}, {"origin", r.origin}, {"seconds", maybe(r.seconds)}, {"usd", maybe(r.usd)}, {"detects_points", maybe(r.detects)}});
  }
  for (const auto& [id, why] : plan.undecided) open.push_back({{"claim", id}, {"why", why}});
  return {{"budget_seconds", maybe(plan.budget_seconds)}, {"seconds", plan.seconds}, {"runs", runs}, {"stored", plan.stored}, {"undecided", open}};
}

std::string plan_text(const VerifyPlan& plan) {
  std::string out = fmt::format("{} claims are decided by stored runs\n", plan.stored.size());
  for (const PlannedRun& r : plan.runs) {
    const std::string time = r.seconds ? duration_text(*r.seconds) + " (" + r.origin + ")" : "speed not known: these items measure it";
    out += fmt::format("{} under {} with {}: {} of {} items, {}{}, for {}\n", r.suite, r.protocol, r.model, r.planned, r.items, time,
                       r.planned > 0 && r.planned < r.items ? fmt::format(", shows differences of {:.3g} points", r.detects.value_or(100)) : "", fmt::join(r.claims, " "));
  }
  for (const auto& [id, why] : plan.undecided) out += fmt::format("{} stays open: {}\n", id, why);
  const std::string budget = plan.budget_seconds ? fmt::format(" of {}", duration_text(*plan.budget_seconds)) : "";
  return out + fmt::format("{}{} planned", duration_text(plan.seconds), budget);
}

}  // namespace assay
