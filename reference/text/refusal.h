// How readers of tokenizers refuse: one line each.
#pragma once
#include <string>
#include <utility>

#include "base/error.h"

namespace assay {

// What is shown of the input is cut: it may be as long as the file.
inline Error refusal(Code code, std::string message, const std::string& file, std::string field,
                     std::string expected = {}, const std::string& got = {}) {
  constexpr std::size_t kShown = 80;
  return Error{.code = code,
               .message = std::move(message),
               .file = file,
               .field = std::move(field),
               .expected = std::move(expected),
               .got = got.substr(0, kShown)};
}

}  // namespace assay
