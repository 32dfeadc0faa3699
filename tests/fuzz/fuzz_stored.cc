// Fuzz target of files of stored outputs, in libFuzzer's form: the three splitters and the readers of every format.
//   clang++ -std=c++20 -DASSAY_LIBFUZZER -fsanitize=fuzzer,address,undefined -I. tests/fuzz/fuzz_stored.cc … -o fuzz && ./fuzz tests/fuzz/corpus/stored
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/check.h"
#include "eval/replay/stored.h"
#include "suites/input.h"

namespace {

using namespace assay;

constexpr std::size_t kMaxPart = 1 << 16;

template <class Splitter>
void feed(Splitter& splitter, std::string_view text, std::size_t chunk) {
  for (std::size_t i = 0; i < text.size(); i += chunk) {
    if (!splitter.add(text.substr(i, chunk)).ok()) return;
  }
  (void)splitter.finish();
}

std::string parts(std::string_view text, std::size_t chunk) {
  std::string out;
  const auto end = [&]() -> Status { return (out += '|', Status{}); };
  DocumentSplitter documents([&](const DocumentPart& p) -> Status { return (out += p.section + '/' + p.key + '=' + std::string(p.text) + '\n', Status{}); }, end, kMaxPart);
  feed(documents, text, chunk);
  RecordSplitter records([&](std::string_view record) -> Status { return (out += std::string(record) + '\n', Status{}); }, kMaxPart);
  feed(records, text, chunk);
  CsvSplitter rows([&](CsvSplitter::Row row) -> Status {
    for (const auto& cell : row) out += cell + '\t';
    return {};
  }, ',', kMaxPart);
  feed(rows, text, chunk);
  return out;
}

// What a format gives is used as it is: ids and figures must hold what eval/replay/stored.h says of them.
void read_all(std::string_view text) {
  const StoredSink sink([](StoredOutput out) -> Status {
    for (const auto& [name, value] : out.values) ASSAY_CHECK(!name.empty() && value == value);
    return {};
  });
  const StoredFile file{"folder/model_few_shot_x.json", {}};
  for (const auto& importer : importers()) {
    if (importer.parts != nullptr) continue;  // tests/fuzz/fuzz_formats.cc
    if (importer.document != nullptr) {
      const DocumentReader reader = importer.document(file);
      DocumentSplitter documents(
          [&](const DocumentPart& part) -> Status {
            const Json value = Json::parse(part.text, nullptr, false);
            return value.is_discarded() || reader.part(part, value, sink).ok() ? Status{} : Status{Error{.message = "refused"}};
          },
          [&] { return reader.end(sink); }, kMaxPart);
      feed(documents, text, text.size() + 1);
    } else {
      const RecordReader reader = importer.records(file);
      RecordSplitter records(
          [&](std::string_view record) -> Status {
            const Json value = Json::parse(record, nullptr, false);
            if (value.is_object()) ASSAY_CHECK(reader(value, 0, sink).ok());
            return {};
          },
          kMaxPart);
      feed(records, text, text.size() + 1);
    }
  }
}

}  // namespace

// 0 for everything; a fault is an assertion or a sanitizer report.
extern "C" int fuzz_stored(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ASSAY_CHECK(parts(text, 1) == parts(text, size + 1));  // where a file is cut into chunks never shows
  read_all(text);
  return 0;
}

#ifdef ASSAY_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { return fuzz_stored(data, size); }
#endif
