#include "suites/policy.h"

#include "base/check.h"

namespace assay {
namespace {

constexpr std::string_view kOutputBlanks = " \t\r\n\f\v";

std::string_view from_first_sign(std::string_view text) {
  const auto begin = text.find_first_not_of(kOutputBlanks);
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}

}  // namespace

std::optional<std::string_view> answer_part(const Protocol& protocol, std::string_view output) {
  const Thinking& thinking = protocol.thinking;
  if (thinking.end.empty()) return output;
  const auto at = output.rfind(thinking.end);
  if (at != std::string_view::npos) return from_first_sign(output.substr(at + thinking.end.size()));
  if (thinking.needs_end) return std::nullopt;
  return output;
}

Unusable usability(const Protocol& protocol, std::string_view output, bool truncated) {
  ASSAY_CHECK(protocol.kind == ProtocolKind::generate);
  if (from_first_sign(output).empty() && protocol.empty != Unusable::as_is) return protocol.empty;
  return truncated ? protocol.truncated : Unusable::as_is;
}

}  // namespace assay
