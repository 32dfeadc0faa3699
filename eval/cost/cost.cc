#include "eval/cost/cost.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "reports/text.h"

namespace assay {
namespace {

constexpr std::size_t kMaxStages = 100;
constexpr double kHourSeconds = 3600, kTrillion = 1e12;

struct Devices {
  std::string name, source;
  double count = 0, peak = 0,
         fastest = 0;  // FLOP/s of one device: bf16, and the fastest format that may have been used
};

struct Stage {
  std::string name;
  double hours = 0;
  std::optional<double> tokens;
  double sequence_length = 4096;
};

struct BillClaim {
  std::string source;
  double hours = 0, usd = 0;
  std::optional<double> hours_per_trillion, days_per_trillion;
  std::vector<Stage> stages;
};

Error bad(const std::string& file, const std::string& field, const std::string& expected) {
  return Error{.code = Code::bad_value,
               .message = "a figure of the bill cannot be used",
               .file = file,
               .field = field,
               .expected = expected};
}

Result<double> positive(const Json& object, std::string_view field, const std::string& file) {
  ASSAY_TRY(const double value, json_number(object, field, file));
  if (value > 0 && value < 1e30) return value;
  return bad(file, std::string(field), "above 0");
}

Result<std::optional<double>> maybe_positive(const Json& object, const char* field, const std::string& file) {
  if (!object.contains(field)) return std::optional<double>();
  ASSAY_TRY(const double value, positive(object, field, file));
  return std::optional(value);
}

Result<const Json*> member(const Json& object, const char* field, const std::string& file) {
  const bool there = object.is_object() && object.contains(field) && object[field].is_object();
  if (there) return &object[field];
  return Error{.code = Code::missing_field,
               .message = "the bill needs an object of this name",
               .file = file,
               .field = field};
}

Result<Devices> read_devices(const Json& document, const std::string& file) {
  ASSAY_TRY(const Json* object, member(document, "devices", file));
  Devices devices;
  ASSAY_TRY(devices.name, json_string(*object, "name", file));
  ASSAY_TRY(devices.source, json_string(*object, "source", file));
  ASSAY_TRY(devices.count, positive(*object, "count", file));
  ASSAY_TRY(devices.peak, positive(*object, "peak_bf16_flops_per_s", file));
  ASSAY_TRY(const std::optional<double> fastest, maybe_positive(*object, "peak_fastest_flops_per_s", file));
  devices.fastest = std::max(fastest.value_or(devices.peak), devices.peak);
  return devices;
}

Result<Price> read_price(const Json& document, const Devices& devices, const std::string& file) {
  ASSAY_TRY(const Json* object, member(document, "price", file));
  Price price{.device = devices.name, .usd_per_hour = 0, .unit = "gpu-hour", .as_of = "", .source = ""};
  ASSAY_TRY(price.usd_per_hour, positive(*object, "usd_per_hour", file));
  ASSAY_TRY(price.as_of, json_string(*object, "as_of", file));
  ASSAY_TRY(price.source, json_string(*object, "source", file));
  return price;
}

Result<ModelConfig> read_config(const Json& document, const std::string& file) {
  if (document.contains("config_file")) {
    ASSAY_TRY(const std::string path, json_string(document, "config_file", file));
    return read_model_config(path);
  }
  ASSAY_TRY(const Json* config, member(document, "config", file));
  return parse_model_config(*config, file);
}

Result<Stage> read_stage(const Json& entry, const std::string& file) {
  Stage stage;
  ASSAY_TRY(stage.name, json_string(entry, "name", file));
  ASSAY_TRY(stage.hours, positive(entry, "hours", file));
  ASSAY_TRY(stage.tokens, maybe_positive(entry, "tokens", file));
  ASSAY_TRY(const std::optional<double> length, maybe_positive(entry, "sequence_length", file));
  stage.sequence_length = length.value_or(stage.sequence_length);
  return stage;
}

Result<BillClaim> read_claim(const Json& document, const std::string& file) {
  ASSAY_TRY(const Json* object, member(document, "claim", file));
  BillClaim claim;
  ASSAY_TRY(claim.source, json_string(*object, "source", file));
  ASSAY_TRY(claim.hours, positive(*object, "hours", file));
  ASSAY_TRY(claim.usd, positive(*object, "usd", file));
  ASSAY_TRY(claim.hours_per_trillion, maybe_positive(*object, "hours_per_trillion_tokens", file));
  ASSAY_TRY(claim.days_per_trillion, maybe_positive(*object, "days_per_trillion_tokens", file));
  const bool listed =
      object->contains("stages") && (*object)["stages"].is_array() && !(*object)["stages"].empty();
  if (!listed || (*object)["stages"].size() > kMaxStages)
    return bad(file, "stages", fmt::format("1 to {} stages", kMaxStages));
  for (const Json& entry : (*object)["stages"]) {
    ASSAY_TRY(Stage stage, read_stage(entry, file));
    claim.stages.push_back(std::move(stage));
  }
  return claim;
}

// Half a unit of the last digit that is not 0: 2664000 stands for 2663500 to 2664500, 3.7 for 3.65 to 3.75.
double tolerance(double figure) {
  for (double unit = std::pow(10.0, std::floor(std::log10(figure))); unit > figure * 1e-12; unit /= 10) {
    const double ratio = figure / unit;
    if (std::abs(ratio - std::round(ratio)) < 1e-9 * ratio) return unit / 2;
  }
  return figure * 1e-12;
}

class Checker {
 public:
  Checker(Bill& bill, const ModelConfig& config, const Devices& devices, const BillClaim& claim)
      : bill_(bill), config_(config), devices_(devices), claim_(claim) {}

