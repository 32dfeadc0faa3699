#include "suites/rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "suites/input.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxItemsBytes = std::size_t{1} << 30;
constexpr std::size_t kMaxFiles = 10'000;

struct File {
  std::string path, star;
};

std::string without_packing(const std::string& name) {
  for (const std::string_view suffix : {".gz", ".zst"}) {
    if (name.ends_with(suffix)) return name.substr(0, name.size() - suffix.size());
  }
  return name;
}

Result<std::vector<File>> files_of(const ItemsSource& source, const std::string& folder) {
  const std::string pattern = fmt::format("{}/{}", folder, source.file);
  if (source.file.find('*') == std::string::npos) {
    ASSAY_TRY(std::string packed, find_packed(pattern));
    return std::vector<File>{{std::move(packed), {}}};
  }
  const fs::path parent = fs::path(pattern).parent_path();
  const std::string wanted = fs::path(pattern).filename().string();
  std::vector<File> files;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(parent, failed)) {
    File file{.path = entry.path().string(), .star = {}};
    const std::string name = entry.path().filename().string();
    if (fits(name, wanted, &file.star) || fits(without_packing(name), wanted, &file.star)) files.push_back(std::move(file));
    if (files.size() > kMaxFiles) return Error{.code = Code::too_large, .message = "more than 10,000 files", .file = parent.string()};
  }
  if (files.empty()) return Error{.code = Code::not_found, .message = "no such file, plain or packed", .file = pattern};
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) { return a.star < b.star; });
  return files;
}

bool is_gzip(std::string_view bytes) { return bytes.starts_with("\x1f\x8b"); }

struct Text {
  std::string name, star, text;  // name: of the member, or of the file where there are several
};

Result<std::vector<Text>> texts_of(const ItemsSource& source, const std::vector<File>& files) {
  std::vector<Text> texts;
  std::size_t left = kMaxItemsBytes;
  for (const File& file : files) {
    ASSAY_TRY(std::vector<Member> members, read_members(file.path, source.member, left));
    if (members.empty()) {
      return Error{.code = Code::not_found, .message = "the archive holds no such member", .file = file.path, .expected = source.member};
    }
    for (Member& member : members) {
      if (!member.name.empty() && is_gzip(member.text)) {
        ASSAY_TRY(member.text, unpack_gzip(member.text, left, file.path));
      }
      Text text{.name = member.name, .star = file.star, .text = std::move(member.text)};
      if (files.size() > 1) text.name = fmt::format("{}{}{}", file.star, member.name.empty() ? "" : "/", member.name);
      if (text.star.empty()) fits(member.name, source.member, &text.star);
      ASSAY_CHECK(text.text.size() <= left);
      left -= text.text.size();
      texts.push_back(std::move(text));
    }
  }
  return texts;
}

std::string digest_of(const std::vector<Text>& texts, const ItemsSource& source) {
  const bool one = texts.size() == 1 && (texts[0].name.empty() || source.member.find('*') == std::string::npos);
  if (one && source.file.find('*') == std::string::npos) return sha256_hex(texts[0].text);
  Sha256 sha;
  for (const Text& text : texts) sha.add_field(text.name).add_field(text.text);
  return sha.hex();
}

// Leaves out rows by `below` and `distinct`.
class Filter {
 public:
  Filter(const ItemsSource& source, const RowSink& sink) : source_(source), sink_(sink) {}

  Status add(const Json& row, const std::string& subset, const std::string& file) {
    if (!source_.below_field.empty()) {
      const Json* value = find_column(row, source_.below_field);
      if (value == nullptr || !value->is_number_integer()) return lacks(source_.below_field, file);
      if (value->get<std::int64_t>() >= source_.below) return {};
    }
    if (!source_.distinct.empty()) {
      const Json* value = find_column(row, source_.distinct);
      if (value == nullptr) return lacks(source_.distinct, file);
      std::string now = dump_json(*value);
      if (now == last_) return {};
      last_ = std::move(now);
    }
    return sink_(row, subset, file);
  }

 private:
  static Error lacks(const std::string& field, const std::string& file) {
    return Error{.code = Code::missing_field, .message = "a row lacks the column that rows are chosen by", .file = file, .field = field};
  }

  const ItemsSource& source_;
  const RowSink& sink_;
  std::string last_;
};

Status rows_of_json_lines(const Text& text, const std::string& file, Filter& filter) {
  RecordSplitter splitter([&](std::string_view record) -> Status {
    ASSAY_TRY(const Json row, parse_json(record, file));
    return filter.add(row, text.star, file);
  });
  ASSAY_OK(splitter.add(text.text));
  ASSAY_OK(splitter.finish());
  if (!splitter.unterminated()) return {};
  return Error{.code = Code::truncated, .message = "the array of items does not end", .file = file};
}

Status rows_of_document(const Text& text, const ItemsSource& source, const std::string& file, Filter& filter) {
  ASSAY_TRY(const Json document, parse_json(text.text, file));
  const Json* list = source.key.empty() ? &document : find_column(document, source.key);
  if (list == nullptr || !list->is_array()) {
    return Error{.code = Code::missing_field, .message = "no such array of rows", .file = file, .field = source.key};
  }
  for (const auto& row : *list) ASSAY_OK(filter.add(row, text.star, file));
  return {};
}

