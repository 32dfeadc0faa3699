// Weights held against each other: statuses, the independence test against enumeration and its null, verdicts on the bundled
// model, its fork, children with noise and siblings from another seed.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/rng.h"
#include "eval/compare/similarity_weights.h"
#include "reference/weights/writer.h"
#include "reports/query.h"
#include "tests/catch.h"
#include "tests/command.h"
#include "tests/scratch.h"

namespace {

using namespace assay;
namespace fs = std::filesystem;

const std::string kDemoFolder = std::string(ASSAY_TREE) + "/suites/data/demo/";

std::vector<float> normals(std::uint64_t seed, std::uint64_t stream, std::size_t n, double sd = 1) {
  Stream random(seed, stream);
  std::vector<float> out(n);
  for (float& value : out) value = static_cast<float>(sd * random.normal());
  return out;
}

// A small model of `layers` MLPs (16 hidden units of width 24) and a norm; `edit` changes the numbers of a layer.
template <class Edit>
std::string write_model(const Scratch& scratch, const std::string& name, std::uint64_t seed, Edit edit) {
  std::vector<std::vector<float>> values;
  std::vector<TensorOut> tensors;
  values.reserve(20);
  for (std::uint64_t layer = 0; layer < 8; ++layer) {
    values.push_back(normals(seed, layer, 16 * 24, 0.02));
    edit(layer, values.back());
    tensors.push_back(
        tensor_out("model.layers." + std::to_string(layer) + ".mlp.up_proj.weight", {16, 24}, values.back()));
  }
  values.emplace_back(24, 1.0F);
  tensors.push_back(tensor_out("model.norm.weight", {24}, values.back()));
  const std::string file = scratch / name;
  REQUIRE(write_safetensors(file, tensors).ok());
  return file;
}

const auto kAsDrawn = [](std::uint64_t, std::vector<float>&) {};

Result<WeightSimilarity> compare(const std::string& a, const std::string& b, int siblings = 199) {
  ThreadPool pool(1);
  ASSAY_TRY(const Checkpoint left, Checkpoint::open(a));
  ASSAY_TRY(const Checkpoint right, Checkpoint::open(b));
  return compare_weights("a", CheckpointRows(left, {}), "b", CheckpointRows(right, {}),
                         {.siblings = siblings}, pool);
}

TEST_CASE("trace test: mean and variance are those of all permutations") {
  constexpr std::size_t n = 5, d = 7;
  const auto a = normals(1, 0, n * d), b = normals(2, 0, n * d);
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  const auto cosine = [&](std::size_t i, std::size_t j) {
    double ab = 0, aa = 0, bb = 0;
    for (std::size_t k = 0; k < d; ++k) {
      const double x = a[i * d + k], y = b[j * d + k];
      ab += x * y;
      aa += x * x;
      bb += y * y;
    }
    return ab / std::sqrt(aa * bb);
  };
  std::vector<double> traces;
  do {
    double trace = 0;
    for (std::size_t i = 0; i < n; ++i) trace += cosine(i, order[i]);
    traces.push_back(trace);
  } while (std::next_permutation(order.begin(), order.end()));
  REQUIRE(traces.size() == 120);
  const double mean = std::accumulate(traces.begin(), traces.end(), 0.0) / 120;
  double variance = 0;
  for (const double t : traces) variance += (t - mean) * (t - mean) / 120;
  const TraceResult result = trace_test(a, b, n, d);
  CHECK(result.z ==
        Approx((traces[0] - mean) / std::sqrt(variance)).epsilon(1e-9));  // the identity comes first
  CHECK(result.mean_cosine == Approx(traces[0] / n).epsilon(1e-12));
}

TEST_CASE("trace test: independent matrices give a z of mean 0 and variance 1") {
  double sum = 0, squares = 0;
  constexpr int kDraws = 2000;
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    const double z = trace_test(normals(3, i, 16 * 24), normals(4, i, 16 * 24), 16, 24).z;
    sum += z;
    squares += z * z;
  }
  CHECK(std::abs(sum / kDraws) < 4 / std::sqrt(2000.0));
  CHECK(std::abs(squares / kDraws - 1) < 4 * std::sqrt(2.0 / kDraws));
}

TEST_CASE("trace test: rows of zeros and equal rows decide nothing") {
  const std::vector<float> zeros(4 * 3, 0.0F), ones(4 * 3, 1.0F);
  CHECK(trace_test(zeros, zeros, 4, 3).z == 0);
  CHECK(trace_test(ones, ones, 4, 3).z == 0);
}

TEST_CASE("similarity of weights: a file and itself are identical") {
  Scratch scratch;
  const std::string a = write_model(scratch, "a.safetensors", 1, kAsDrawn);
  const auto same = compare(a, a);
  REQUIRE(same.ok());
  CHECK(same->verdict == "SAME_WEIGHTS");
  CHECK(same->count(TensorStatus::identical) == 9);
  for (const TensorComparison& t : same->tensors) {
    CHECK(t.rel_error == 0);
    CHECK(t.cosine == 1);
    CHECK(t.max_abs == 0);
  }
}

