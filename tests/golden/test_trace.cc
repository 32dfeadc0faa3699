// Traces of both paths: the same bits however the work is cut up, f32 within its bound of f64, and where two part.
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "eval/compare/trace_diff.h"
#include "eval/runs/logits_run.h"
#include "tests/command.h"
#include "tests/golden/hf_cases.h"

using namespace assay;

namespace {

const std::string kTracedModel = ASSAY_TREE "/suites/data/demo/model";

// Prompts that share a beginning, so that prefixes are reused, and one longer than a page of keys.
std::string ids_file(const Scratch& scratch) {
  std::string text = "[";
  for (int prompt = 0; prompt < 3; ++prompt) {
    text += prompt == 0 ? "[" : ",[";
    for (int i = 0; i < 70 + prompt; ++i)
      text += std::to_string(3 + (i < 66 ? i * 7 : i * 11 + prompt * 13) % 1000) +
              (i + 1 < 70 + prompt ? "," : "]");
  }
  return scratch.write("ids.json", text + "]");
}

std::string traced(const Scratch& scratch, const std::string& name, LogitsJob job) {
  if (job.model.empty()) job.model = kTracedModel;
  if (job.ids_path.empty()) job.ids_path = ids_file(scratch);
  job.trace_path = scratch / name;
  const auto report = run_logits(job);
  if (!report.ok()) FAIL(report.error().text());
  return job.trace_path;
}

TraceDifference difference(const std::string& a, const std::string& b, std::optional<double> tolerance = {}) {
  auto out = diff_traces(a, b, tolerance);
  if (!out.ok()) FAIL(out.error().text());
  return std::move(*out);
}

std::string bytes_of(const std::string& path) {
  auto text = read_file(path);
  REQUIRE(text.ok());
  return std::move(*text);
}

}  // namespace

TEST_CASE("trace: the same bytes over threads, waves, shared prefixes and instruction sets") {
  const Scratch scratch;
  const std::string plain =
      bytes_of(traced(scratch, "plain", {.trace_tensors = "q,residual", .engine = {.isa = "scalar"}}));
  const std::vector<EngineOptions> ways = {
      {.threads = 2, .isa = "scalar"},
      {.wave_tokens = 80, .isa = "scalar"},
      {.threads = 2, .wave_tokens = 150, .prefix_reuse = false, .isa = "scalar"}};
  for (const EngineOptions& way : ways) {
    INFO("threads " << way.threads << " wave " << way.wave_tokens << " reuse " << way.prefix_reuse);
    CHECK(bytes_of(traced(scratch, "other", {.trace_tensors = "q,residual", .engine = way})) == plain);
  }
  const TraceDifference best =
      difference(scratch / "plain", traced(scratch, "best", {.engine = {.threads = 2}}));
  CHECK(best.same());
  CHECK(best.decisions == 3 * (70 + 71 + 72));
}

TEST_CASE("trace: tracing changes no logit, and every point is there once a layer, with true figures") {
  const Scratch scratch;
  const std::string ids = ids_file(scratch), out = scratch / "a.safetensors",
                    silent = scratch / "b.safetensors";
  REQUIRE(run_logits({.model = kTracedModel,
                      .ids_path = ids,
                      .out_path = out,
                      .trace_path = scratch / "trace",
                      .trace_tensors = "all"})
              .ok());
  REQUIRE(run_logits({.model = kTracedModel, .ids_path = ids, .out_path = silent}).ok());
  CHECK(bytes_of(out) == bytes_of(silent));
  const auto trace = TraceFile::open(scratch / "trace");
  REQUIRE(trace.ok());
  CHECK(trace->points().size() == 1 + 4 * 11 - 1 + 2);  // the dense first layer has no router
  const auto logits = Checkpoint::open(out);
  REQUIRE(logits.ok());
  const std::size_t last = trace->points().size() - 1;
  CHECK(trace->points()[last].text() == "logits");
  const auto expected = hf::values<float>(*logits, "logits.1");
  const auto got = trace->values(1, last);
  CHECK(std::equal(expected.begin(), expected.end(), got.begin(), got.end(),
                   [](float a, double b) { return a == static_cast<float>(b); }));
  for (std::size_t p = 0; p < trace->points().size(); ++p) {
    const auto values = trace->values(2, p);
    const auto width = static_cast<std::size_t>(trace->width(p));
    REQUIRE(values.size() == 72 * width);
    double largest = 0;
    for (std::size_t i = 0; i < width; ++i) largest = std::max(largest, std::abs(values[5 * width + i]));
    CHECK(trace->absmax(2, p)[5] == largest);
    CHECK(trace->nans(2, p)[5] == 0);
  }
}

