// Weights are never held twice: packing a model of 130 MB takes its panels, one tensor of the mapping and little else.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "reference/model/config.h"
#include "reference/model/tensors.h"
#include "reference/weights/writer.h"
#include "tests/catch.h"
#include "tests/scratch.h"

namespace {

using namespace assay;

constexpr double kMebi = 1 << 20;
#ifdef __SANITIZE_ADDRESS__
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// A Llama of F32 numbers; returns the bytes of its weights and of its largest tensor.
struct Sizes {
  double all = 0, largest = 0;
};
Sizes write_model(const Scratch& folder, int hidden, int inner, int vocab) {
  const std::string text = fmt::format(
      R"({{"model_type": "llama", "hidden_size": {}, "intermediate_size": {}, "vocab_size": {}, "num_hidden_layers": 2,
          "num_attention_heads": 8, "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "tie_word_embeddings": true}})",
      hidden, inner, vocab);
  const auto json = parse_json(text, "config");
  REQUIRE(json.ok());
  const auto config = parse_model_config(*json, "config");
  REQUIRE(config.ok());
  folder.write("config.json", text);
  const std::vector<TensorSpec> specs = tensors_of(*config);
  Sizes sizes;
  std::size_t most = 0;
  for (const TensorSpec& spec : specs) {
    std::size_t n = 1;
    for (const std::int64_t extent : spec.shape) n *= static_cast<std::size_t>(extent);
    most = std::max(most, n);
    sizes.all += 4.0 * static_cast<double>(n);
  }
  sizes.largest = 4.0 * static_cast<double>(most);
  const std::vector<float> values(most, 0.01F);
  std::vector<TensorOut> tensors;
  for (const TensorSpec& spec : specs) {
    std::size_t n = 1;
    for (const std::int64_t extent : spec.shape) n *= static_cast<std::size_t>(extent);
    tensors.push_back(tensor_out(spec.name, spec.shape, std::span(values).first(n)));
  }
  REQUIRE(write_safetensors(folder / "model.safetensors", tensors).ok());
  return sizes;
}

// Peak resident bytes of `assay logits` over one token.
double peak_of(const Scratch& folder) {
  const std::string ids = folder.write("ids.json", "[[1]]"), out = folder / "out.safetensors",
                    model = folder.path();
  const std::string program = std::string(ASSAY_BIN) + "/assay";
  const char* const argv[] = {"assay", "--threads", "1",     "logits",    model.c_str(),
                              "--ids", ids.c_str(), "--out", out.c_str(), nullptr};
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::dup2(::open("/dev/null", O_WRONLY), 1);
    ::execv(program.c_str(), const_cast<char* const*>(argv));
    ::_exit(127);
  }
  int status = 0;
  rusage usage{};
  REQUIRE(::wait4(child, &status, 0, &usage) == child);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 0);
  return static_cast<double>(usage.ru_maxrss) * 1024;
}

TEST_CASE("weight memory: panels replace the mapping") {
  if (kSanitized) {
    WARN("skipped: the address sanitizer has memory of its own");
    return;
  }
  const Scratch small, large;
  write_model(small, 64, 64, 64);
  const Sizes sizes = write_model(large, 1024, 2816, 8192);
  const double grown = peak_of(large) - peak_of(small);
  INFO(fmt::format("{:.1f} MiB more for {:.1f} MiB of weights, the largest tensor {:.1f} MiB", grown / kMebi,
                   sizes.all / kMebi, sizes.largest / kMebi));
  CHECK(grown >= 0.95 * sizes.all);  // all panels are there
  CHECK(grown <= sizes.all + sizes.largest + 16 * kMebi);
}

}  // namespace