TEST_CASE("similarity of weights: a child with noise descends, a stranger does not") {
  Scratch scratch;
  const std::string parent = write_model(scratch, "parent.safetensors", 1, kAsDrawn);
  const std::string child =
      write_model(scratch, "child.safetensors", 1, [](std::uint64_t layer, std::vector<float>& values) {
        const auto noise = normals(99, layer, values.size(), 0.02);  // as large as the weights themselves
        for (std::size_t i = 0; i < values.size(); ++i) values[i] += noise[i];
      });
  const std::string stranger = write_model(scratch, "stranger.safetensors", 2, kAsDrawn);
  const auto related = compare(parent, child);
  REQUIRE(related.ok());
  CHECK(related->verdict == "WEIGHTS_DESCEND");
  CHECK(related->count(TensorStatus::changed) == 8);
  CHECK(related->count(TensorStatus::identical) == 1);
  CHECK(related->test.p == Approx(1.0 / 200));
  CHECK(related->test.effect == Approx(std::sqrt(0.5)).margin(0.05));  // cosine of x and x + y
  const auto unrelated = compare(parent, stranger);
  REQUIRE(unrelated.ok());
  CHECK(unrelated->verdict == "WEIGHTS_INDEPENDENT_NOT_REJECTED");
  CHECK(unrelated->count(TensorStatus::unrelated) == 8);
  CHECK(unrelated->test.low < 0.1);
  for (const TensorComparison& t : unrelated->tensors) {
    if (t.status == TensorStatus::unrelated) CHECK(t.rel_error == Approx(std::sqrt(2.0)).margin(0.2));
  }
}

TEST_CASE("similarity of weights: permuted hidden units are what it says it does not show") {
  Scratch scratch;
  const std::string parent = write_model(scratch, "parent.safetensors", 1, kAsDrawn);
  const std::string permuted =
      write_model(scratch, "permuted.safetensors", 1, [](std::uint64_t, std::vector<float>& values) {
        std::rotate(values.begin(), values.begin() + 24, values.end());
      });
  const auto result = compare(parent, permuted);
  REQUIRE(result.ok());
  CHECK(result->verdict == "WEIGHTS_INDEPENDENT_NOT_REJECTED");
  CHECK(result->does_not_show.find("permuted") != std::string::npos);
}

TEST_CASE("similarity of weights: strangers are accused no more often than alpha says") {
  Scratch scratch;
  const std::string parent = write_model(scratch, "parent.safetensors", 1, kAsDrawn);
  int accused = 0, low = 0;
  for (std::uint64_t seed = 100; seed < 130; ++seed) {
    const auto result = compare(parent, write_model(scratch, "s.safetensors", seed, kAsDrawn), 99);
    REQUIRE(result.ok());
    accused += result->verdict == "WEIGHTS_DESCEND";
    low += result->test.p <= 0.5;
  }
  CHECK(accused <= 2);  // 0.3 expected of 30
  CHECK(low >= 6);      // 15 expected: p is spread over (0, 1]
  CHECK(low <= 24);
}

TEST_CASE("similarity of weights: without a panel the verdict is INCONCLUSIVE") {
  Scratch scratch;
  const std::string a = write_model(scratch, "a.safetensors", 1, kAsDrawn),
                    b = write_model(scratch, "b.safetensors", 2, kAsDrawn);
  CHECK(compare(a, b, 0)->verdict == "INCONCLUSIVE");
  const auto small = compare(a, b, 9);  // the smallest p is 0.1
  CHECK(small->verdict == "INCONCLUSIVE");
  CHECK(small->test.p_min == Approx(0.1));
}

TEST_CASE("similarity of weights: tensors of one side, other shapes, rounded copies") {
  Scratch scratch;
  const auto values = normals(5, 0, 64);
  std::vector<std::uint16_t> rounded(64);
  std::transform(values.begin(), values.end(), rounded.begin(), round_bf16);
  std::vector<std::uint16_t> off = rounded;
  off[3] = static_cast<std::uint16_t>(off[3] + 2);  // two steps: rounding does not explain it
  const std::vector<TensorOut> a = {tensor_out("left", {64}, values), tensor_out("shape", {8, 8}, values),
                                    tensor_out("round", {64}, values), tensor_out("off", {64}, values),
                                    tensor_out("scalar", {}, std::span(values).subspan(0, 1))};
  const std::vector<TensorOut> b = {tensor_out("right", {64}, values), tensor_out("shape", {4, 16}, values),
                                    tensor_out_bf16("round", {64}, rounded),
                                    tensor_out_bf16("off", {64}, off),
                                    tensor_out("scalar", {}, std::span(values).subspan(0, 1))};
  REQUIRE(write_safetensors(scratch / "a.safetensors", a).ok());
  REQUIRE(write_safetensors(scratch / "b.safetensors", b).ok());
  const auto result = compare(scratch / "a.safetensors", scratch / "b.safetensors");
  REQUIRE(result.ok());
  CHECK(result->verdict == "INCONCLUSIVE");  // no hidden layer to test
  std::map<std::string, std::string> status;
  for (const TensorComparison& t : result->tensors) status[t.name] = name_of(t.status);
  CHECK(status == std::map<std::string, std::string>{{"left", "only-a"},
                                                     {"off", "changed"},
                                                     {"right", "only-b"},
                                                     {"round", "requantised"},
                                                     {"scalar", "identical"},
                                                     {"shape", "shape-differs"}});
  CHECK(std::isnan(result->tensors[0].cosine));
}