// "2" or "1-4": columns by number.
Result<std::pair<std::size_t, std::size_t>> column_range(const std::string& name, std::size_t n, const std::string& file) {
  std::size_t first = 0, last = 0;
  const char* end = name.data() + name.size();
  const auto [stop, bad] = std::from_chars(name.data(), end, first);
  last = first;
  bool whole = bad == std::errc{} && stop == end;
  if (bad == std::errc{} && stop != end && *stop == '-') whole = std::from_chars(stop + 1, end, last).ptr == end;
  if (whole && first <= last && last < n) return std::pair(first, last);
  return Error{.code = Code::missing_field, .message = "a column is missing", .file = file, .field = name,
               .expected = fmt::format("below {}", n)};
}

// A row without names as an object whose members are the numbers that the definition uses.
Result<Json> numbered(const std::vector<std::string>& row, const ItemsSource& source, const std::string& file) {
  Json object = Json::object();
  for (const auto& [ours, theirs] : source.fields) {
    if (theirs == "*") continue;
    ASSAY_TRY(const auto range, column_range(theirs, row.size(), file));
    if (range.first == range.second) {
      object[theirs] = row[range.first];
      continue;
    }
    for (std::size_t i = range.first; i <= range.second; ++i) object[theirs].push_back(row[i]);
  }
  return object;
}

Result<Json> by_name(const std::vector<std::string>& row, const std::vector<std::string>& names, const std::string& file) {
  Json object = Json::object();
  if (row.size() != names.size()) {
    return Error{.code = Code::bad_value, .message = "a row has another number of cells than the header", .file = file,
                 .expected = std::to_string(names.size()), .got = std::to_string(row.size())};
  }
  for (std::size_t i = 0; i < names.size(); ++i) object[names[i]] = row[i];
  return object;
}

Status rows_of_table(const Text& text, const ItemsSource& source, const std::string& file, Filter& filter) {
  std::string_view plain = text.text;
  if (plain.starts_with("\xEF\xBB\xBF")) plain.remove_prefix(3);
  const bool tabs = source.format == ItemFormat::tsv;
  ASSAY_TRY(const auto rows, tabs ? parse_tsv(plain, file) : parse_csv(plain, file));
  for (std::size_t i = source.header ? 1 : 0; i < rows.size(); ++i) {
    ASSAY_TRY(const Json row, source.header ? by_name(rows[i], rows[0], file) : numbered(rows[i], source, file));
    ASSAY_OK(filter.add(row, text.star, file));
  }
  return {};
}

Status row_of_text(const Text& text, const ItemsSource& source, const std::string& file, Filter& filter) {
  std::string whole = text.text;
  if (!source.text_after.empty()) {
    const auto at = whole.find(source.text_after);
    if (at == std::string::npos) return Error{.code = Code::bad_value, .message = "a text lacks the marker it is read from", .file = file, .field = "text_after"};
    whole.erase(0, at + source.text_after.size());
  }
  while (whole.ends_with('\n')) whole.pop_back();
  return filter.add(Json{{"text", std::move(whole)}}, text.star, file);
}

Status rows_of(const Text& text, const ItemsSource& source, const std::string& file, Filter& filter) {
  switch (source.format) {
    case ItemFormat::jsonl: return rows_of_json_lines(text, file, filter);
    case ItemFormat::json: return rows_of_document(text, source, file, filter);
    case ItemFormat::csv:
    case ItemFormat::tsv: return rows_of_table(text, source, file, filter);
    case ItemFormat::text: return row_of_text(text, source, file, filter);
  }
  return {};
}

// One file of JSON lines needs not be held whole.
Result<std::string> stream_lines(const std::string& path, Filter& filter) {
  Sha256 sha;
  std::size_t total = 0;
  RecordSplitter splitter([&](std::string_view record) -> Status {
    ASSAY_TRY(const Json row, parse_json(record, path));
    return filter.add(row, "", path);
  });
  ASSAY_OK(read_input(path, [&](std::string_view, std::string_view chunk, bool) -> Status {
    total += chunk.size();
    if (total > kMaxItemsBytes) return Error{.code = Code::too_large, .message = "the file is larger than it may be here", .file = path};
    sha.add(chunk);
    return splitter.add(chunk);
  }));
  ASSAY_OK(splitter.finish());
  if (splitter.unterminated()) return Error{.code = Code::truncated, .message = "the array of items does not end", .file = path};
  return sha.hex();
}

}  // namespace

const Json* find_column(const Json& row, std::string_view name) {
  if (!row.is_object()) return nullptr;
  if (const auto at = row.find(name); at != row.end()) return &*at;
  const auto dot = name.find('.');
  if (dot == std::string_view::npos) return nullptr;
  const auto at = row.find(name.substr(0, dot));
  return at == row.end() ? nullptr : find_column(*at, name.substr(dot + 1));
}

Result<std::string> digest_source(const ItemsSource& source, const std::string& folder) {
  ASSAY_TRY(const std::vector<File> files, files_of(source, folder));
  ASSAY_TRY(const std::vector<Text> texts, texts_of(source, files));
  return digest_of(texts, source);
}

Result<std::string> read_rows(const ItemsSource& source, const std::string& folder, const RowSink& sink) {
  ASSAY_TRY(const std::vector<File> files, files_of(source, folder));
  Filter filter(source, sink);
  const bool plain = files.size() == 1 && source.member.empty() && source.file.find('*') == std::string::npos;
  if (plain && source.format == ItemFormat::jsonl) return stream_lines(files[0].path, filter);
  ASSAY_TRY(const std::vector<Text> texts, texts_of(source, files));
  for (const Text& text : texts) ASSAY_OK(rows_of(text, source, files.size() == 1 ? files[0].path : text.name, filter));
  return digest_of(texts, source);
}

bool source_is_there(const ItemsSource& source, const std::string& folder) { return files_of(source, folder).ok(); }

}  // namespace assay