  void run() {
    check_sum();
    check_price();
    check_rates();
    for (const Stage& stage : claim_.stages) check_stage(stage);
    conclude();
  }

 private:
  void line(const std::string& step, double value, const std::string& unit, const std::string& source) {
    bill_.lines.push_back({step, value, unit, source});
  }

  void expect(const std::string& what, double computed, double published, double allowed) {
    const bool fits = std::abs(computed - published) <= allowed * (1 + 1e-9);
    if (fits) return;
    bill_.faults.push_back(fmt::format("{}: {} computed, {} published", what, compact_number(computed),
                                       compact_number(published)));
  }

  void check_sum() {
    double sum = 0, allowed = tolerance(claim_.hours);
    for (const Stage& stage : claim_.stages) {
      line(stage.name, stage.hours, "device-hours", claim_.source);
      sum += stage.hours;
      allowed += tolerance(stage.hours);
    }
    line("sum of the stages", sum, "device-hours", "arithmetic");
    line("total as published", claim_.hours, "device-hours", claim_.source);
    expect("sum of the stages", sum, claim_.hours, allowed);
  }

  void check_price() {
    const double usd = claim_.hours * bill_.price->usd_per_hour;
    line("price of an hour", bill_.price->usd_per_hour, "USD per device-hour", bill_.price->source);
    line("hours x price", usd, "USD", "arithmetic");
    line("cost as published", claim_.usd, "USD", claim_.source);
    expect("hours x price", usd, claim_.usd,
           tolerance(claim_.usd) + tolerance(claim_.hours) * bill_.price->usd_per_hour);
  }

  void check_rates() {
    const Stage& first = claim_.stages.front();
    if (!first.tokens) return;
    const double per_trillion = first.hours / (*first.tokens / kTrillion),
                 days = per_trillion / devices_.count / 24;
    line(first.name + " tokens", *first.tokens, "tokens", claim_.source);
    line("hours for a trillion tokens", per_trillion, "device-hours", "arithmetic");
    line(fmt::format("days for a trillion tokens on {:.0f} devices", devices_.count), days, "days",
         "arithmetic");
    line(fmt::format("days of {}", first.name), first.hours / devices_.count / 24, "days", "arithmetic");
    if (claim_.hours_per_trillion)
      expect("hours for a trillion tokens", per_trillion, *claim_.hours_per_trillion,
             tolerance(*claim_.hours_per_trillion));
    if (claim_.days_per_trillion)
      expect("days for a trillion tokens", days, *claim_.days_per_trillion,
             tolerance(*claim_.days_per_trillion));
  }