TEST_CASE("trace: a row's digest is the first eight bytes of its SHA-256") {
  PromptTrace trace;
  const float row[] = {1.0F, -2.5F, std::numeric_limits<float>::quiet_NaN()};
  trace.add(Point::q, 3, std::span<const float>(row));
  const PointRows& rows = trace.points().at({3, Point::q});
  std::uint64_t expected = 0;
  const std::string hex = Sha256().add(row, sizeof row).hex();
  for (int i = 7; i >= 0; --i)
    expected = expected << 8 | std::stoul(hex.substr(static_cast<std::size_t>(2 * i), 2), nullptr, 16);
  CHECK(static_cast<std::uint64_t>(rows.digests[0]) == expected);
  CHECK(rows.absmax[0] == 2.5);
  CHECK(rows.nans[0] == 1);
  CHECK(rows.f32.empty());
}

TEST_CASE(
    "trace diff: f32 stays within its derived bound of the f64 oracle at every point, and is not the same") {
  if (!hf::present()) return;
  for (const std::string name :
       {"deepseek_v3-fp8", "deepseek_v2-group", "qwen3_moe-headdim", "olmoe-clip", "llama-bias"}) {
    const Scratch scratch;
    const hf::Variant v = hf::load(name);
    std::string ids = "[[";
    for (std::size_t i = 0; i < v.cases[3].ids.size(); ++i)
      ids += (i == 0 ? "" : ",") + std::to_string(v.cases[3].ids[i]);
    const std::string file = scratch.write("own.json", ids + "]]"), model = hf::kRoot + "/" + name;
    const auto f32 = traced(scratch, "f32", {.model = model, .ids_path = file, .trace_tensors = "all"});
    const auto f64 =
        traced(scratch, "f64", {.model = model, .ids_path = file, .oracle = true, .trace_tensors = "all"});
    const TraceDifference d = difference(f32, f64);
    INFO(name << "\n" << to_text(d));
    CHECK(d.same());
    double worst = 0, largest = 0;
    for (const PointDifference& each : d.points) {
      CHECK(each.compared);
      worst = std::max(worst, each.relative / each.tolerance);
      largest = std::max(largest, each.relative);
    }
    CHECK(largest > 1e-8);     // f32 is no f64
    CHECK(worst > 1.0 / 300);  // a bound that nothing comes near would bound nothing
    CHECK_FALSE(difference(f32, f64, 1e-9).same());
  }
}

TEST_CASE("trace diff: another reading parts at the first point that it touches") {
  if (!hf::present()) return;
  struct Row {
    const char *variant, *convention, *point;
    std::int64_t token;
  };
  for (const Row& row : {Row{"deepseek_v2-lite", "yarn-softmax-scale=plain", "layer.0.context", 1},
                         Row{"deepseek_v2-lite", "rope-layout=halves", "layer.0.q", 1},
                         Row{"deepseek_v2-lite", "embedding-scale=sqrt-hidden", "embedding", 0},
                         Row{"qwen3-window", "qk-norm=after-rope", "layer.0.q", 1},
                         Row{"mistral-window", "window-keys=one-more", "layer.0.context", 16},
                         Row{"deepseek_v3-yarn", "routed-scale=omitted", "layer.1.feed_forward", 0}}) {
    const Scratch scratch;
    const std::string model = hf::kRoot + "/" + row.variant;
    const std::string ids =
        scratch.write("own.json", "[[7,3,11,60,22,9,41,5,17,2,33,12,8,19,4,50,1,28,36,6]]");
    for (const bool oracle : {false, true}) {
      const auto a = traced(scratch, "a", {.model = model, .ids_path = ids, .oracle = oracle});
      const auto b = traced(
          scratch, "b",
          {.model = model, .ids_path = ids, .oracle = oracle, .engine = {.conventions = {row.convention}}});
      const TraceDifference d = difference(a, b);
      INFO(row.variant << " " << row.convention << (oracle ? " f64\n" : " f32\n") << to_text(d));
      REQUIRE(d.first());
      CHECK(d.first()->key.text() == row.point);
      CHECK(d.first()->first->token == row.token);
    }
  }
}

