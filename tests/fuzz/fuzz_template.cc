// Fuzz target of the template interpreter, in libFuzzer's form:
//   clang++ -std=c++20 -DASSAY_LIBFUZZER -fsanitize=fuzzer,address,undefined -I. tests/fuzz/fuzz_template.cc reference/text/{jinja_*,chat_template,utf8}.cc
//     base/*.cc -lfmt -lcrypto -lutf8proc -o fuzz && ./fuzz tests/fuzz/corpus/template
// The replay test runs it over the corpus and over mutations of it.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "base/check.h"
#include "reference/text/chat_template.h"
#include "reference/text/utf8.h"

namespace {

const assay::Json& context() {
  static const assay::Json kContext = {{"messages", {{{"role", "system"}, {"content", "Be brief."}}, {{"role", "user"}, {"content", "h\u00e9 <b>\n x"}}}},
                                       {"tools", {{{"name", "f"}, {"parameters", {{"a", 1}, {"b", nullptr}, {"c", {1.5, true}}}}}}},
                                       {"a", {3, 1, 2}},
                                       {"d", {{"k", "v"}}},
                                       {"s", "some text"},
                                       {"add_generation_prompt", true}};
  return kContext;
}

}  // namespace

// 0 for everything; a fault is an assertion or a sanitizer report.
int fuzz_template(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto chat = assay::ChatTemplate::parse(text, "fuzz");
  if (!chat.ok()) {
    ASSAY_CHECK(chat.error().code == assay::Code::template_error && !chat.error().message.empty());
    return 0;
  }
  const auto made = chat->render(context(), {.now = "2025-01-02T03:04:05"});
  ASSAY_CHECK(made.ok() ? assay::valid_utf8(*made) : made.error().code == assay::Code::template_error && !made.error().message.empty());
  return 0;
}

#ifdef ASSAY_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { return fuzz_template(data, size); }
#endif
