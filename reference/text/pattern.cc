#include "reference/text/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <array>
#include <set>

#include "base/check.h"
#include "reference/text/utf8.h"

namespace assay {
namespace {

struct NewRange {
  char32_t first, last;
  std::string_view property;
};
constexpr NewRange kNewRanges[] = {
#include "reference/text/unicode_delta.inc"
};

constexpr std::string_view kSpaceMembers =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr std::string_view kNoSpaceMembers =
    R"(\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027})"
    R"(\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{10ffff})";

// Rewrites a pattern so that PCRE2 reads it as Oniguruma does. What neither form can express is refused.
class Rewriter {
 public:
  explicit Rewriter(std::string_view in) : in_(in) {}

  Result<std::string> run() {
    while (at_ < in_.size()) {
      const char c = in_[at_];
      if (c == '\\')
        ASSAY_OK(escape());
      else if (in_class_)
        ASSAY_OK(class_character());
      else
        plain();
    }
    return std::move(out_);
  }

 private:
  Error refuse(std::string message) const {
    return Error{
        .code = Code::unsupported, .message = std::move(message), .offset = static_cast<std::int64_t>(at_)};
  }
  void copy(std::size_t n) {
    out_.append(in_.substr(at_, n));
    at_ += n;
  }
  void plain() {
    if (in_[at_] == '[') {
      in_class_ = true;
      copy(in_.substr(at_, 2) == "[^" ? 2 : 1);
      if (at_ < in_.size() && in_[at_] == ']') copy(1);
      return;
    }
    copy(1);
  }
  Status class_character() {
    if (in_.substr(at_, 2) == "&&")
      return refuse("the pattern uses a class intersection '&&', which is not supported");
    if (in_[at_] == '[' && in_.substr(at_, 2) != "[:") {
      return refuse("the pattern nests a class in a class, which is not supported");
    }
    in_class_ = in_[at_] != ']';
    copy(1);
    return {};
  }
  // `members` inside a class, `[members]` or `[^members]` outside.
  void emit(std::string_view members, bool negated) {
    out_ += in_class_ ? std::string(members) : fmt::format("[{}{}]", negated ? "^" : "", members);
  }
  Status escape() {
    if (at_ + 1 >= in_.size()) return refuse("the pattern ends in a lone backslash");
    const char c = in_[at_ + 1];
    if (c == 's' || c == 'S') {
      if (in_class_)
        emit(c == 's' ? kSpaceMembers : kNoSpaceMembers, false);
      else
        emit(kSpaceMembers, c == 'S');
      at_ += 2;
      return {};
    }
    if (c == 'p' || c == 'P') return property();
    if (c == 'd' || c == 'D') return category(in_.substr(at_, 2), "Nd", c == 'D');
    if (c == 'w' || c == 'W') return word(c == 'W');
    static const std::set<char> kDiffer = {'h', 'H', 'K', 'R', 'X', 'G', 'g', 'k', 'C',
                                           'Q', 'E', 'N', 'O', 'M', 'y', 'Y', 'b', 'B'};
    const bool reference = c >= '1' && c <= '9';
    if (kDiffer.contains(c) || reference)
      return refuse(fmt::format("the pattern uses '\\{}', which is not supported", c));
    copy(static_cast<unsigned char>(c) < 0x80 ? 2 : 1 + decode_utf8(in_, at_ + 1).bytes);
    return {};
  }
  // \p{L}, \P{L}, \p{^L}, \pL
  Status property() {
    const bool braces = at_ + 2 < in_.size() && in_[at_ + 2] == '{';
    const std::size_t close = braces ? in_.find('}', at_) : std::string_view::npos;
    if (!braces || close == std::string_view::npos) return refuse("the pattern has a '\\p' without '{name}'");
    std::string_view name = in_.substr(at_ + 3, close - at_ - 3);
    bool negated = in_[at_ + 1] == 'P';
    if (name.starts_with('^')) {
      negated = !negated;
      name.remove_prefix(1);
    }
    return category(in_.substr(at_, close + 1 - at_), name, negated);
  }
  Status category(std::string_view source, std::string_view name, bool negated) {
    static const std::set<std::string_view> kKnown = {
        "L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M",  "Mn",  "Mc",       "Me",       "N",     "Nd",
        "Nl", "No", "P",  "Pc", "Pd", "Ps", "Pe", "Pi",  "Pf",       "Po",       "S",     "Sm",
        "Sc", "Sk", "So", "Z",  "Zs", "Zl", "Zp", "Han", "Hiragana", "Katakana", "Hangul"};
    if (!kKnown.contains(name))
      return refuse(fmt::format("the pattern asks for the unknown property '{}'", name));
    if (negated && in_class_)
      return refuse("the pattern negates a property inside a class, which is not supported");
    std::string members = fmt::format("\\p{{{}}}", name);
    for (const NewRange& r : kNewRanges) {
      const bool script = name.size() > 2;
      if (script ? r.property == name : r.property.size() == 2 && r.property.starts_with(name)) {
        members += fmt::format("\\x{{{:x}}}-\\x{{{:x}}}", static_cast<unsigned>(r.first),
                               static_cast<unsigned>(r.last));
      }
    }
    emit(members, negated);
    at_ += source.size();
    return {};
  }
  // Letters, marks, decimal digits, connectors (Oniguruma's Word).
  Status word(bool negated) {
    if (in_class_ && negated) return refuse("the pattern uses '\\W' inside a class, which is not supported");
    const bool outside = !in_class_;
    if (outside) out_ += negated ? "[^" : "[";
    in_class_ = true;
    for (const std::string_view name : {"L", "M", "Nd", "Nl", "Pc"}) ASSAY_OK(category("", name, false));
    out_ +=
        R"(\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189})";  // Other_Alphabetic
    in_class_ = !outside;
    if (outside) out_ += "]";
    at_ += 2;
    return {};
  }

