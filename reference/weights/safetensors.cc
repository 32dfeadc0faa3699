#include "reference/weights/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <tuple>
#include <unordered_set>

#include "reference/weights/foreign.h"

namespace assay {
namespace {

// A read pointer that shares its position, so that the events of the parser know where they are. The parser
// reads one character ahead at most.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** shared) : at_(at), shared_(shared) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    *shared_ = ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator old = *this;
    ++*this;
    return old;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** shared_;
};

// Parse events to header entries. The grammar is small, so a state a level is enough and no document is ever
// built:
// {"name": {"dtype": s, "shape": [n…], "data_offsets": [n, n]}…, "__metadata__": {s: s…}}
class HeaderBuilder {
 public:
  HeaderBuilder(const std::string& path, const char* begin, const char* const* at)
      : path_(path), begin_(begin), at_(at) {}

  bool null() { return unexpected("null"); }
  bool boolean(bool v) { return unexpected(v ? "true" : "false"); }
  bool number_integer(std::int64_t v) { return unexpected(std::to_string(v)); }  // negative: legal nowhere
  bool number_unsigned(std::uint64_t v) {
    if (state_ != State::shape && state_ != State::offsets) return unexpected(std::to_string(v));
    if (v > std::numeric_limits<std::int64_t>::max()) {
      return refuse(Code::bad_value, "a number does not fit 63 bits", "a smaller number", std::to_string(v));
    }
    return state_ == State::shape ? add_extent(static_cast<std::int64_t>(v)) : add_offset(v);
  }
  bool number_float(double, const std::string& text) { return unexpected(text.substr(0, 40)); }
  bool string(std::string& v) {
    if (state_ == State::dtype) return set_dtype(v);
    if (state_ != State::metadata_value) return unexpected("a string");
    header_.metadata.emplace_back(std::move(metadata_key_), std::move(v));
    state_ = State::metadata;
    return true;
  }
  bool binary(nlohmann::json::binary_t&) { return unexpected("binary data"); }
  bool start_object(std::size_t) {
    if (state_ == State::start) return enter(State::top);
    if (state_ == State::entry_value) return enter(State::entry);
    if (state_ == State::metadata_open) return enter(State::metadata);
    return unexpected("an object");
  }
  bool end_object() {
    if (state_ == State::entry) return finish_entry();
    if (state_ == State::metadata) return enter(State::top);
    return enter(State::done);
  }
  bool start_array(std::size_t) {
    if (state_ == State::shape_open) return enter(State::shape);
    if (state_ == State::offsets_open) return enter(State::offsets);
    return unexpected("an array");
  }
  bool end_array() { return enter(State::entry); }
  bool key(std::string& name) {
    if (name.size() > kMaxNameBytes) {
      return refuse(Code::too_large, "a name is too long", fmt::format("at most {} bytes", kMaxNameBytes),
                    std::to_string(name.size()));
    }
    if (state_ == State::top) return top_key(name);
    if (state_ == State::metadata) return metadata_key(name);
    return entry_key(name);
  }
  bool parse_error(std::size_t position, const std::string& token, const nlohmann::detail::exception& e) {
    const bool utf8 = std::string_view(e.what()).find("UTF-8") != std::string_view::npos;
    error_ =
        Error{.code = utf8 ? Code::bad_utf8 : Code::bad_json,
              .message = "the header is not JSON",
              .file = path_,
              .offset = 7 + static_cast<std::int64_t>(std::max<std::size_t>(position, 1)),  // counts from 1
              .field = entry_.name,
              .got = token.substr(0, 40)};
    return false;
  }

  const std::optional<Error>& error() const { return error_; }
  Header take() { return std::move(header_); }

 private:
  enum class State {
    start,
    top,
    metadata_open,
    metadata,
    metadata_value,
    entry_value,
    entry,
    dtype,
    shape_open,
    shape,
    offsets_open,
    offsets,
    done
  };

  bool enter(State state) {
    state_ = state;
    return true;
  }
  std::int64_t here() const { return 8 + (*at_ - begin_); }
  bool refuse(Code code, std::string message, std::string expected, std::string got) {
    error_ = Error{.code = code,
                   .message = std::move(message),
                   .file = path_,
                   .offset = here(),
                   .field = entry_.name,
                   .expected = std::move(expected),
                   .got = std::move(got)};
    return false;
  }
  bool unexpected(std::string got) {
    return refuse(Code::bad_value, "the header has a value of the wrong kind", std::string(wanted()),
                  std::move(got));
  }
  std::string_view wanted() const {
    switch (state_) {
      case State::start:
        return "an object";
      case State::entry_value:
        return "an object with dtype, shape and data_offsets";
      case State::metadata_open:
        return "an object of strings";
      case State::metadata_value:
        return "a string";
      case State::dtype:
        return "the name of a format";
      case State::shape_open:
        return "an array of extents";
      case State::offsets_open:
        return "an array of two offsets";
      case State::shape:
      case State::offsets:
        return "an integer from 0 to 2^63 - 1";
      default:
        return "the end of the header";
    }
  }

