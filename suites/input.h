// Files of data as people have them: plain, gzip (also zstd, xz) or zip. Read in chunks, so that size is no
// matter.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace assay {

inline constexpr std::uint64_t kMaxPlainBytes = std::uint64_t{16}
                                                << 30;  // after decompression: a bomb ends here

// Called with every chunk of a member's plain text, in order; `first` marks the start of a member. A file
// that is not an archive is one member with the name "".
using ChunkSink = std::function<Status(std::string_view member, std::string_view chunk, bool first)>;

Status read_input(const std::string& path, const ChunkSink& sink);

struct Member {
  std::string name;
  std::string text;
};

// All members whose name fits `pattern` ("data/test/*_test.csv"; "" fits everything), sorted by name, whole.
Result<std::vector<Member>> read_members(const std::string& path, std::string_view pattern,
                                         std::size_t max_bytes);

// The plain text of one gzip stream in memory. Refused: more than max_bytes.
Result<std::string> unpack_gzip(std::string_view bytes, std::size_t max_bytes, std::string_view file);

// What the one star of the pattern stands for, or no value where the name does not fit.
bool fits(std::string_view name, std::string_view pattern, std::string* star = nullptr);

// The first of `path`, `path`.gz, `path`.zst that is there; a refusal names `path`.
Result<std::string> find_packed(const std::string& path);

// Cuts a stream of bytes into records: the lines of JSON lines, or the elements of one JSON array, which it
// recognises by the first character that is not blank. A line that is not JSON is a record too: whoever
// parses it counts it.
class RecordSplitter {
 public:
  using Sink = std::function<Status(std::string_view record)>;
  explicit RecordSplitter(Sink sink, std::size_t max_record_bytes = std::size_t{64} << 20);

  Status add(std::string_view chunk);
  Status finish();  // the last line, or what is left of an array that does not end
  bool unterminated() const { return unterminated_; }  // after finish(): an array without its end

 private:
  enum class Mode { unknown, lines, array, done };
  Status flush();
  Status add_line_bytes(std::string_view chunk);
  Status add_array_bytes(std::string_view chunk);
  Status add_array_byte(char c);

  Sink sink_;
  std::size_t max_record_bytes_;
  Mode mode_ = Mode::unknown;
  std::string record_;
  int depth_ = 0;
  bool in_string_ = false, escaped_ = false, unterminated_ = false;
};

// Likewise for rows of comma-separated values: see parse_csv. Blank lines are no rows.
class CsvSplitter {
 public:
  using Row = std::vector<std::string>;
  using Sink = std::function<Status(Row row)>;
  explicit CsvSplitter(Sink sink, char separator = ',', std::size_t max_row_bytes = std::size_t{64} << 20);

  Status add(std::string_view chunk);
  Status finish();  // the last row; one whose quotes do not close is given as it is
  bool unterminated() const { return unterminated_; }  // after finish(): a quoted cell does not end

 private:
  Status add_byte(char c);
  Status end_row();

  Sink sink_;
  char separator_;
  std::size_t max_row_bytes_, row_bytes_ = 0;
  Row row_;
  bool quoted_ = false, touched_ = false, after_quote_ = false, unterminated_ = false;
};

// Rows of comma-separated values (RFC 4180: quotes, doubled quotes, line breaks inside quotes; CRLF or LF).
Result<std::vector<std::vector<std::string>>> parse_csv(std::string_view text, std::string_view file,
                                                        char separator = ',');
// Rows of tab-separated values: a tab ends a cell and a line a row, whatever stands in it; quotes mean nothing.
Result<std::vector<std::vector<std::string>>> parse_tsv(std::string_view text, std::string_view file);

}  // namespace assay
