#include <algorithm>
#include <utility>

#include <algorithm>

#include "suites/input.h"

namespace assay {
namespace {

bool is_record_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

constexpr std::size_t kMaxCells = 20'000'000;

}  // namespace

RecordSplitter::RecordSplitter(Sink sink, std::size_t max_record_bytes)
    : sink_(std::move(sink)), max_record_bytes_(max_record_bytes) {
  ASSAY_CHECK(sink_ != nullptr && max_record_bytes_ > 0);
}

Status RecordSplitter::flush() {
  std::size_t begin = 0, end = record_.size();
  while (begin < end && is_record_blank(record_[begin])) ++begin;
  while (end > begin && is_record_blank(record_[end - 1])) --end;
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

// Text inside strings is most of a file of outputs: it is copied span by span.
Status RecordSplitter::add_array_bytes(std::string_view chunk) {
  for (std::size_t i = 0; i < chunk.size() && mode_ == Mode::array; ++i) {
    if (in_string_ && !escaped_) {
      const auto end = std::min(chunk.find_first_of("\"\\", i), chunk.size());
      record_ += chunk.substr(i, end - i);
      i = end;
      if (i == chunk.size()) break;
    }
    ASSAY_OK(add_array_byte(chunk[i]));
  }
  if (record_.size() <= max_record_bytes_) return {};
  return Error{.code = Code::too_large, .message = "a record is larger than it may be"};
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
  return {};
}

Status RecordSplitter::add(std::string_view chunk) {
  std::size_t i = 0;
  for (; i < chunk.size() && mode_ == Mode::unknown; ++i) {
    const bool mark = static_cast<unsigned char>(chunk[i]) == 0xEF ||
                      static_cast<unsigned char>(chunk[i]) == 0xBB ||
                      static_cast<unsigned char>(chunk[i]) == 0xBF;  // byte order mark
    if (is_record_blank(chunk[i]) || mark) continue;
    mode_ = chunk[i] == '[' ? Mode::array : Mode::lines;
    if (mode_ == Mode::lines) break;
  }
  if (mode_ == Mode::lines) return add_line_bytes(chunk.substr(i));
  return mode_ == Mode::array ? add_array_bytes(chunk.substr(i)) : Status{};
}

Status RecordSplitter::finish() {
  unterminated_ = mode_ == Mode::array;
  return flush();
}

CsvSplitter::CsvSplitter(Sink sink, char separator, std::size_t max_row_bytes)
    : sink_(std::move(sink)), separator_(separator), max_row_bytes_(max_row_bytes), row_(1) {
  ASSAY_CHECK(sink_ != nullptr && max_row_bytes_ > 0);
}

Status CsvSplitter::end_row() {
  const bool keep = touched_;
  Row row = std::exchange(row_, Row(1));
  touched_ = false;
  row_bytes_ = 0;
  return keep ? sink_(std::move(row)) : Status{};
}

// A quote after a quote inside a quoted cell is one quote of its text; else the first of them has ended the cell's quoted part.
Status CsvSplitter::add_byte(char c) {
  touched_ = touched_ || (c != '\n' && c != '\r');
  if (std::exchange(after_quote_, false)) {
    quoted_ = c == '"';
    if (quoted_) {
      row_.back() += '"';
      return {};
    }
  }
  if (quoted_) {
    after_quote_ = c == '"';
    if (!after_quote_) row_.back() += c;
  } else if (c == '"' && row_.back().empty()) {
    quoted_ = true;
  } else if (c == separator_) {
    row_.emplace_back();
  } else if (c == '\n') {
    return end_row();
  } else if (c != '\r') {
    row_.back() += c;
  }
  return {};
}

Status CsvSplitter::add(std::string_view chunk) {
  for (const char c : chunk) {
    ASSAY_OK(add_byte(c));
    if (++row_bytes_ > max_row_bytes_) return Error{.code = Code::too_large, .message = "a row is larger than it may be"};
  }
  return {};
}

Status CsvSplitter::finish() {
  if (std::exchange(after_quote_, false)) quoted_ = false;
  unterminated_ = quoted_;
  return end_row();
}

Result<std::vector<std::vector<std::string>>> parse_csv(std::string_view text, std::string_view file, char separator) {
  std::vector<std::vector<std::string>> rows;
  std::size_t cells = 0;
  CsvSplitter splitter(
      [&](CsvSplitter::Row row) -> Status {
        cells += row.size();
        if (cells > kMaxCells) return Error{.code = Code::too_large, .message = "too many cells", .file = std::string(file)};
        rows.push_back(std::move(row));
        return {};
      },
      separator);
  ASSAY_OK(splitter.add(text));
  ASSAY_OK(splitter.finish());
  if (!splitter.unterminated()) return rows;
  return Error{.code = Code::truncated, .message = "a quoted cell does not end", .file = std::string(file)};
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
