// DeepSeek-V3's bill against the figures of its report and of NVIDIA's counts; edited bills against the rules.
#include "eval/cost/cost.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "tests/catch.h"
#include "tests/report_fixture.h"

using namespace assay;

namespace {

const std::string kPath = std::string(ASSAY_TREE) + "/suites/data/cost/deepseek-v3.json";

Json document() {
  Result<Json> json = read_json_file(kPath);
  REQUIRE(json.ok());
  return *std::move(json);
}

std::vector<Price> book() {
  Result<std::vector<Price>> prices = read_prices(std::string(ASSAY_TREE) + "/suites/data/prices.json");
  if (!prices.ok()) FAIL(prices.error().text());
  return *std::move(prices);
}

Bill checked(const Json& json) {
  Result<Bill> bill = check_bill(json, book(), kPath);
  if (!bill.ok()) FAIL(bill.error().text());
  return *std::move(bill);
}

double line(const Bill& bill, const std::string& step) {
  for (const BillLine& l : bill.lines) {
    if (l.step == step) return l.value.value();
  }
  FAIL("no line " << step);
  return 0;
}

Error refusal(const Json& json) {
  const Result<Bill> bill = check_bill(json, book(), "bill.json");
  REQUIRE_FALSE(bill.ok());
  return bill.error();
}

}  // namespace

TEST_CASE("cost: DeepSeek-V3's forward pass is counted part by part") {
  const Result<ModelConfig> config = parse_model_config(document()["config"], kPath);
  REQUIRE(config.ok());
  const ForwardFlops f = forward_flops(*config, 4096);
  CHECK(f.routed_experts == Approx(40.87e9).epsilon(1e-3));
  CHECK(f.attention_projections == Approx(22.83e9).epsilon(1e-3));
  CHECK(f.attention_core == Approx(10.23e9).epsilon(1e-3));
  CHECK(f.shared_expert == Approx(5.11e9).epsilon(1e-3));
  CHECK(f.mtp == Approx(3.40e9).epsilon(2e-3));
  CHECK(f.dense_layers == Approx(2.38e9).epsilon(2e-3));
  CHECK(f.head == Approx(1.85e9).epsilon(2e-3));
  CHECK(f.router == Approx(0.21e9).epsilon(2e-2));
  CHECK(3 * f.without_mtp() == Approx(249.7e9).epsilon(6e-3));  // 385 TFLOP/s x 2048 x 86400 / 272.8B tokens
  CHECK(3 * (f.without_mtp() + f.mtp) == Approx(260.0e9).epsilon(6e-3));  // NVIDIA's count
  CHECK(active_parameters(*config) == Approx(37.55e9).epsilon(1e-3));
}

TEST_CASE("cost: the published bill of DeepSeek-V3 is consistent, line by line") {
  const Bill bill = checked(document());
  INFO(bill.reason);
  CHECK(bill.verdict == "consistent");
  CHECK(line(bill, "sum of the stages") == 2788000);
  CHECK(line(bill, "hours x price") == 5576000);
  CHECK(line(bill, "hours for a trillion tokens") == Approx(180000));
  CHECK(line(bill, "days for a trillion tokens on 2048 devices") == Approx(3.662).epsilon(1e-3));
  CHECK(line(bill, "days of pre-training") == Approx(54.2).epsilon(1e-3));
  CHECK(line(bill, "pre-training: rate of a device") == Approx(1543).epsilon(1e-3));
  CHECK(line(bill, "pre-training: share of the bf16 peak without MTP") == Approx(39.1).epsilon(2e-3));
  CHECK(line(bill, "pre-training: share of the bf16 peak with MTP") == Approx(40.7).epsilon(2e-3));
  CHECK(line(bill, "pre-training: share of the fastest peak with MTP") == Approx(20.3).epsilon(3e-3));
  CHECK(line(bill, "context-extension: share of the bf16 peak with MTP") == Approx(25.3).epsilon(3e-3));
  CHECK(bill.low_usd == Approx(2788000 * 1.70));
  CHECK(bill.high_usd == Approx(2788000 * 2.99));
  CHECK_FALSE(bill.uses_measurements);
  CHECK(bill.does_not_show.size() >= 5);
}

TEST_CASE("cost: bills that do not add up are contradicted, rates above the peak impossible") {
  Json sum = document();
  sum["claim"]["stages"][2]["hours"] = 50000;
  CHECK(checked(sum).verdict == "contradicted");
  CHECK(checked(sum).faults.size() == 1);
  Json price = document();
  price["price"]["usd_per_hour"] = 2.5;
  CHECK(checked(price).verdict == "contradicted");
  Json rate = document();
  rate["claim"]["hours_per_trillion_tokens"] = 160000;
  CHECK(checked(rate).verdict == "contradicted");
  Json days = document();
  days["devices"]["count"] = 1024;
  CHECK(checked(days).verdict == "contradicted");
  Json fast = document();  // ten times the tokens in the same hours: twice the FP8 peak
  fast["claim"]["stages"][0]["tokens"] = 148e12;
  CHECK(checked(fast).verdict == "impossible");
  Json rounded = document();  // 2.8M is the same claim with fewer digits
  rounded["claim"]["hours"] = 2800000;
  rounded["claim"]["usd"] = 5600000;
  CHECK(checked(rounded).verdict == "consistent");
}

TEST_CASE("cost: faults of the document are refused by name") {
  Json json = document();
  json.erase("subject");
  CHECK(refusal(json).code == Code::missing_field);
  json = document();
  json["claim"]["hours"] = -1;
  CHECK(refusal(json).field == "hours");
  json = document();
  json["claim"]["stages"] = Json::array();
  CHECK(refusal(json).field == "stages");
  json = document();
  json.erase("devices");
  CHECK(refusal(json).field == "devices");
  json = document();
  json["config"]["model_type"] = "unheard-of";
  CHECK(refusal(json).code == Code::unsupported);
}

