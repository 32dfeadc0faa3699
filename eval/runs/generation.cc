#include "eval/runs/generation.h"

#include <algorithm>

#include "base/check.h"

namespace assay {

StopStrings::StopStrings(const Tokenizer& tokenizer, std::vector<std::string> stops, bool skip_special)
    : tokenizer_(tokenizer), stops_(std::move(stops)), skip_special_(skip_special) {
  for (const std::string& stop : stops_) {
    ASSAY_CHECK(!stop.empty());
    window_ = std::max(
        window_, stop.size() + 1);  // every token of the text has a byte at least
  }
}

bool StopStrings::ended(std::span<const std::int32_t> ids) const {
  if (stops_.empty()) return false;
  std::vector<int> last;  // the tokens with text that a stop string could reach into
  for (std::size_t i = ids.size(); i-- > 0 && last.size() < window_;) {
    if (!skip_special_ || !tokenizer_.is_special(ids[i])) last.push_back(ids[i]);
  }
  std::reverse(last.begin(), last.end());
  const std::string text = tokenizer_.decode_bytes(last, skip_special_);
  return std::any_of(stops_.begin(), stops_.end(),
                     [&](const std::string& stop) { return text.find(stop) != std::string::npos; });
}

std::string StopStrings::text(std::span<const std::int32_t> ids) const {
  const std::string text = tokenizer_.decode({ids.begin(), ids.end()}, skip_special_);
  std::size_t end = text.size();
  for (const std::string& stop : stops_) end = std::min(end, text.find(stop));
  return text.substr(0, end);
}

}  // namespace assay
