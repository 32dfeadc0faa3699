#include "suites/document.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/check.h"

namespace assay {
namespace {

bool is_document_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_open(char c) { return c == '{' || c == '['; }
bool is_close(char c) { return c == '}' || c == ']'; }

std::string_view trimmed_part(std::string_view text) {
  while (!text.empty() && is_document_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_document_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string name_of(std::string_view text) {
  text = trimmed_part(text);
  const bool quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
  return quoted ? unescaped(text.substr(1, text.size() - 2)) : std::string(text);
}

}  // namespace

std::string unescaped(std::string_view quoted) {
  if (quoted.find('\\') == std::string_view::npos) return std::string(quoted);
  const auto parsed = nlohmann::json::parse(fmt::format("\"{}\"", quoted), nullptr, false);
  return parsed.is_string() ? parsed.get<std::string>() : std::string(quoted);
}

DocumentSplitter::DocumentSplitter(Sink sink, std::function<Status()> end, std::size_t max_part_bytes)
    : sink_(std::move(sink)), end_(std::move(end)), max_part_bytes_(max_part_bytes) {
  ASSAY_CHECK(sink_ != nullptr && end_ != nullptr && max_part_bytes_ > 0);
}

// Hands out what has been read, if it is anything.
Status DocumentSplitter::give() {
  const std::string_view text = trimmed_part(text_);
  Status status;
  if (!text.empty()) {
    if (section_list_ && depth_ == 2) part_.key = fmt::format("{}", part_.place);
    part_.text = text;
    status = sink_(part_);
    ++part_.place;
  }
  text_.clear();
  return status;
}

// A bracket opens: the document, a section, or something inside a part.
Status DocumentSplitter::open() {
  if (++depth_ != 2) return {};
  part_.place = 0;
  part_.key.clear();
  named_[2] = section_list_;
  section_open_ = true;
  text_.clear();
  return {};
}

Status DocumentSplitter::close() {
  if (at_part() && !(depth_ == 1 && section_open_)) ASSAY_OK(give());
  if (--depth_ > 0) return {};
  section_open_ = false;
  return end_();
}

// A comma between members of the document or of a section.
Status DocumentSplitter::separate() {
  if (!(depth_ == 1 && section_open_)) ASSAY_OK(give());
  text_.clear();
  named_[depth_] = depth_ == 2 && section_list_;
  if (depth_ == 1) section_open_ = false;
  return {};
}

void DocumentSplitter::add_string_byte(char c) {
  in_string_ = escaped_ || c != '"';
  escaped_ = !escaped_ && c == '\\';
  if (depth_ > 0) text_ += c;
}

Status DocumentSplitter::add_byte(char c) {
  if (in_string_) {
    add_string_byte(c);
  } else if (depth_ == 0) {
    named_[1] = false;
    part_ = {};
    // A byte order mark is no harm, and a list of documents is read as one after another.
    broken_ = broken_ || (!is_document_blank(c) && std::string_view("{[],").find(c) == std::string_view::npos && static_cast<unsigned char>(c) < 0x80);
    if (c == '{') return open();
  } else if (is_open(c) && depth_ == 1) {
    section_list_ = c == '[';
    return open();
  } else if (is_close(c) && at_part()) {
    return close();
  } else if (c == ',' && at_part()) {
    return separate();
  } else if (c == ':' && at_part() && !named_[depth_]) {
    (depth_ == 1 ? part_.section : part_.key) = name_of(text_);
    if (depth_ == 1) part_.key.clear();
    named_[depth_] = true;
    text_.clear();
  } else {
    in_string_ = c == '"';
    if (is_open(c)) ++depth_;
    if (is_close(c)) --depth_;
    text_ += c;
  }
  return {};
}

Status DocumentSplitter::add(std::string_view chunk) {
  for (const char c : chunk) {
    ASSAY_OK(add_byte(c));
    if (text_.size() > max_part_bytes_) return Error{.code = Code::too_large, .message = "a part of the document is larger than it may be"};
  }
  return {};
}

Status DocumentSplitter::finish() {
  unterminated_ = depth_ > 0;
  if (!unterminated_) return {};
  depth_ = 0;
  return end_();
}

}  // namespace assay