TEST_CASE("similarity of weights: numbers that are not finite are changed, not a crash") {
  Scratch scratch;
  auto values = normals(5, 0, 32);
  const std::vector<TensorOut> a = {tensor_out("t", {32}, values)};
  REQUIRE(write_safetensors(scratch / "a.safetensors", a).ok());
  values[7] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<TensorOut> b = {tensor_out("t", {32}, values)};
  REQUIRE(write_safetensors(scratch / "b.safetensors", b).ok());
  const auto result = compare(scratch / "a.safetensors", scratch / "b.safetensors");
  REQUIRE(result.ok());
  CHECK(result->tensors[0].status == TensorStatus::changed);
  CHECK(weight_similarity_json(*result).at("tensors")[0].at("rel_error").is_null());
  CHECK(compare(scratch / "b.safetensors", scratch / "b.safetensors")->tensors[0].status ==
        TensorStatus::identical);
}

TEST_CASE("similarity of weights: the bundled model, its fork and a sibling") {
  ThreadPool pool(2);
  const auto pairs = similarity_of_weights(kDemoFolder + "model", kDemoFolder + "model-fp8", {}, pool);
  REQUIRE(pairs.ok());
  REQUIRE(pairs->size() == 2);
  const WeightSimilarity& fork = (*pairs)[0];
  CHECK(fork.verdict == "SAME_WEIGHTS");
  CHECK(fork.count(TensorStatus::requantised) == 184);
  CHECK(fork.count(TensorStatus::identical) == 37);
  for (const TensorComparison& t : fork.tensors) {
    if (t.status != TensorStatus::requantised) continue;
    CHECK(t.rel_error >
          0.01);  // e4m3 rounds by up to 1/16 of a number: what is smaller was not rounded to it
    CHECK(t.rel_error < 0.0625);
  }
  const WeightSimilarity& control = (*pairs)[1];
  CHECK(control.verdict == "WEIGHTS_INDEPENDENT_NOT_REJECTED");
  CHECK(control.count(TensorStatus::unrelated) >= 215);
  CHECK(control.count(TensorStatus::identical) == 0);
}

TEST_CASE("similarity of weights: threads do not show") {
  ThreadPool one(1), three(3);
  const auto a = similarity_of_weights(kDemoFolder + "model", kDemoFolder + "model-fp8", {.siblings = 5}, one);
  const auto b = similarity_of_weights(kDemoFolder + "model", kDemoFolder + "model-fp8", {.siblings = 5}, three);
  REQUIRE(a.ok());
  REQUIRE(b.ok());
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(dump_json(weight_similarity_json((*a)[i])) == dump_json(weight_similarity_json((*b)[i])));
  }
}

TEST_CASE("similarity of weights: FP8 without scales is refused") {
  Scratch scratch;
  const std::vector<std::uint8_t> codes(16, 0x38);
  const std::vector<TensorOut> bad = {
      {.name = "w", .format = Format::F8_E4M3, .shape = {4, 4}, .bytes = std::as_bytes(std::span(codes))}};
  REQUIRE(write_safetensors(scratch / "bad.safetensors", bad).ok());
  const auto result = compare(scratch / "bad.safetensors", scratch / "bad.safetensors");
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code == Code::missing_tensor);
}

TEST_CASE("similarity of weights: the command stores what it prints") {
  Scratch scratch;
  const auto run =
      run_assay({"similarity", "weights", kDemoFolder + "model", kDemoFolder + "model-fp8", "--siblings", "99", "--json"},
                scratch.path());
  REQUIRE(run.code == 0);
  const auto document = parse_json(run.out, "stdout");
  REQUIRE(document.ok());
  const Json& pairs = document->at("pairs");
  REQUIRE(pairs.size() == 2);
  for (const char* field : {"a", "b", "test", "statistic", "effect", "low", "high", "p", "p_adjusted",
                            "p_min", "verdict", "does_not_show"}) {
    INFO(field);
    CHECK(pairs[0].contains(field));
  }
  const auto database = Database::open_read_only(scratch / "assay.db");
  REQUIRE(database.ok());
  const auto rows = similarity_rows(*database);
  REQUIRE(rows.ok());
  REQUIRE(rows->size() == 2);
  CHECK((*rows)[0].verdict == pairs[0].at("verdict").get<std::string>());
  const auto tensors = tensor_similarity_rows(*database, (*rows)[0].id);
  REQUIRE(tensors.ok());
  CHECK(tensors->size() == 221);
  CHECK(run_assay({"similarity", "outputs", "x"}, scratch.path()).code == 3);  // no such file
  CHECK(run_assay({"similarity", "weights", kDemoFolder + "model", "/no/such"}, scratch.path()).code == 3);
}

}  // namespace
