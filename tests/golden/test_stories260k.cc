// A trained model whose text is published: llama2.c's own test runs stories260K at temperature 0 for 200 steps and expects this, byte for
// byte (test_all.py of karpathy/llama2.c; llama2.zig's test has it too).
#include <cmath>
#include <filesystem>

#include "reference/model/engine.h"
#include "reference/text/tokenizer.h"
#include "tests/golden/llama2c.h"

using namespace assay;

namespace {

const std::string kStoriesFolder = ASSAY_SHARED "/models/stories260K/";

const std::string kExpected =
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, "
    "she saw a big, red ball. She "
    "wanted to play with it, but it was too high.\n"
    "Lily's mom said, \"Lily, let's go to the park.\" Lily was sad and didn't know what to do. She said, \"I "
    "want to play with your ball, "
    "but I can't find it.\"\n"
    "Lily was sad and didn't know what to do. She said, \"I'm sorry, Lily. I didn't know what to do.\"\n"
    "Lily didn't want to help her mom, so she";

bool stories_present() {
  if (std::filesystem::exists(kStoriesFolder)) return true;
  WARN("skipped: no " << kStoriesFolder);
  return false;
}

std::unique_ptr<Engine> engine_of(const Scratch& folder) {
  auto engine = Engine::load(folder.path(), EngineOptions{.conventions = {"rope-layout=pairs"}});
  if (!engine.ok()) FAIL(engine.error().text());
  return std::move(*engine);
}

Tokenizer tokenizer_of(const Scratch& folder) {
  auto tokenizer = Tokenizer::load(folder.path());
  if (!tokenizer.ok()) FAIL(tokenizer.error().text());
  return std::move(*tokenizer);
}

std::vector<std::int32_t> greedy(Engine& engine, std::vector<std::int32_t> prompt) {
  const GenerateRequest request{.ids = std::move(prompt)};
  const auto answers =
      engine.generate(std::span(&request, 1), GenerateOptions{.max_tokens = 200, .stop_ids = {1}});
  REQUIRE(answers.ok());
  REQUIRE(answers->size() == 1);
  return answers->front().ids;
}

}  // namespace

TEST_CASE("stories260K: 200 greedy tokens from BOS are llama2.c's own text, byte for byte") {
  if (!stories_present()) return;
  const Scratch folder;
  llama2c::write_folder(folder, llama2c::read_version0(kStoriesFolder + "stories260K.bin"), kStoriesFolder + "tok512.bin");
  const auto engine = engine_of(folder);
  const Tokenizer tokenizer = tokenizer_of(folder);
  const std::vector<int> start = tokenizer.encode("", true);
  REQUIRE(start == std::vector<int>{1});
  const auto ids = greedy(*engine, {1});
  CHECK(ids.size() == 200);
  std::vector<int> all = {1};
  all.insert(all.end(), ids.begin(), ids.end());
  CHECK(tokenizer.decode(all, true) == kExpected);
}

TEST_CASE(
    "stories260K: the text encodes to tokens that spell it, and prompts from it are continued with it") {
  if (!stories_present()) return;
  const Scratch folder;
  llama2c::write_folder(folder, llama2c::read_version0(kStoriesFolder + "stories260K.bin"), kStoriesFolder + "tok512.bin");
  const auto engine = engine_of(folder);
  const Tokenizer tokenizer = tokenizer_of(folder);
  CHECK(tokenizer.decode(tokenizer.encode(kExpected, true), true) == kExpected);
  const std::string prompt = kExpected.substr(0, kExpected.find(" One day"));
  const std::vector<int> ids = tokenizer.encode(prompt, true);
  const auto more = greedy(*engine, {ids.begin(), ids.end()});
  std::vector<int> all = ids;
  all.insert(all.end(), more.begin(), more.end());
  CHECK(tokenizer.decode(all, true).substr(0, 400) == kExpected.substr(0, 400));
}

TEST_CASE("stories260K: the newer layout holds the same numbers, the quantised one lies within half a step") {
  if (!stories_present()) return;
  const llama2c::Model plain = llama2c::read_version0(kStoriesFolder + "stories260K.bin"),
                       headed = llama2c::read_headed(kStoriesFolder + "stories260K.v1.bin", 1),
                       quantised = llama2c::read_headed(kStoriesFolder + "stories260K.q8-llama2.v.bin", 2);
  CHECK(plain.tensors == headed.tensors);
  REQUIRE(quantised.tensors.size() == plain.tensors.size());
  CHECK(quantised.half_step.size() == 1 + 7 * 5);
  for (const auto& [name, values] : plain.tensors) {
    INFO(name);
    const auto step = quantised.half_step.find(name);
    const double bound = step == quantised.half_step.end() ? 0 : step->second * (1 + 1e-5);
    double largest = 0;
    for (std::size_t i = 0; i < values.size(); ++i)
      largest = std::max(largest, std::abs(static_cast<double>(values[i]) - quantised.tensors.at(name)[i]));
    CHECK(largest <= bound);
    CHECK((bound == 0 || largest > bound / 100));  // something was rounded
  }
}

TEST_CASE("stories260K: the model with quantised weights tells the beginning of the same story") {
  if (!stories_present()) return;
  const Scratch folder;
  llama2c::write_folder(folder, llama2c::read_headed(kStoriesFolder + "stories260K.q8-llama2.v.bin", 2),
                        kStoriesFolder + "tok512.bin");
  const auto engine = engine_of(folder);
  const auto ids = greedy(*engine, {1});
  std::vector<int> all = {1};
  all.insert(all.end(), ids.begin(), ids.end());
  const std::string text = tokenizer_of(folder).decode(all, true);
  INFO(text);
  const std::size_t shared = kExpected.find("ily, let's");  // here a near tie falls the other way
  CHECK(text.substr(0, shared) == kExpected.substr(0, shared));
  CHECK(text != kExpected);
}
