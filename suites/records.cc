#include <fmt/format.h>

#include <algorithm>

#include "suites/input.h"

namespace assay {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

constexpr std::size_t kMaxCells = 20'000'000;

}  // namespace

RecordSplitter::RecordSplitter(Sink sink, std::size_t max_record_bytes)
    : sink_(std::move(sink)), max_record_bytes_(max_record_bytes) {
  ASSAY_CHECK(sink_ != nullptr && max_record_bytes_ > 0);
}

Status RecordSplitter::flush() {
  std::size_t begin = 0, end = record_.size();
  while (begin < end && is_blank(record_[begin])) ++begin;
  while (end > begin && is_blank(record_[end - 1])) --end;
  const Status status = begin == end ? Status{} : sink_(std::string_view(record_).substr(begin, end - begin));
  record_.clear();
  return status;
}

Status RecordSplitter::add_line_bytes(std::string_view chunk) {
  while (!chunk.empty()) {
    const auto end = chunk.find('\n');
    record_ += chunk.substr(0, end);
    if (record_.size() > max_record_bytes_) {
      return Error{.code = Code::too_large, .message = "a record is larger than it may be"};
    }
    if (end == std::string_view::npos) return {};
    ASSAY_OK(flush());
    chunk.remove_prefix(end + 1);
  }
  return {};
}

Status RecordSplitter::add_array_byte(char c) {
  if (in_string_) {
    in_string_ = escaped_ || c != '"';
    escaped_ = !escaped_ && c == '\\';
  } else if (c == '"') {
    in_string_ = true;
  } else if (c == '{' || c == '[') {
    ++depth_;
  } else if (c == '}' || c == ']') {
    if (--depth_ < 0) {
      mode_ = Mode::done;
      return flush();
    }
  } else if (c == ',' && depth_ == 0) {
    return flush();
  }
  record_ += c;
  if (record_.size() <= max_record_bytes_) return {};
  return Error{.code = Code::too_large, .message = "a record is larger than it may be"};
}

Status RecordSplitter::add(std::string_view chunk) {
  std::size_t i = 0;
  for (; i < chunk.size() && mode_ == Mode::unknown; ++i) {
    const bool mark = static_cast<unsigned char>(chunk[i]) == 0xEF ||
                      static_cast<unsigned char>(chunk[i]) == 0xBB ||
                      static_cast<unsigned char>(chunk[i]) == 0xBF;  // byte order mark
    if (is_blank(chunk[i]) || mark) continue;
    mode_ = chunk[i] == '[' ? Mode::array : Mode::lines;
    if (mode_ == Mode::lines) break;
  }
  if (mode_ == Mode::lines) return add_line_bytes(chunk.substr(i));
  for (; i < chunk.size() && mode_ == Mode::array; ++i) ASSAY_OK(add_array_byte(chunk[i]));
  return {};
}

Status RecordSplitter::finish() {
  unterminated_ = mode_ == Mode::array;
  return flush();
}

Result<std::vector<std::vector<std::string>>> parse_csv(std::string_view text, std::string_view file,
                                                        char separator) {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> row(1);
  bool quoted = false, touched = false;
  std::size_t cells = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool doubled = i + 1 < text.size() && text[i + 1] == '"';
    touched = touched || (c != '\n' && c != '\r');
    if (quoted && c == '"' && doubled) {
      row.back() += '"';
      ++i;
    } else if (c == '"' && (quoted || row.back().empty())) {
      quoted = !quoted;
    } else if (quoted) {
      row.back() += c;
    } else if (c == separator) {
      row.emplace_back();
      if (++cells > kMaxCells)
        return Error{.code = Code::too_large, .message = "too many cells", .file = std::string(file)};
    } else if (c == '\n') {
      if (touched) rows.push_back(std::move(row));
      row.assign(1, {});
      touched = false;
    } else if (c != '\r') {
      row.back() += c;
    }
  }
  if (quoted) {
    return Error{.code = Code::truncated, .message = "a quoted cell does not end", .file = std::string(file)};
  }
  if (touched) rows.push_back(std::move(row));
  return rows;
}

Result<std::vector<std::vector<std::string>>> parse_tsv(std::string_view text, std::string_view file) {
  std::vector<std::vector<std::string>> rows;
  std::size_t cells = 0;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    auto& row = rows.emplace_back();
    for (std::size_t begin = 0; begin <= line.size(); ++cells) {
      const auto tab = std::min(line.find('\t', begin), line.size());
      row.emplace_back(line.substr(begin, tab - begin));
      begin = tab + 1;
    }
    if (cells > kMaxCells) return Error{.code = Code::too_large, .message = "too many cells", .file = std::string(file)};
  }
  return rows;
}

}  // namespace assay