TEST_CASE(
    "force-experts: a trace of either path is replayed by both, decisions that differ are listed with their "
    "margins") {
  const Scratch scratch;
  const std::string ids = scratch.write("own.json", "[[5,9,13,400,77,21,8,300],[44,2,910]]");
  const auto own = traced(scratch, "own", {.ids_path = ids});
  const auto forced = traced(scratch, "forced", {.ids_path = ids, .forced_path = own});
  CHECK(difference(own, forced).same());
  // Another choice everywhere: the experts of the same tokens under a bias that is left out.
  const auto other =
      traced(scratch, "other",
             {.ids_path = ids, .oracle = true, .engine = {.conventions = {"correction-bias=omitted"}}});
  for (const bool oracle : {false, true}) {
    const auto plain = traced(scratch, "plain", {.ids_path = ids, .oracle = oracle});
    const auto replayed =
        traced(scratch, "replayed", {.ids_path = ids, .oracle = oracle, .forced_path = other});
    const TraceDifference d = difference(plain, replayed);
    INFO(to_text(d));
    REQUIRE_FALSE(d.routers.empty());
    CHECK(d.first()->key.point == Point::feed_forward);
    for (const RouterDifference& each : d.routers) CHECK(each.margin_a > 0);
    const auto file = TraceFile::open(replayed), source = TraceFile::open(other);
    REQUIRE(file.ok());
    REQUIRE(source.ok());
    for (std::size_t i = 0; i < 2; ++i) CHECK(file->routing(i).experts == source->routing(i).experts);
  }
}

TEST_CASE(
    "trace: margins of groups and experts are kept apart, the closest is the smaller; scores are all there") {
  if (!hf::present()) return;
  const std::string model = hf::kRoot + "/deepseek_v3-negative-bias";
  const Scratch scratch;
  const std::string ids = scratch.write("own.json", "[[7,3,11,60,22,9,41,5]]");
  const auto f32 = TraceFile::open(traced(scratch, "f32", {.model = model, .ids_path = ids}));
  const auto f64 = TraceFile::open(traced(scratch, "f64", {.model = model, .ids_path = ids, .oracle = true}));
  REQUIRE(f32.ok());
  REQUIRE(f64.ok());
  const RouterTrace a = f32->routing(0), b = f64->routing(0);
  REQUIRE(a.margins.size() == b.margins.size());
  bool group_decides = false, expert_decides = false;
  for (std::size_t i = 0; i < a.margins.size(); ++i) {
    CHECK(a.margins[i] == std::min(a.group_margins[i], a.expert_margins[i]));
    CHECK(a.group_margins[i] == Approx(b.group_margins[i]).margin(1e-5));
    CHECK(a.expert_margins[i] == Approx(b.expert_margins[i]).margin(1e-5));
    group_decides = group_decides || a.group_margins[i] < a.expert_margins[i];
    expert_decides = expert_decides || a.expert_margins[i] < a.group_margins[i];
  }
  CHECK(group_decides);
  CHECK(expert_decides);
  const auto x = Checkpoint::open(scratch / "f32"), y = Checkpoint::open(scratch / "f64");
  REQUIRE(x.ok());
  REQUIRE(y.ok());
  const auto p = hf::values<double>(*x, "scores.0"), q = hf::values<double>(*y, "scores.0");
  REQUIRE(p.size() == q.size());
  for (std::size_t i = 0; i < p.size(); ++i) CHECK(p[i] == Approx(q[i]).margin(1e-5));
}

TEST_CASE("trace diff: the command says where two traces part and exits 1") {
  const Scratch scratch;
  scratch.write("ids.json", "[[5,9,13,400,77]]");
  const auto run = [&](std::vector<std::string> arguments) { return run_assay(arguments, scratch.path()); };
  REQUIRE(run({"logits", kTracedModel, "--ids", "ids.json", "--trace", "a.safetensors", "--trace-tensors",
               "residual,logits"})
              .code == 0);
  REQUIRE(run({"logits", kTracedModel, "--ids", "ids.json", "--trace", "b.safetensors", "--trace-tensors",
               "residual,logits", "--convention", "norm-eps=1e-5"})
              .code == 0);
  CHECK(run({"trace", "diff", "a.safetensors", "a.safetensors"}).code == 0);
  const auto parts = run({"trace", "diff", "a.safetensors", "b.safetensors", "--json"});
  CHECK(parts.code == 1);
  const auto json = parse_json(parts.out, "stdout");
  REQUIRE(json.ok());
  CHECK((*json)["same"] == false);
  CHECK((*json)["first"]["point"] == "input_norm");
  CHECK((*json)["first"]["layer"] == 0);
  CHECK((*json)["first"]["first"]["token"] == 0);
  const Json& points = (*json)["points"];
  CHECK(points[0]["max_abs"].is_null());  // not kept
  CHECK(points[points.size() - 1]["max_abs"].get<double>() > 0);
  const auto words = run({"trace", "diff", "a.safetensors", "b.safetensors"});
  CHECK(words.out.find("they part at layer.0.input_norm, token 0 of prompt 0") != std::string::npos);
  CHECK(run({"trace", "diff", "a.safetensors", "b.safetensors", "--tolerance", "0.5"}).code == 0);
}