  bool top_key(std::string& name) {
    if (!names_.insert(name).second)
      return refuse(Code::duplicate, "a name stands twice in the header", "each name once", name);
    if (name == "__metadata__") return enter(State::metadata_open);
    if (header_.entries.size() >= kMaxTensorsPerFile) {
      return refuse(Code::too_large, "the header has too many tensors",
                    fmt::format("at most {}", kMaxTensorsPerFile), "more");
    }
    entry_ = {};
    entry_.name = std::move(name);
    has_dtype_ = has_shape_ = has_offsets_ = false;
    return enter(State::entry_value);
  }
  bool metadata_key(std::string& name) {
    if (!metadata_names_.insert(name).second) {
      return refuse(Code::duplicate, "a key stands twice in __metadata__", "each key once", name);
    }
    metadata_key_ = std::move(name);
    return enter(State::metadata_value);
  }
  bool entry_key(const std::string& name) {
    if (name == "dtype") return once(has_dtype_, name, State::dtype);
    if (name == "shape") return once(has_shape_, name, State::shape_open);
    if (name == "data_offsets") {
      n_offsets_ = 0;
      return once(has_offsets_, name, State::offsets_open);
    }
    return refuse(Code::bad_value, "a tensor has an unknown key", "dtype, shape or data_offsets", name);
  }
  bool once(bool& seen, const std::string& name, State next) {
    if (seen) return refuse(Code::duplicate, "a key stands twice in a tensor's entry", "each key once", name);
    seen = true;
    return enter(next);
  }
  bool set_dtype(const std::string& name) {
    const auto format = format_named(name);
    if (!format)
      return refuse(Code::bad_dtype, "a tensor has an unknown format", "a safetensors dtype",
                    name.substr(0, 40));
    entry_.format = *format;
    return enter(State::entry);
  }
  bool add_extent(std::int64_t extent) {
    if (entry_.shape.size() >= kMaxRank) {
      return refuse(Code::too_large, "a tensor has too many dimensions", fmt::format("at most {}", kMaxRank),
                    "more");
    }
    entry_.shape.push_back(extent);
    return true;
  }
  bool add_offset(std::uint64_t offset) {
    if (n_offsets_ >= 2)
      return refuse(Code::bad_offsets, "data_offsets has more than two numbers", "[begin, end]", "more");
    (n_offsets_ == 0 ? entry_.begin : entry_.end) = offset;
    ++n_offsets_;
    return true;
  }
  bool finish_entry() {
    if (!has_dtype_) return refuse(Code::missing_field, "a tensor has no dtype", "dtype", "nothing");
    if (!has_shape_) return refuse(Code::missing_field, "a tensor has no shape", "shape", "nothing");
    if (!has_offsets_)
      return refuse(Code::missing_field, "a tensor has no data_offsets", "data_offsets", "nothing");
    if (n_offsets_ != 2) {
      return refuse(Code::bad_offsets, "data_offsets has fewer than two numbers", "[begin, end]",
                    std::to_string(n_offsets_));
    }
    if (!size_fits()) return false;
    entry_.where = static_cast<std::uint64_t>(here());
    header_.entries.push_back(std::move(entry_));
    entry_ = {};
    return enter(State::top);
  }
  // Shape and format must give exactly the bytes of the range; every product is checked.
  bool size_fits() {
    if (entry_.begin > entry_.end) {
      return refuse(Code::bad_offsets, "a tensor ends before it begins", "begin <= end",
                    fmt::format("[{}, {}]", entry_.begin, entry_.end));
    }
    const auto count = element_count(entry_.shape);
    std::int64_t bits = 0;
    if (!count || __builtin_mul_overflow(*count, std::int64_t{bits_of(entry_.format)}, &bits)) {
      return refuse(Code::too_large, "a tensor's size overflows", "a product below 2^63",
                    shape_text(entry_.shape));
    }
    const std::uint64_t range = entry_.end - entry_.begin;
    if (bits % 8 == 0 && static_cast<std::uint64_t>(bits / 8) == range) return true;
    return refuse(
        Code::bad_shape, "a tensor's shape and format do not fit its byte range",
        bits % 8 == 0
            ? fmt::format("{} bytes for {} {}", bits / 8, name_of(entry_.format), shape_text(entry_.shape))
            : fmt::format("whole bytes for {} {}", name_of(entry_.format), shape_text(entry_.shape)),
        fmt::format("{} bytes", range));
  }

