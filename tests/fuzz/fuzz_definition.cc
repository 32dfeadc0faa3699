// Fuzz target of suite definitions and of the rows they read, in libFuzzer's form: the first line of the input is a definition, the rest
// is its file of items.
//   clang++ -std=c++20 -DASSAY_LIBFUZZER -fsanitize=fuzzer,address,undefined -I. tests/fuzz/fuzz_definition.cc suites/*.cc base/*.cc
//     -lfmt -lcrypto -lpcre2-8 -larchive -o fuzz && ./fuzz tests/fuzz/corpus/definition
// The replay test runs it over the corpus and over mutations of it.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "base/check.h"
#include "base/json.h"
#include "suites/definition.h"
#include "suites/input.h"
#include "suites/policy.h"
#include "suites/render.h"

namespace {

using namespace assay;

Result<std::string> plain_chat(const std::vector<ChatTurn>& turns, const std::string&) { return turns.back().content; }

// What a refusal must say.
void expect_told(const Error& error) { ASSAY_CHECK(!error.message.empty()); }

void ask(const Suite& suite, const Item& item) {
  for (const Protocol& protocol : suite.protocols) {
    const auto request = render_request(suite, protocol, item, plain_chat);
    if (!request.ok()) expect_told(request.error());
    else ASSAY_CHECK(protocol.kind != ProtocolKind::choice || request->continuations.size() == item.options.size());
    if (protocol.kind == ProtocolKind::generate) (void)answer_part(protocol, item.question);
  }
}

}  // namespace

// 0 for everything; a fault is an assertion or a sanitizer report.
int fuzz_definition(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto line = std::min(text.find('\n'), text.size());
  const auto document = parse_json(text.substr(0, line), "fuzz");
  if (!document.ok()) return 0;
  auto definition = parse_definition(*document, "fuzz");
  if (!definition.ok()) {
    expect_told(definition.error());
    return 0;
  }
  std::int64_t place = 0;
  RecordSplitter splitter([&](std::string_view record) -> Status {
    ASSAY_TRY(const Json row, parse_json(record, "fuzz"));
    ASSAY_TRY(Item item, item_from_json(row, definition->items.front(), place, "fuzz"));
    ASSAY_CHECK(item.gold_index < static_cast<int>(item.options.size()) && !item.id.empty());
    item.ordinal = place++;
    ask(definition->suite, item);
    return {};
  });
  Status read = splitter.add(text.substr(std::min(line + 1, text.size())));
  if (read.ok()) read = splitter.finish();
  if (!read.ok()) expect_told(read.error());
  return 0;
}

#ifdef ASSAY_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { return fuzz_definition(data, size); }
#endif