  void check_stage(const Stage& stage) {
    if (!stage.tokens) {
      bill_.does_not_show.push_back(
          fmt::format("{}: no tokens are published, so its hours cannot be checked", stage.name));
      return;
    }
    const ForwardFlops f = forward_flops(config_, stage.sequence_length);
    const double tokens_per_s = *stage.tokens / stage.hours / kHourSeconds;
    const double without = kTrainingPerForward * f.without_mtp(),
                 with = without + kTrainingPerForward * f.mtp;
    const std::string from =
        fmt::format("3 x forward, causal, {:.0f} tokens long, from config.json", stage.sequence_length);
    line(stage.name + ": rate of a device", tokens_per_s, "tokens/s", "arithmetic");
    line(stage.name + ": work of a token by 6 x active parameters", 6 * active_parameters(config_), "FLOP",
         "rule of thumb");
    line(stage.name + ": work of a token without MTP", without, "FLOP", from);
    line(stage.name + ": work of a token with MTP", with, "FLOP", from);
    line(stage.name + ": rate of a device without MTP", without * tokens_per_s, "FLOP/s", "arithmetic");
    line(stage.name + ": share of the bf16 peak without MTP", 100 * without * tokens_per_s / devices_.peak,
         "%", devices_.source);
    line(stage.name + ": share of the bf16 peak with MTP", 100 * with * tokens_per_s / devices_.peak, "%",
         devices_.source);
    line(stage.name + ": share of the fastest peak with MTP", 100 * with * tokens_per_s / devices_.fastest,
         "%", devices_.source);
    if (without * tokens_per_s > devices_.fastest) {
      impossible_ = true;
      bill_.faults.push_back(fmt::format("{}: {}FLOP/s a device is above the peak of {}FLOP/s", stage.name,
                                         compact_number(without * tokens_per_s),
                                         compact_number(devices_.fastest)));
    }
  }

  void conclude() {
    bill_.verdict = impossible_ ? "impossible" : bill_.faults.empty() ? "consistent" : "contradicted";
    bill_.reason =
        bill_.faults.empty()
            ? "the lines add up to the published precision and no implied rate exceeds the device's peak"
            : fmt::format("{}", fmt::join(bill_.faults, "; "));
    ASSAY_CHECK(bill_.faults.empty() == (bill_.verdict == "consistent"));
  }