  std::string_view in_;
  std::size_t at_ = 0;
  bool in_class_ = false;
  std::string out_;
};

std::string pcre_message(int number) {
  std::array<PCRE2_UCHAR, 128> text{};
  pcre2_get_error_message(number, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

struct MatchBlock {
  pcre2_match_data* data = nullptr;
  explicit MatchBlock(const pcre2_code* code) : data(pcre2_match_data_create_from_pattern(code, nullptr)) {
    ASSAY_CHECK(data);
  }
  MatchBlock(const MatchBlock&) = delete;
  MatchBlock& operator=(const MatchBlock&) = delete;
  ~MatchBlock() { pcre2_match_data_free(data); }
};

int match_at(const pcre2_code* code, pcre2_match_context* context, pcre2_match_data* data,
             std::string_view text, std::size_t from) {
  const auto run = [&](std::uint32_t options) {
    return pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from, options, data,
                       context);
  };
  const int found = run(PCRE2_NO_UTF_CHECK);
  return found == PCRE2_ERROR_JIT_STACKLIMIT ? run(PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT) : found;
}

void add_span(std::vector<Span>& out, std::size_t begin, std::size_t end, bool matched) {
  ASSAY_CHECK(begin <= end);
  if (begin < end || matched) out.push_back({begin, end, matched});
}

void literal_spans(std::string_view text, std::string_view what, std::vector<Span>& out) {
  std::size_t done = 0;
  while (!what.empty()) {
    const std::size_t hit = text.find(what, done);
    if (hit == std::string_view::npos) break;
    add_span(out, done, hit, false);
    add_span(out, hit, hit + what.size(), true);
    done = hit + what.size();
  }
  add_span(out, done, text.size(), false);
}

}  // namespace

struct Pattern::Code {
  pcre2_code* code = nullptr;
  pcre2_match_context* context = nullptr;
  Code() = default;
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;
  ~Code() {
    pcre2_match_context_free(context);
    pcre2_code_free(code);
  }
};

Result<Pattern> Pattern::regex(const std::string& text, const std::string& file, const std::string& field) {
  const auto at_field = [&](Error e) {
    e.file = file;
    e.field = field;
    return e;
  };
  if (text.size() > kMaxPatternBytes) {
    return at_field(Error{.code = assay::Code::too_large,
                          .message = "the regular expression is too long",
                          .expected = fmt::format("at most {} bytes", kMaxPatternBytes),
                          .got = std::to_string(text.size())});
  }
  auto rewritten = Rewriter(text).run();
  if (!rewritten.ok()) return at_field(rewritten.error());
  auto made = std::make_shared<Code>();
  int number = 0;
  PCRE2_SIZE where = 0;
  made->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(rewritten->data()), rewritten->size(),
                             PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &number, &where, nullptr);
  if (made->code == nullptr) {
    return at_field(Error{.code = assay::Code::bad_value,
                          .message = "the regular expression is broken: " + pcre_message(number),
                          .got = text.substr(0, 80)});
  }
  pcre2_jit_compile(made->code,
                    PCRE2_JIT_COMPLETE);  // without JIT the interpreter runs: slower, same matches
  made->context = pcre2_match_context_create(nullptr);
  ASSAY_CHECK(made->context != nullptr);
  pcre2_set_match_limit(made->context, kMaxMatchSteps);
  pcre2_set_heap_limit(made->context, 64 * 1024);  // kB
  Pattern pattern;
  pattern.code_ = std::move(made);
  return pattern;
}

Pattern Pattern::literal(std::string text) {
  Pattern pattern;
  pattern.literal_ = std::move(text);
  return pattern;
}

bool Pattern::spans(std::string_view text, std::vector<Span>& out) const {
  out.clear();
  if (!code_) {
    literal_spans(text, literal_, out);
    return true;
  }
  const MatchBlock block(code_->code);
  const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(block.data);
  std::size_t done = 0, from = 0;
  bool within_budget = true;
  while (from <= text.size() && !text.empty()) {
    const int found = match_at(code_->code, code_->context, block.data, text, from);
    within_budget = found >= 0 || found == PCRE2_ERROR_NOMATCH;
    if (found < 0) break;
    const std::size_t begin = bounds[0], end = bounds[1];
    ASSAY_CHECK(begin >= from && end <= text.size());
    if (end < begin) break;  // \K in a look-ahead, refused above
    if (end > begin) {       // an empty match cuts nothing off
      add_span(out, done, begin, false);
      add_span(out, begin, end, true);
      done = end;
    }
    from = end > begin ? end : end + (end < text.size() ? decode_utf8(text, end).bytes : 1);
  }
  add_span(out, done, text.size(), false);
  return within_budget;
}

bool Pattern::replace(std::string_view text, std::string_view by, std::string& out) const {
  std::vector<Span> cut;
  const bool within_budget = spans(text, cut);
  out.clear();
  for (const Span& s : cut) out.append(s.matched ? by : text.substr(s.begin, s.end - s.begin));
  return within_budget;
}

}  // namespace assay