  const std::string& path_;
  const char* begin_;
  const char* const* at_;
  State state_ = State::start;
  HeaderEntry entry_;
  bool has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
  int n_offsets_ = 0;
  std::string metadata_key_;
  std::unordered_set<std::string> names_, metadata_names_;
  Header header_;
  std::optional<Error> error_;
};

Error file_error(Code code, std::string message, const std::string& path, std::int64_t offset,
                 std::string expected, std::string got) {
  return Error{.code = code,
               .message = std::move(message),
               .file = path,
               .offset = offset,
               .expected = std::move(expected),
               .got = std::move(got)};
}

Result<std::uint64_t> header_bytes(std::string_view bytes, const std::string& path) {
  if (bytes.size() < 8) {
    return file_error(Code::truncated, "the file is too short for a safetensors header", path, 0,
                      "at least 8 bytes", std::to_string(bytes.size()));
  }
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i)
    length = length << 8 | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
  if (length > kMaxHeaderBytes) {
    return file_error(Code::too_large, "the header is too long", path, 0,
                      fmt::format("at most {} bytes", kMaxHeaderBytes), std::to_string(length));
  }
  if (length > bytes.size() - 8) {
    return file_error(Code::truncated, "the file ends inside its header", path, 0,
                      fmt::format("{} bytes of header", length),
                      fmt::format("{} bytes in the file", bytes.size() - 8));
  }
  if (length == 0 || bytes[8] != '{') {
    return file_error(
        Code::bad_json, "the header does not begin with '{'", path, 8, "{",
        length == 0 ? "an empty header" : fmt::format("byte {:#04x}", static_cast<unsigned char>(bytes[8])));
  }
  // The JSON parser takes a zero byte for the end of its text, which would hide what follows.
  if (const void* zero = std::memchr(bytes.data() + 8, 0, length); zero != nullptr) {
    return file_error(Code::bad_json, "the header holds a zero byte", path,
                      static_cast<const char*>(zero) - bytes.data(), "JSON", "byte 0x00");
  }
  return length;
}

// Ascending ranges must meet exactly, from 0 to the end of the file.
Status check_cover(const Header& header, std::uint64_t data_bytes, const std::string& path) {
  std::uint64_t covered = 0;
  for (const HeaderEntry& e : header.entries) {
    if (e.begin != covered) {
      const bool overlap = e.begin < covered;
      return Error{.code = Code::bad_offsets,
                   .message = overlap ? "two tensors overlap" : "there is a hole between two tensors",
                   .file = path,
                   .offset = static_cast<std::int64_t>(e.where),
                   .field = e.name,
                   .expected = fmt::format("begin {}", covered),
                   .got = std::to_string(e.begin)};
    }
    if (e.end > data_bytes) {
      return Error{.code = Code::truncated,
                   .message = "the file ends before a tensor does",
                   .file = path,
                   .offset = static_cast<std::int64_t>(e.where),
                   .field = e.name,
                   .expected = fmt::format("{} bytes of tensors", e.end),
                   .got = std::to_string(data_bytes)};
    }
    covered = e.end;
  }
  if (covered == data_bytes) return {};
  return file_error(Code::bad_offsets, "bytes at the end of the file belong to no tensor", path,
                    static_cast<std::int64_t>(header.data_begin + covered),
                    fmt::format("{} bytes of tensors", covered), std::to_string(data_bytes));
}

}  // namespace

std::optional<std::int64_t> element_count(std::span<const std::int64_t> shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count)) return std::nullopt;
  }
  return count;
}

std::string shape_text(std::span<const std::int64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

Result<Header> parse_safetensors_header(std::span<const std::byte> file, const std::string& path) {
  const std::string_view bytes(reinterpret_cast<const char*>(file.data()), file.size());
  ASSAY_OK(refuse_foreign(bytes, path));
  ASSAY_TRY(const std::uint64_t length, header_bytes(bytes, path));
  const char* const begin = bytes.data() + 8;
  const char* at = begin;
  HeaderBuilder builder(path, begin, &at);
  const bool parsed = nlohmann::json::sax_parse(CountingIterator(begin, &at),
                                                CountingIterator(begin + length, &at), &builder);
  if (builder.error()) return *builder.error();
  ASSAY_CHECK(parsed);
  Header header = builder.take();
  header.data_begin = 8 + length;
  ASSAY_CHECK(header.data_begin <= file.size());
  std::sort(header.entries.begin(), header.entries.end(), [](const HeaderEntry& a, const HeaderEntry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  ASSAY_OK(check_cover(header, file.size() - header.data_begin, path));
  return header;
}

}  // namespace assay