  Bill& bill_;
  const ModelConfig& config_;
  const Devices& devices_;
  const BillClaim& claim_;
  bool impossible_ = false;
};

void add_range(Bill& bill, const std::vector<Price>& book, const std::string& device, double low_hours,
               double high_hours) {
  const Result<PriceRange> range = price_range(book, device);
  const double low = range.ok() ? range->low : bill.price->usd_per_hour,
               high = range.ok() ? range->high : bill.price->usd_per_hour;
  const std::string source = range.ok() ? range->source : bill.price->source;
  bill.low_usd = low_hours * low;
  bill.high_usd = high_hours * high;
  bill.lines.push_back({"cost at the lowest known price", bill.low_usd, "USD", source});
  bill.lines.push_back({"cost at the highest known price", bill.high_usd, "USD", source});
}

void add_words(Bill& bill, const Json& document) {
  bill.shows = {"whether stages, total, price and rates agree with each other to their published digits",
                "which rate each device must have sustained, and whether the device can reach it"};
  bill.does_not_show.push_back(
      "the hours are stated by the claimant and unaudited; step time x tokens leaves no room for restarts");
  bill.does_not_show.push_back(
      "the price is assumed, not paid: the range shows what other dated prices give");
  if (document.contains("excluded") && document["excluded"].is_array()) {
    for (const Json& entry : document["excluded"]) {
      if (entry.is_string()) bill.does_not_show.push_back("not in the bill: " + entry.get<std::string>());
    }
  }
  bill.does_not_show.push_back(
      "an independent run of this model on these devices at another rate, or an invoice, would contradict "
      "it");
}

struct Rate {
  double low = 0, value = 0, high = 0;  // FLOP/s of one device that end in the model
  std::string source, level;
};

// Sustained matrix-product rate of the rows that were measured for `subject`: all work over all time, of one device with one number of
// threads: a GPU if there is one, else the most threads. Training multiplies many tokens at a time, so products that wait for memory are left
// out, and so is what is no product of ours: operations, whose work is not all counted as flops, weights widened from codes, other libraries.
Result<std::optional<Rate>> measured_rate(const Database& database, const std::string& subject) {
  ASSAY_TRY(Statement statement, database.prepare(R"(
    WITH product AS (
      SELECT m.id, m.device_id, m.threads, m.flops, m.seconds_p50, d.kind
      FROM main.kernel_measurement m JOIN main.device d ON d.id = m.device_id
      WHERE m.what_for = ?1 AND m.kernel IN ('matmul-bf16', 'matmul-f32')
        AND coalesce(m.limit_name, '') NOT IN ('read bandwidth', 'copy bandwidth')),
    chosen AS (SELECT device_id, threads FROM product ORDER BY kind = 'gpu' DESC, threads DESC, id DESC LIMIT 1)
    SELECT sum(flops), sum(seconds_p50) FROM product JOIN chosen USING (device_id, threads))"));
  statement.bind(1, subject);
  ASSAY_TRY(const bool found, statement.next());
  ASSAY_CHECK(found);
  if (statement.is_null(0) || !(statement.real(1) > 0)) return std::optional<Rate>();
  const double kernels = statement.real(0) / statement.real(1);
  // Share of isolated kernel speed that a whole step keeps: 0.44 in DeepSeek-V3's own run against DeepGEMM's tables; 0.3 to 0.9 around it.
  return std::optional(Rate{0.3 * kernels, 0.44 * kernels, 0.9 * kernels,
                            "kernels measured on this machine x 0.44 (0.3 to 0.9)", "measured-kernels"});
}

Result<Rate> find_rate(const Json& document, const Devices& devices, const Database* database,
                       const std::string& subject, const std::string& file) {
  if (document.contains("utilisation")) {
    ASSAY_TRY(const Json* u, member(document, "utilisation", file));
    Rate rate{.low = 0, .value = 0, .high = 0, .source = "", .level = "stated"};
    ASSAY_TRY(rate.low, positive(*u, "low", file));
    ASSAY_TRY(rate.value, positive(*u, "value", file));
    ASSAY_TRY(rate.high, positive(*u, "high", file));
    ASSAY_TRY(rate.source, json_string(*u, "source", file));
    const bool ordered = rate.low <= rate.value && rate.value <= rate.high && rate.high <= 1;
    if (!ordered) return bad(file, "utilisation", "low <= value <= high <= 1");
    for (double* part : {&rate.low, &rate.value, &rate.high}) *part *= devices.peak;
    return rate;
  }
  if (database != nullptr) {
    ASSAY_TRY(const std::optional<Rate> measured, measured_rate(*database, subject));
    if (measured) return *measured;
  }
  // Published mixtures of experts on Hopper, share of the bf16 matrix ceiling: 10th percentile 0.22, median 0.26, 90th 0.43.
  return Rate{0.22 * devices.peak, 0.26 * devices.peak, 0.43 * devices.peak,
              "published runs: 0.26 of the bf16 peak (0.22 to 0.43)", "rule-of-thumb"};
}

}  // namespace

Result<Bill> check_bill(const Json& document, const std::vector<Price>& book, const std::string& file) {
  Bill bill;
  bill.level = "arithmetic";
  ASSAY_TRY(bill.subject, json_string(document, "subject", file));
  ASSAY_TRY(const ModelConfig config, read_config(document, file));
  ASSAY_TRY(const Devices devices, read_devices(document, file));
  ASSAY_TRY(const BillClaim claim, read_claim(document, file));
  ASSAY_TRY(bill.price, read_price(document, devices, file));
  bill.hours = claim.hours;
  bill.cost_usd = claim.hours * bill.price->usd_per_hour;
  Checker(bill, config, devices, claim).run();
  add_range(bill, book, devices.name, claim.hours, claim.hours);
  add_words(bill, document);
  return bill;
}

Result<Bill> estimate_bill(const Json& document, const std::vector<Price>& book, const Database* database,
                           const std::string& file) {
  Bill bill;
  ASSAY_TRY(bill.subject, json_string(document, "subject", file));
  ASSAY_TRY(const ModelConfig config, read_config(document, file));
  ASSAY_TRY(const Devices devices, read_devices(document, file));
  ASSAY_TRY(bill.price, read_price(document, devices, file));
  ASSAY_TRY(const double tokens, positive(document, "tokens", file));
  ASSAY_TRY(const double length, positive(document, "sequence_length", file));
  ASSAY_TRY(const Rate rate, find_rate(document, devices, database, bill.subject, file));
  const ForwardFlops f = forward_flops(config, length);
  const double work = kTrainingPerForward * (f.without_mtp() + f.mtp);
  const auto hours = [&](double flops_per_s) { return work * tokens / flops_per_s / kHourSeconds; };
  bill.level = rate.level;
  bill.uses_measurements = rate.level == "measured-kernels";
  bill.verdict = "estimate";
  bill.hours = hours(rate.value);
  bill.cost_usd = *bill.hours * bill.price->usd_per_hour;
  bill.lines = {{"tokens", tokens, "tokens", "as planned"},
                {"work of a token with MTP", work, "FLOP", "3 x forward, causal, from config.json"},
                {"rate of a device", rate.value, "FLOP/s", rate.source},
                {"hours", bill.hours, "device-hours", "arithmetic"},
                {"hours at the high rate", hours(rate.high), "device-hours", rate.source},
                {"hours at the low rate", hours(rate.low), "device-hours", rate.source},
                {"days on all devices", *bill.hours / devices.count / 24, "days", "arithmetic"},
                {"cost", bill.cost_usd, "USD", bill.price->source}};
  add_range(bill, book, devices.name, hours(rate.high), hours(rate.low));
  bill.reason = fmt::format("{}: {} device-hours", rate.source, compact_number(*bill.hours));
  bill.does_not_show = {"restarts, evaluations, failed runs and research",
                        "exchange between devices is in the rate only as far as its source has it"};
  return bill;
}

Result<std::int64_t> record_bill(Database& database, const Bill& bill) {
  ASSAY_TRY(Transaction transaction, Transaction::begin(database));
  std::optional<std::int64_t> price;
  if (bill.price) {
    ASSAY_TRY(price, price_row(database, *bill.price));
  }
  ASSAY_TRY(Statement remove, database.prepare("DELETE FROM cost_estimate WHERE subject = ? AND stage = ? AND level = ?"));
  ASSAY_OK(remove.with(bill.subject, bill.stage, bill.level).run());
  ASSAY_TRY(Statement insert, database.prepare(R"(
    INSERT INTO cost_estimate (subject, stage, hours, cost_usd, low_usd, high_usd, level, price_id, uses_measurements, verdict, reason)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?))"));
  insert.with(bill.subject, bill.stage, bill.hours, bill.cost_usd, bill.low_usd, bill.high_usd, bill.level,
              price, bill.uses_measurements, bill.verdict, bill.reason);
  ASSAY_OK(insert.run());
  const std::int64_t id = database.last_id();
  ASSAY_TRY(Statement line, database.prepare("INSERT INTO cost_line VALUES (?, ?, ?, ?, ?, ?)"));
  for (std::size_t i = 0; i < bill.lines.size(); ++i) {
    const BillLine& l = bill.lines[i];
    ASSAY_OK(line.with(id, i, l.step, l.value, l.unit, l.source).run());
  }
  ASSAY_OK(transaction.commit());
  return id;
}

Json bill_json(const Bill& bill) {
  const auto number = [](const std::optional<double>& value) {
    return value ? finite_or_null(*value) : Json(nullptr);
  };
  Json lines = Json::array();
  for (const BillLine& l : bill.lines) {
    lines.push_back({{"step", l.step}, {"value", number(l.value)}, {"unit", l.unit}, {"source", l.source}});
  }
  return {{"subject", bill.subject},
          {"stage", bill.stage},
          {"hours", number(bill.hours)},
          {"cost", number(bill.cost_usd)},
          {"low", number(bill.low_usd)},
          {"high", number(bill.high_usd)},
          {"level", bill.level},
          {"lines", lines},
          {"verdict", bill.verdict},
          {"reason", bill.reason},
          {"faults", bill.faults},
          {"shows", bill.shows},
          {"does_not_show", bill.does_not_show}};
}

std::string bill_text(const Bill& bill) {
  std::string out = fmt::format("{}: {}\n  {}\n\n", bill.subject, bill.verdict, bill.reason);
  for (const BillLine& l : bill.lines) {
    out += fmt::format("{:>12}  {:<20} {}  [{}]\n", l.value ? compact_number(*l.value) : "-", l.unit, l.step,
                       l.source);
  }
  for (const std::string& words : bill.shows) out += "shows: " + words + "\n";
  for (const std::string& words : bill.does_not_show) out += "does not show: " + words + "\n";
  if (!out.empty()) out.pop_back();
  return out;
}

}  // namespace assay
