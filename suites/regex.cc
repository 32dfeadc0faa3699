#include "suites/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <map>
#include <string>

namespace assay {
namespace {

constexpr std::uint32_t kMatchLimit = 1'000'000;  // backtracking steps; an extractor needs a few per byte
constexpr std::uint32_t kHeapLimitKib = 16 * 1024;

}  // namespace

struct Regex::State {
  pcre2_code* code = nullptr;
  pcre2_match_data* data = nullptr;
  pcre2_match_context* context = nullptr;
  std::uint32_t groups = 0;
  ~State() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_code_free(code);
  }
};

Regex::Regex(std::unique_ptr<State> state) : state_(std::move(state)) {}
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

Result<Regex> Regex::compile(std::string_view pattern, std::string_view file) {
  int number = 0;
  PCRE2_SIZE offset = 0;
  auto state = std::make_unique<State>();
  state->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                              PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &number, &offset, nullptr);
  if (state->code == nullptr) {
    PCRE2_UCHAR why[256];
    pcre2_get_error_message(number, why, sizeof(why));
    return Error{.code = Code::bad_value,
                 .message = "a regular expression does not compile",
                 .file = std::string(file),
                 .expected = reinterpret_cast<const char*>(why),
                 .got = std::string(pattern)};
  }
  pcre2_jit_compile(state->code,
                    PCRE2_JIT_COMPLETE);  // only makes it faster; refused where no JIT is allowed
  pcre2_pattern_info(state->code, PCRE2_INFO_CAPTURECOUNT, &state->groups);
  state->data = pcre2_match_data_create_from_pattern(state->code, nullptr);
  state->context = pcre2_match_context_create(nullptr);
  ASSAY_CHECK(state->data != nullptr && state->context != nullptr);
  pcre2_set_match_limit(state->context, kMatchLimit);
  pcre2_set_heap_limit(state->context, kHeapLimitKib);
  return Regex(std::move(state));
}

std::optional<Regex::Match> Regex::match_from(std::string_view text, std::size_t from) const {
  const int found = pcre2_match(state_->code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from, 0,
                                state_->data, state_->context);
  if (found < 0) return std::nullopt;
  const PCRE2_SIZE* at = pcre2_get_ovector_pointer(state_->data);
  const bool grouped = state_->groups > 0 && found > 1 && at[2] != PCRE2_UNSET;
  return Match{at[0], at[1], at[grouped ? 2 : 0], at[grouped ? 3 : 1]};
}

std::optional<std::string_view> Regex::first(std::string_view text) const {
  const auto match = match_from(text, 0);
  if (!match) return std::nullopt;
  return text.substr(match->group_begin, match->group_end - match->group_begin);
}

std::optional<std::string_view> Regex::last(std::string_view text) const {
  std::optional<std::string_view> found;
  std::size_t from = 0;
  while (from <= text.size()) {
    const auto match = match_from(text, from);
    if (!match) break;
    found = text.substr(match->group_begin, match->group_end - match->group_begin);
    from = match->end > from ? match->end : from + 1;
  }
  return found;
}

std::int64_t Regex::count(std::string_view text) const {
  std::int64_t matches = 0;
  for (std::size_t from = 0; from <= text.size(); ++matches) {
    const auto match = match_from(text, from);
    if (!match) break;
    from = match->end > match->begin ? match->end : match->end + 1;
  }
  return matches;
}

std::string_view Regex::filled_group(std::string_view text, const Match& match) const {
  const PCRE2_SIZE* at = pcre2_get_ovector_pointer(state_->data);
  for (std::uint32_t g = 1; g <= state_->groups; ++g) {
    const bool filled = at[2 * g] != PCRE2_UNSET && at[2 * g + 1] > at[2 * g];
    if (filled) return text.substr(at[2 * g], at[2 * g + 1] - at[2 * g]);
  }
  return state_->groups > 0 ? std::string_view() : text.substr(match.begin, match.end - match.begin);
}

std::optional<std::string_view> Regex::filled(std::string_view text, bool last_one) const {
  std::optional<std::string_view> found;
  for (std::size_t from = 0; from <= text.size();) {
    const auto match = match_from(text, from);
    if (!match) break;
    found = filled_group(text, *match);
    if (!last_one) break;
    from = match->end > from ? match->end : from + 1;
  }
  return found;
}

std::string Regex::without(std::string_view text) const {
  std::string out;
  std::size_t kept = 0;
  for (std::size_t from = 0; from <= text.size();) {
    const auto match = match_from(text, from);
    if (!match) break;
    out += text.substr(kept, match->begin - kept);
    kept = match->end;
    from = match->end > from ? match->end : from + 1;
  }
  return out.append(text.substr(std::min(kept, text.size())));
}

const Regex* cached_regex(std::string_view pattern) {
  thread_local std::map<std::string, std::optional<Regex>, std::less<>> cache;
  auto at = cache.find(pattern);
  if (at == cache.end()) {
    auto compiled = Regex::compile(pattern);
    at = cache
             .emplace(pattern,
                      compiled.ok() ? std::optional<Regex>(std::move(compiled).value()) : std::nullopt)
             .first;
  }
  return at->second ? &*at->second : nullptr;
}

}  // namespace assay
