// `assay logits --mtp`: what is written, that both paths agree, and what is refused.
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "reference/weights/checkpoint.h"
#include "tests/command.h"

namespace {

using namespace assay;

const std::string kMtpModel = ASSAY_TREE "/suites/data/demo/model";

template <class T>
std::vector<T> values(const Checkpoint& file, const std::string& name, std::int64_t rows) {
  const std::int64_t shape[] = {rows, 1024};
  const auto view = file.need(name, shape);
  if (!view.ok()) FAIL(view.error().text());
  std::vector<T> out((*view)->bytes.size() / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), (*view)->bytes.data(), (*view)->bytes.size());
  return out;
}

Checkpoint run_logits(const Scratch& scratch, const std::string& out, std::vector<std::string> more) {
  std::vector<std::string> arguments = {"logits", kMtpModel,       "--ids", scratch / "ids.json",
                                        "--out",  scratch / out};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const CommandResult result = run_assay(arguments, scratch.path());
  INFO(result.err);
  REQUIRE(result.code == 0);
  auto file = Checkpoint::open(scratch / out);
  REQUIRE(file.ok());
  return std::move(*file);
}

}  // namespace

TEST_CASE(
    "logits --mtp: the modules' logits lie beside the model's, both paths agree, short prompts have none") {
  const Scratch scratch;
  scratch.write("ids.json", "[[0, 17, 4, 200, 9], [0], [5, 6]]");
  const Checkpoint f32 = run_logits(scratch, "f32.safetensors", {"--mtp"}),
                   f64 = run_logits(scratch, "f64.safetensors", {"--mtp", "--oracle"}),
                   plain = run_logits(scratch, "plain.safetensors", {}),
                   masked = run_logits(scratch, "masked.safetensors",
                                       {"--mtp", "--convention", "mtp-first-position=masked"});
  CHECK(f32.tensors().size() == 6);
  CHECK(plain.tensors().size() == 3);
  CHECK(values<float>(f32, "logits.0", 5) == values<float>(plain, "logits.0", 5));
  CHECK(values<float>(f32, "mtp.1.logits.1", 0).empty());
  CHECK(values<float>(f32, "mtp.1.logits.0", 4) != values<float>(masked, "mtp.1.logits.0", 4));
  for (const auto& [name, rows] : {std::pair{"mtp.1.logits.0", 4}, std::pair{"mtp.1.logits.2", 1}}) {
    const auto a = values<float>(f32, name, rows);
    const auto b = values<double>(f64, name, rows);
    double largest = 0, difference = 0;
    for (std::size_t i = 0; i < b.size(); ++i) {
      largest = std::max(largest, std::abs(b[i]));
      difference = std::max(difference, std::abs(static_cast<double>(a[i]) - b[i]));
    }
    CHECK(difference <= 1e-5 * largest);
    CHECK(difference > 0);
  }
}

TEST_CASE("logits --mtp: a model without modules and unknown conventions are refused") {
  const Scratch scratch;
  scratch.write("ids.json", "[[0, 1]]");
  const std::vector<std::string> common = {"--ids", scratch / "ids.json", "--out", scratch / "o.safetensors"};
  const auto run = [&](const std::string& model, std::vector<std::string> more) {
    std::vector<std::string> arguments = {"logits", model};
    arguments.insert(arguments.end(), common.begin(), common.end());
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_assay(arguments, scratch.path());
  };
  CHECK(run(kMtpModel, {"--mtp", "--convention", "mtp-hidden=warm"}).code == 2);
  CHECK(run(kMtpModel, {"--convention", "mtp-hidden=raw"}).code ==
        2);  // nothing that it could change is asked for
  const std::string llama = ASSAY_SHARED "/models/hf-oracles/llama-bias";
  if (!std::filesystem::exists(llama)) {
    WARN("skipped: no " << llama);
    return;
  }
  const CommandResult none = run(llama, {"--mtp"});
  CHECK(none.code == 2);
  CHECK(none.err.find("no multi-token prediction modules") != std::string::npos);
}
