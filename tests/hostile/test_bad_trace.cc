// Traces and logits of others that cannot be used: a refusal in words, never a crash, whatever the bytes.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/rng.h"
#include "eval/compare/explain_other.h"
#include "eval/compare/trace_diff.h"
#include "eval/runs/logits_run.h"
#include "reference/weights/writer.h"
#include "tests/catch.h"
#include "tests/scratch.h"

using namespace assay;

namespace {

const std::string kModel = ASSAY_TREE "/suites/data/demo/model";

std::string a_trace(const Scratch& scratch) {
  const LogitsJob job{.model = kModel,
                      .ids_path = scratch.write("ids.json", "[[5,9,13],[7]]"),
                      .trace_path = scratch / "trace.safetensors",
                      .trace_tensors = "v,router_logits"};
  REQUIRE(run_logits(job).ok());
  return job.trace_path;
}

// Replaces the first `from` of a file's bytes by as many bytes.
std::string edited(const Scratch& scratch, const std::string& path, const std::string& from,
                   const std::string& to) {
  REQUIRE(from.size() == to.size());
  std::string bytes = *read_file(path);
  const auto at = bytes.find(from);
  REQUIRE(at != std::string::npos);
  bytes.replace(at, from.size(), to);
  return scratch.write("edited.safetensors", bytes);
}

std::vector<double> ramp(std::size_t n) {
  std::vector<double> out(n);
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<double>(i) / 8;
  return out;
}

Error other_error(const Scratch& scratch, std::vector<TensorOut> tensors,
                  const std::vector<std::vector<std::int32_t>>& ids, const std::string& reading = "logits") {
  REQUIRE(write_safetensors(scratch / "other.safetensors", tensors).ok());
  const auto read = read_other_logits(scratch / "other.safetensors", reading, ids, 4);
  REQUIRE_FALSE(read.ok());
  return read.error();
}

}  // namespace

TEST_CASE("bad trace: headers that say something else are refused with the field") {
  const Scratch scratch;
  const std::string trace = a_trace(scratch);
  REQUIRE(TraceFile::open(trace).ok());
  struct Row {
    const char *from, *to, *field;
  };
  for (const Row& row :
       {Row{"assay-trace-1", "assay-trace-2", "format"},
        Row{"\"arithmetic\":\"f32\"", "\"arithmetic\":\"f16\"", "arithmetic"},
        Row{"layer.0.q ", "layer.0.x ", "points"}, Row{"layer.1.q ", "layer.0.q ", "points"},
        Row{"embedding layer", "embedding  ayer", "points"}, Row{"layer.0.q ", "layer..0q ", "points"},
        Row{"\"widths\"", "\"widthz\"", "widths"}, Row{"\"digests.1\"", "\"digests.7\"", "digests.1"},
        Row{"\"margins.0\"", "\"marginz.0\"", "margins.0"}}) {
    INFO(row.from << " -> " << row.to);
    const auto opened = TraceFile::open(edited(scratch, trace, row.from, row.to));
    REQUIRE_FALSE(opened.ok());
    CHECK(opened.error().field == row.field);
    CHECK_FALSE(opened.error().file.empty());
  }
  const auto model = TraceFile::open(kModel);
  REQUIRE_FALSE(model.ok());
  CHECK(model.error().field == "format");
}