TEST_CASE("cost: an estimate follows the stated utilisation, the measured kernels or the rule of thumb") {
  Json json = document();
  json["tokens"] = 14.8e12;
  json["sequence_length"] = 4096;
  const Bill thumb = *estimate_bill(json, book(), nullptr, "plan.json");
  CHECK(thumb.level == "rule-of-thumb");
  json["utilisation"] = {{"value", 0.4067}, {"low", 0.35}, {"high", 0.45}, {"source", "the run itself"}};
  const Bill stated = *estimate_bill(json, book(), nullptr, "plan.json");
  CHECK(stated.level == "stated");
  CHECK(*stated.hours == Approx(2664000).epsilon(3e-3));  // its own utilisation gives its own hours
  CHECK(*stated.low_usd < *stated.cost_usd);
  CHECK(*stated.high_usd > *stated.cost_usd);
  json["utilisation"]["high"] = 1.5;
  CHECK_FALSE(estimate_bill(json, book(), nullptr, "plan.json").ok());

  const test::Folder folder;
  Result<Database> database = Database::create(folder.file("a.db"));
  REQUIRE(database->run(test::sample_rows({})).ok());
  json.erase("utilisation");
  json["subject"] = "model";
  const Bill measured = *estimate_bill(json, book(), &*database, "plan.json");
  CHECK(measured.level == "measured-kernels");
  CHECK(measured.uses_measurements);
  CHECK(line(measured, "rate of a device") == Approx(0.44 * 3276800 / 0.001));
}

TEST_CASE("cost: the measured rate is that of our products of many tokens on one device") {
  Json json = document();
  json["tokens"] = 14.8e12;
  json["sequence_length"] = 4096;
  json["subject"] = "model";
  const test::Folder folder;
  Result<Database> database = Database::create(folder.file("a.db"));
  REQUIRE(database->run(test::sample_rows({})).ok());
  const auto rate = [&] { return line(*estimate_bill(json, book(), &*database, "plan.json"), "rate of a device"); };
  const double before = rate();
  const auto add = [&](int device, const char* kernel, int threads, double flops, const char* limit) {
    REQUIRE(database
                ->run(fmt::format("INSERT INTO kernel_measurement (device_id, kernel, shape, isa, what_for, threads, "
                                  "seconds_p50, spread, repetitions, flops, bytes, fraction_of_limit, limit_name, "
                                  "measured_at_utc) VALUES ({}, '{}', 's', 'avx2', 'model', {}, 0.001, 0, 5, {}, 1, "
                                  "0.5, '{}', 't')",
                                  device, kernel, threads, flops, limit))
                .ok());
  };
  for (const char* kernel : {"attention", "experts-bf16", "head-bf16", "rms-norm", "pack-bf16", "matmul-e4m3",
                             "gemm-library", "cublas-bf16"})
    add(1, kernel, 2, 1e6, "fp32 FMA peak");
  add(1, "matmul-bf16", 2, 1e6, "read bandwidth");
  add(1, "matmul-bf16", 1, 1e6, "fp32 FMA peak");  // fewer threads
  CHECK(rate() == Approx(before));
  add(1, "matmul-bf16", 2, 1e6, "fp32 FMA peak");
  CHECK(rate() == Approx(0.44 * (3276800 + 1e6) / 0.002));
  REQUIRE(database->run("INSERT INTO device (id, name, kind, cores, memory_bytes, isa) VALUES (77, 'G', 'gpu', 1, 1, 'sm_90')")
              .ok());
  add(77, "matmul-bf16", 1, 5e9, "best cuBLAS bf16 here");
  CHECK(rate() == Approx(0.44 * 5e9 / 0.001));
}

TEST_CASE("cost: a bill is recorded with its lines and its price, replacing the older one of its subject") {
  const test::Folder folder;
  Result<Database> database = Database::create(folder.file("a.db"));
  REQUIRE(database.ok());
  const Bill bill = checked(document());
  REQUIRE(record_bill(*database, bill).ok());
  REQUIRE(record_bill(*database, bill).ok());
  Result<Statement> lines =
      database->prepare("SELECT (SELECT count(*) FROM cost_line), (SELECT count(*) FROM price)");
  REQUIRE(*lines->next());
  CHECK(lines->integer(0) == static_cast<std::int64_t>(bill.lines.size()));
  CHECK(lines->integer(1) == 1);
  const Json json = bill_json(bill);
  for (const char* key : {"stage", "hours", "cost", "low", "high", "level", "lines", "verdict"})
    CHECK(json.contains(key));
}

TEST_CASE("cost: a machine's price is the processors' and a broken book is refused") {
  const Result<Price> price = machine_price(book(), 2);
  REQUIRE(price.ok());
  CHECK(price->usd_per_hour == Approx(0.085));
  CHECK(price->unit == "machine-hour");
  CHECK_FALSE(machine_price({}, 2).ok());
  CHECK_FALSE(price_range(book(), "abacus").ok());
  CHECK(price_range(book(), "H100 SXM")->low == 1.70);
  const test::Folder folder;
  REQUIRE(write_file_atomic(
              folder.file("p.json"),
              R"({"prices": [{"device": "x", "usd_per_hour": 0, "unit": "u", "as_of": "d", "source": "s"}]})")
              .ok());
  CHECK(read_prices(folder.file("p.json")).error().field == "usd_per_hour");
  REQUIRE(write_file_atomic(folder.file("q.json"), "{}").ok());
  CHECK(read_prices(folder.file("q.json")).error().code == Code::missing_field);
}
