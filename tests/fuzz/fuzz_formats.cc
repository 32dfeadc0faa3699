// Fuzz target of the importers of stored outputs and of task files, in libFuzzer's form; the first byte chooses the format:
//   clang++ -std=c++20 -DASSAY_LIBFUZZER -fsanitize=fuzzer,address,undefined -I. tests/fuzz/fuzz_formats.cc … -o fuzz && ./fuzz tests/fuzz/corpus/formats
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "base/check.h"
#include "eval/replay/stored.h"
#include "suites/tasks/task_docs.h"
#include "suites/tasks/task_yaml.h"

namespace {

using namespace assay;

constexpr const char* kFormats[] = {"lm-eval", "inspect", "helm", "opencompass", "evalplus", "lighteval", "jsonl", "csv"};

// Files, because that is what importers read: one a process.
const std::string& scratch_file(bool lines) {
  static const std::string kStem = (std::filesystem::temp_directory_path() / ("assay-fuzz-formats-" + std::to_string(::getpid()))).string();
  static const std::string kLines = kStem + ".jsonl", kDocument = kStem + ".json";
  return lines ? kLines : kDocument;
}

void read_as(const Importer& importer, const std::string& path) {
  std::int64_t outputs = 0;
  const auto counts = read_stored(path, importer, {}, [&](StoredOutput output) -> Status {
    ++outputs;
    ASSAY_CHECK(!output.id.empty() && output.sample.value_or(0) >= 0);
    ASSAY_CHECK(output.gold_index < static_cast<int>(output.options.size()));
    for (const double value : output.log_likelihoods) ASSAY_CHECK(value == value);
    return {};
  });
  if (!counts.ok()) {
    ASSAY_CHECK(!counts.error().message.empty());
    return;
  }
  ASSAY_CHECK(counts->malformed <= counts->records && (outputs == 0 || counts->records > 0));
}

void read_task(const std::string& text) {
  const auto task = parse_task_yaml(text, "fuzz");
  ASSAY_CHECK(!task.ok() || task->is_object());
  if (const auto list = parse_python_list(text)) ASSAY_CHECK(parse_python_list(Json(*list).dump()).has_value() || text.find('\\') != std::string::npos);
}

}  // namespace

// 0 for everything; a fault is an assertion or a sanitizer report.
extern "C" int fuzz_formats(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::size_t choice = data[0] % (std::size(kFormats) + 1);
  if (choice == std::size(kFormats)) {
    read_task(text);
    return 0;
  }
  const std::string& path = scratch_file(data[0] / (std::size(kFormats) + 1) % 2 == 0);
  std::ofstream(path, std::ios::binary) << text;
  read_as(*find_importer(kFormats[choice]).value(), path);
  std::filesystem::remove(path);
  return 0;
}

#ifdef ASSAY_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { return fuzz_formats(data, size); }
#endif