TEST_CASE("bad trace: 400 mutations of a trace are refused or compared, never more") {
  const Scratch scratch;
  const std::string trace = a_trace(scratch), bytes = *read_file(trace);
  const std::size_t header = std::min<std::size_t>(bytes.size(), 12'000);
  int done = 0;
  for (std::uint64_t i = 0; i < 400; ++i) {
    Stream random(9, i);
    std::string mutant = bytes;
    for (std::uint64_t n = 1 + random.below(3); n > 0; --n)
      mutant[random.below(header)] = static_cast<char>(random.below(96) + 32);
    const auto result = diff_traces(scratch.write("mutant.safetensors", mutant), trace, {});
    if (!result.ok()) CHECK_FALSE(result.error().message.empty());
    ++done;
  }
  CHECK(done == 400);
}

TEST_CASE("bad trace: point names") {
  CHECK(parse_point_keys("", "f")->empty());
  CHECK(parse_point_keys("embedding layer.0.q layer.0.k layer.12.residual logits", "f")->size() == 5);
  for (const char* text :
       {" ", "embedding ", " embedding", "embedding  logits", "logits embedding", "layer.0.q layer.0.q",
        "layer.-1.q", "layer.0.logits", "q", "layer.99999999999999999999.q", "layer.1q", "layer.1.", "layer.",
        "embedding\nlogits", "layer.0x1.q"}) {
    INFO("'" << text << "'");
    CHECK_FALSE(parse_point_keys(text, "f").ok());
  }
}

TEST_CASE("bad trace: other prompts, other arithmetic without numbers, a tolerance without numbers") {
  const Scratch scratch;
  const std::string a = a_trace(scratch);
  const auto with = [&](const std::string& ids, bool oracle, const std::string& tensors) {
    const LogitsJob job{.model = kModel,
                        .ids_path = scratch.write("b.json", ids),
                        .oracle = oracle,
                        .trace_path = scratch / "b.safetensors",
                        .trace_tensors = tensors};
    REQUIRE(run_logits(job).ok());
    return job.trace_path;
  };
  CHECK(diff_traces(a, with("[[5,9,13]]", false, ""), {}).error().field == "ids");
  CHECK(diff_traces(a, with("[[5,9,14],[7]]", false, ""), {}).error().field == "ids.0");
  CHECK(diff_traces(a, with("[[5,9,13],[7]]", true, ""), {}).error().code == Code::usage);
  CHECK(diff_traces(a, with("[[5,9,13],[7]]", false, ""), 1e-3).error().code == Code::usage);
  CHECK(diff_traces(a, with("[[5,9,13],[7]]", false, "v"), 1e-3).ok());
  CHECK(diff_traces(a, a, -1).error().code == Code::usage);
}

TEST_CASE("bad trace: points that do not exist, tensors without a trace, tensors that do not fit") {
  const Scratch scratch;
  LogitsJob job{.model = kModel,
                .ids_path = scratch.write("ids.json", "[[5]]"),
                .trace_path = scratch / "t",
                .trace_tensors = "q,values"};
  CHECK(run_logits(job).error().code == Code::usage);
  job.trace_path.clear();
  job.trace_tensors = "q";
  CHECK(run_logits(job).error().field == "--trace-tensors");
  CHECK_FALSE(std::filesystem::exists(scratch / "t"));
}

TEST_CASE("bad trace: choices recorded for other ids, out of range or named twice are not replayed") {
  const Scratch scratch;
  const std::string trace = a_trace(scratch);
  LogitsJob job{.model = kModel,
                .ids_path = scratch.write("o.json", "[[5,9,14],[7]]"),
                .out_path = scratch / "o",
                .forced_path = trace};
  CHECK(run_logits(job).error().field == "ids.0");
  job.ids_path = scratch.write("o.json", "[[5,9,13,2],[7]]");
  CHECK(run_logits(job).error().field == "ids.0");
  const std::vector<std::int64_t> shape = {3, 1, 3};
  std::vector<std::int64_t> experts = {0, 1, 2, 0, 1, 2, 0, 1, 1};
  job.ids_path = scratch.write("o.json", "[[5]]");
  job.forced_path = scratch / "forced.safetensors";
  const auto forced_error = [&] {
    REQUIRE(write_safetensors(job.forced_path, std::vector{tensor_out("experts.0", shape, experts)}).ok());
    const auto ran = run_logits(job);
    REQUIRE_FALSE(ran.ok());
    return ran.error();
  };
  CHECK(forced_error().expected == "different experts for a token");
  experts.back() = 1 << 20;
  CHECK(forced_error().code == Code::out_of_range);
  experts.back() = -1;
  CHECK(forced_error().code == Code::out_of_range);
  CHECK_FALSE(std::filesystem::exists(scratch / "o"));
}

TEST_CASE("bad logits of others: shapes, formats, numbers, ids and positions that do not fit are refused") {
  const Scratch scratch;
  const std::vector<std::vector<std::int32_t>> one = {{1, 2}}, two = {{1, 2}, {3}};
  const auto good = ramp(8);
  auto bad = good;
  bad[5] = std::numeric_limits<double>::quiet_NaN();
  auto open = good;
  open[0] = std::numeric_limits<double>::infinity();
  const std::vector<std::int64_t> ids = {1, 2}, positions = {0, 1}, wrong = {1, 0}, far = {0, 2}, none = {};
  const auto logits = tensor_out("logits.0", {2, 4}, good);
  CHECK(other_error(scratch, {logits}, {}).code == Code::usage);
  CHECK(other_error(scratch, {logits}, two).code == Code::missing_tensor);
  CHECK(other_error(scratch, {tensor_out("logits.0", {4, 2}, good)}, one).code == Code::bad_shape);
  CHECK(other_error(scratch, {tensor_out("logits.0", {2, 4}, bad)}, one).got == "nan at element 5");
  CHECK(other_error(scratch, {tensor_out("logits", {2, 4}, open)}, one).got == "inf at element 0");
  CHECK(other_error(scratch, {tensor_out("logits", {2, 2, 2}, good)}, one).expected == "[1, 2, 4]");
  CHECK(other_error(scratch, {tensor_out("logits", {2, 4}, good)}, two).code == Code::bad_value);
  const std::vector<std::int64_t> whole(8, 1);
  CHECK(other_error(scratch, {tensor_out("logits.0", {2, 4}, whole)}, one).got == "I64");
  const auto named = tensor_out("case0.logits", {2, 4}, good);
  const auto case_ids = tensor_out("case0.input_ids", {2}, ids);
  CHECK(other_error(scratch, {named}, {}).field == "case0.input_ids");
  CHECK(other_error(scratch, {named, case_ids}, {}).field == "case0.positions");
  CHECK(other_error(scratch, {named, case_ids, tensor_out("case0.positions", {2}, wrong)}, {}).got == "0");
  CHECK(other_error(scratch, {named, case_ids, tensor_out("case0.positions", {2}, far)}, {}).got == "2");
  CHECK(other_error(scratch, {named, case_ids, tensor_out("case0.positions", {0}, none)}, {}).code ==
        Code::bad_value);
  CHECK(other_error(scratch, {named, case_ids, tensor_out("case0.positions", {2}, positions)}, {},
                    "logits_else")
            .field == "logits_else");
  CHECK(
      other_error(scratch, {named, case_ids, tensor_out("case0.positions", {2}, positions)}, {{1, 3}}).got ==
      "another prompt 0");
}
