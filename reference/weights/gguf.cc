#include "reference/weights/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <set>

#include "reference/weights/safetensors.h"

namespace assay {
namespace {

constexpr std::array<std::string_view, 13> kTypeNames = {
    "u8", "i8", "u16", "i16", "u32", "i32", "f32", "boolean", "string", "array", "u64", "i64", "f64"};

// Bytes of one value; a string has at least its length.
std::uint64_t least_bytes(GgufType type) {
  constexpr std::array<std::uint64_t, 13> kBytes = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};
  return kBytes[static_cast<std::size_t>(type)];
}

struct TensorType {
  std::uint32_t id;
  std::string_view name;
  std::optional<Format> format;  // none: known, not read here
};

// enum ggml_type of ggml/include/ggml.h; ids that are not listed were never used or were withdrawn.
constexpr TensorType kTensorTypes[] = {{0, "F32", Format::F32},    {1, "F16", Format::F16},
                                       {2, "Q4_0", Format::Q4_0},  {3, "Q4_1", Format::Q4_1},
                                       {6, "Q5_0", Format::Q5_0},  {7, "Q5_1", Format::Q5_1},
                                       {8, "Q8_0", Format::Q8_0},  {9, "Q8_1", {}},
                                       {10, "Q2_K", Format::Q2_K}, {11, "Q3_K", Format::Q3_K},
                                       {12, "Q4_K", Format::Q4_K}, {13, "Q5_K", Format::Q5_K},
                                       {14, "Q6_K", Format::Q6_K}, {15, "Q8_K", {}},
                                       {16, "IQ2_XXS", {}},        {17, "IQ2_XS", {}},
                                       {18, "IQ3_XXS", {}},        {19, "IQ1_S", {}},
                                       {20, "IQ4_NL", {}},         {21, "IQ3_S", {}},
                                       {22, "IQ2_S", {}},          {23, "IQ4_XS", {}},
                                       {24, "I8", Format::I8},     {25, "I16", Format::I16},
                                       {26, "I32", Format::I32},   {27, "I64", Format::I64},
                                       {28, "F64", Format::F64},   {29, "IQ1_M", {}},
                                       {30, "BF16", Format::BF16}, {34, "TQ1_0", {}},
                                       {35, "TQ2_0", {}},          {39, "MXFP4", Format::MXFP4},
                                       {40, "NVFP4", {}},          {41, "Q1_0", {}}};

const TensorType* tensor_type(std::uint32_t id) {
  for (const TensorType& type : kTensorTypes) {
    if (type.id == id) return &type;
  }
  return nullptr;
}

std::uint64_t load(const std::byte* p, std::size_t bytes) {
  std::uint64_t value = 0;
  std::memcpy(&value, p, bytes);  // little-endian, as all machines that this is built for
  return value;
}
static_assert(std::endian::native == std::endian::little);

std::uint64_t align_up(std::uint64_t at, std::uint64_t alignment) {
  ASSAY_CHECK(std::has_single_bit(alignment) && at <= (std::uint64_t{1} << 62));
  return (at + alignment - 1) & ~(alignment - 1);
}

class Parser {
 public:
  Parser(std::span<const std::byte> file, const std::string& path) : file_(file), path_(path) {}

  Result<GgufHeader> run() {
    ASSAY_OK(prologue());
    for (std::uint64_t i = 0; i < n_entries_; ++i) {
      ASSAY_TRY(GgufEntry entry, metadata_entry());
      header_.metadata.push_back(std::move(entry));
    }
    ASSAY_OK(sort_metadata());
    ASSAY_TRY(const std::uint64_t alignment, read_alignment());
    for (std::uint64_t i = 0; i < n_tensors_; ++i) {
      ASSAY_TRY(GgufTensor tensor, tensor_entry(alignment));
      header_.tensors.push_back(std::move(tensor));
    }
    ASSAY_OK(place_tensors(alignment));
    return std::move(header_);
  }

 private:
  Error error(Code code, std::string message, std::string expected, std::string got) const {
    return Error{.code = code,
                 .message = std::move(message),
                 .file = path_,
                 .offset = static_cast<std::int64_t>(at_),
                 .field = field_,
                 .expected = std::move(expected),
                 .got = std::move(got)};
  }

  // The next `n` bytes.
  Result<std::span<const std::byte>> take(std::uint64_t n) {
    const std::uint64_t left = file_.size() - at_;
    if (n > left) {
      return error(Code::truncated, "the file ends inside its header", fmt::format("{} bytes more", n),
                   fmt::format("{} bytes", left));
    }
    if (at_ + n > kMaxGgufHeaderBytes) {
      return error(Code::too_large, "the header is too long",
                   fmt::format("at most {} bytes", kMaxGgufHeaderBytes), "more");
    }
    const auto part = file_.subspan(at_, n);
    at_ += n;
    return part;
  }
  Result<std::uint64_t> take_integer(std::size_t bytes) {
    ASSAY_TRY(const auto part, take(bytes));
    return load(part.data(), bytes);
  }
  Result<std::span<const std::byte>> take_string(std::uint64_t limit, std::string_view what) {
    ASSAY_TRY(const std::uint64_t length, take_integer(8));
    if (length > limit) {
      return error(Code::too_large, fmt::format("{} is too long", what),
                   fmt::format("at most {} bytes", limit), std::to_string(length));
    }
    return take(length);
  }

  Status prologue() {
    ASSAY_TRY(const std::uint64_t magic, take_integer(4));
    if (magic != 0x46554747)
      return error(Code::bad_value, "the file does not begin as GGUF", "GGUF",
                   fmt::format("{:#010x}", magic));
    field_ = "version";
    ASSAY_TRY(const std::uint64_t version, take_integer(4));
    if (version != 2 && version != 3) {
      const bool big_endian = version != 0 && (version & 0xFFFF) == 0;
      return error(Code::unsupported,
                   big_endian ? "big-endian GGUF files are not read" : "this version of GGUF is not read",
                   "2 or 3", std::to_string(version));
    }
    header_.version = static_cast<std::uint32_t>(version);
    field_ = "tensor_count";
    ASSAY_TRY(n_tensors_, take_count(kMaxTensorsPerFile, 8 + 4 + 8 + 4 + 8));
    field_ = "metadata_kv_count";
    ASSAY_TRY(n_entries_, take_count(kMaxGgufEntries, 8 + 4 + 1));
    return {};
  }

  // A count of things of which each takes at least `least` bytes of the rest of the file.
  Result<std::uint64_t> take_count(std::uint64_t limit, std::uint64_t least) {
    ASSAY_TRY(const std::uint64_t count, take_integer(8));
    if (count > limit)
      return error(Code::too_large, "a count is too large", fmt::format("at most {}", limit),
                   std::to_string(count));
    if (count > (file_.size() - at_) / least) {
      return error(Code::truncated, "the file is too short for what it counts",
                   fmt::format("at least {} bytes for each", least),
                   fmt::format("{} in {} bytes", count, file_.size() - at_));
    }
    return count;
  }

  Result<GgufType> take_type() {
    ASSAY_TRY(const std::uint64_t id, take_integer(4));
    if (id < kTypeNames.size()) return static_cast<GgufType>(id);
    return error(Code::bad_dtype, "a value has an unknown type", "0 to 12", std::to_string(id));
  }

  Result<GgufEntry> metadata_entry() {
    field_.clear();
    ASSAY_TRY(const auto key, take_string(kMaxGgufKeyBytes, "a key"));
    GgufEntry entry{std::string(reinterpret_cast<const char*>(key.data()), key.size()), {}};
    field_ = entry.key.substr(0, 120);
    if (entry.key.empty()) return error(Code::bad_value, "a key is empty", "a name", "nothing");
    ASSAY_TRY(entry.value.type, take_type());
    entry.value.offset = static_cast<std::int64_t>(at_);
    if (entry.value.type == GgufType::array) {
      ASSAY_OK(read_array(entry.value));
    } else {
      ASSAY_TRY(entry.value.bytes, take_scalar(entry.value.type));
    }
    return entry;
  }

  Result<std::span<const std::byte>> take_scalar(GgufType type) {
    if (type == GgufType::string) return take_string(kMaxGgufStringBytes, "a string");
    ASSAY_TRY(const auto bytes, take(least_bytes(type)));
    if (type != GgufType::boolean || std::to_integer<int>(bytes[0]) <= 1) return bytes;
    return error(Code::bad_value, "a boolean is neither false nor true", "0 or 1",
                 std::to_string(std::to_integer<int>(bytes[0])));
  }

  Status read_array(GgufValue& value) {
    ASSAY_TRY(value.element, take_type());
    if (value.element == GgufType::array)
      return error(Code::unsupported, "arrays of arrays are not read", "an array of values",
                   "an array of arrays");
    ASSAY_TRY(value.count, take_count(kMaxGgufHeaderBytes, least_bytes(value.element)));
    const std::uint64_t begin = at_;
    if (value.element != GgufType::string && value.element != GgufType::boolean) {
      ASSAY_OK(take(value.count * least_bytes(value.element)));
    } else {
      for (std::uint64_t i = 0; i < value.count; ++i) ASSAY_OK(take_scalar(value.element));
    }
    value.bytes = file_.subspan(begin, at_ - begin);
    return {};
  }

  Status sort_metadata() {
    auto& list = header_.metadata;
    std::stable_sort(list.begin(), list.end(),
                     [](const GgufEntry& a, const GgufEntry& b) { return a.key < b.key; });
    const auto twice = std::adjacent_find(
        list.begin(), list.end(), [](const GgufEntry& a, const GgufEntry& b) { return a.key == b.key; });
    if (twice == list.end()) return {};
    at_ = static_cast<std::uint64_t>((twice + 1)->value.offset);
    field_ = twice->key.substr(0, 120);
    return error(Code::duplicate, "a key stands twice in the metadata", "each key once", field_);
  }

  Result<std::uint64_t> read_alignment() {
    constexpr std::uint64_t kDefault = 32;  // gguf.md
    const GgufValue* value = header_.find("general.alignment");
    if (value == nullptr) return kDefault;
    const auto given = value->integer();
    const bool fits = given && *given >= 1 && static_cast<std::uint64_t>(*given) <= kMaxGgufAlignment &&
                      std::has_single_bit(static_cast<std::uint64_t>(*given));
    if (fits) return static_cast<std::uint64_t>(*given);
    field_ = "general.alignment";
    return error(Code::bad_value, "the alignment cannot be used",
                 fmt::format("a power of two up to {}", kMaxGgufAlignment),
                 given ? std::to_string(*given) : std::string(name_of(value->type)));
  }

  Result<GgufTensor> tensor_entry(std::uint64_t alignment) {
    GgufTensor tensor;
    tensor.where = at_;
    field_.clear();
    ASSAY_TRY(const auto name, take_string(kMaxGgufNameBytes, "a tensor's name"));
    tensor.name.assign(reinterpret_cast<const char*>(name.data()), name.size());
    field_ = tensor.name;
    if (tensor.name.empty()) return error(Code::bad_value, "a tensor has no name", "a name", "nothing");
    if (!names_.insert(tensor.name).second)
      return error(Code::duplicate, "a name stands twice in the header", "each name once", tensor.name);
    ASSAY_OK(read_shape(tensor));
    ASSAY_OK(read_tensor_type(tensor));
    ASSAY_TRY(tensor.begin, take_integer(8));  // from the end of the header, which is not known yet
    if (tensor.begin % alignment != 0) {
      return error(Code::bad_offsets, "a tensor does not begin at a multiple of the alignment",
                   fmt::format("a multiple of {}", alignment), std::to_string(tensor.begin));
    }
    return tensor;
  }

  Status read_shape(GgufTensor& tensor) {
    ASSAY_TRY(const std::uint64_t rank, take_integer(4));
    if (rank < 1 || rank > kMaxGgufRank)
      return error(rank < 1 ? Code::bad_shape : Code::too_large,
                   "a tensor has a number of dimensions that is not possible",
                   fmt::format("1 to {}", kMaxGgufRank), std::to_string(rank));
    for (std::uint64_t i = 0; i < rank; ++i) {
      ASSAY_TRY(const std::uint64_t extent, take_integer(8));
      if (extent < 1 || extent > (std::uint64_t{1} << 62))
        return error(Code::bad_shape, "a tensor has an extent that is not possible", "1 to 2^62",
                     std::to_string(extent));
      tensor.shape.insert(tensor.shape.begin(), static_cast<std::int64_t>(extent));
    }
    return {};
  }

  // Type and, from it and the shape, the size; every product is checked.
  Status read_tensor_type(GgufTensor& tensor) {
    ASSAY_TRY(const std::uint64_t id, take_integer(4));
    const TensorType* type = tensor_type(static_cast<std::uint32_t>(id));
    if (type == nullptr)
      return error(Code::bad_dtype, "a tensor has an unknown type", "a ggml type", std::to_string(id));
    if (!type->format) {
      return error(Code::unsupported, "a tensor is stored in a format that this version does not read",
                   "F32, F16, BF16, F64, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K to Q6_K or MXFP4",
                   std::string(type->name));
    }
    tensor.format = *type->format;
    const BlockShape block = block_shape(tensor.format);
    const auto count = element_count(tensor.shape);
    std::int64_t bytes = 0;
    if (!count || __builtin_mul_overflow(*count / block.elements, std::int64_t{block.bytes}, &bytes))
      return error(Code::too_large, "a tensor's size overflows", "a product below 2^63",
                   shape_text(tensor.shape));
    if (tensor.shape.back() % block.elements != 0) {
      return error(Code::bad_shape, "a tensor's rows are no whole number of blocks",
                   fmt::format("a multiple of {} for {}", block.elements, type->name),
                   shape_text(tensor.shape));
    }
    tensor.size = static_cast<std::uint64_t>(bytes);
    return {};
  }

  // Ascending tensors must meet but for padding, from the end of the header to the end of the file.
  Status place_tensors(std::uint64_t alignment) {
    auto& list = header_.tensors;
    std::sort(list.begin(), list.end(),
              [](const GgufTensor& a, const GgufTensor& b) { return a.begin < b.begin; });
    const std::uint64_t base = align_up(at_, alignment);
    std::uint64_t end = list.empty() ? at_ : base;
    for (GgufTensor& tensor : list) {
      at_ = tensor.where;
      field_ = tensor.name;
      const std::uint64_t wanted = align_up(end, alignment) - base;
      if (tensor.begin != wanted) {
        return error(Code::bad_offsets,
                     tensor.begin < wanted ? "two tensors overlap" : "there is a hole between two tensors",
                     fmt::format("offset {}", wanted), std::to_string(tensor.begin));
      }
      tensor.begin += base;
      if (tensor.begin > file_.size() || tensor.size > file_.size() - tensor.begin) {
        return error(Code::truncated, "the file ends before a tensor does",
                     fmt::format("{} bytes at {}", tensor.size, tensor.begin),
                     fmt::format("{} bytes in the file", file_.size()));
      }
      end = tensor.begin + tensor.size;
    }
    if (file_.size() <= align_up(end, alignment)) return {};
    at_ = end;
    field_.clear();
    return error(Code::bad_offsets, "bytes at the end of the file belong to no tensor",
                 fmt::format("at most {} bytes", align_up(end, alignment)), std::to_string(file_.size()));
  }

  std::span<const std::byte> file_;
  const std::string& path_;
  std::uint64_t at_ = 0;
  std::string field_;  // what is being read
  std::uint64_t n_tensors_ = 0, n_entries_ = 0;
  std::set<std::string> names_;
  GgufHeader header_;
};

// The double that the shortest decimal of an f32 names: 1e-05 and not 9.999999747378752e-06.
double shortest(float value) {
  char text[32];
  const auto [end, failed] = std::to_chars(text, text + sizeof text, value);
  ASSAY_CHECK(failed == std::errc());
  double out = 0;
  std::from_chars(text, end, out);
  return out;
}

std::optional<std::int64_t> integer_of(GgufType type, const std::byte* p) {
  const std::uint64_t bits = load(p, least_bytes(type));
  switch (type) {
    case GgufType::u8:
    case GgufType::u16:
    case GgufType::u32:
      return static_cast<std::int64_t>(bits);
    case GgufType::u64:
      return bits >> 63 != 0 ? std::nullopt : std::optional(static_cast<std::int64_t>(bits));
    case GgufType::i8:
      return static_cast<std::int8_t>(bits);
    case GgufType::i16:
      return static_cast<std::int16_t>(bits);
    case GgufType::i32:
      return static_cast<std::int32_t>(bits);
    case GgufType::i64:
      return static_cast<std::int64_t>(bits);
    default:
      return std::nullopt;
  }
}

std::optional<double> number_of(GgufType type, const std::byte* p) {
  if (type == GgufType::f32) return shortest(std::bit_cast<float>(static_cast<std::uint32_t>(load(p, 4))));
  if (type == GgufType::f64) return std::bit_cast<double>(load(p, 8));
  const auto whole = integer_of(type, p);
  return whole ? std::optional(static_cast<double>(*whole)) : std::nullopt;
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class T, class Read>
std::optional<std::vector<T>> elements_of(const GgufValue& value, Read read) {
  if (value.type != GgufType::array || value.element == GgufType::string ||
      value.element == GgufType::boolean)
    return std::nullopt;
  std::vector<T> out;
  out.reserve(value.count);
  for (std::uint64_t i = 0; i < value.count; ++i) {
    const auto one = read(value.element, value.bytes.data() + i * least_bytes(value.element));
    if (!one) return std::nullopt;
    out.push_back(*one);
  }
  return out;
}

}  // namespace

std::string_view name_of(GgufType type) {
  ASSAY_CHECK(static_cast<std::size_t>(type) < kTypeNames.size());
  return kTypeNames[static_cast<std::size_t>(type)];
}

std::optional<std::int64_t> GgufValue::integer() const {
  const bool plain = type != GgufType::string && type != GgufType::array;
  return plain ? integer_of(type, bytes.data()) : std::nullopt;
}

std::optional<double> GgufValue::number() const {
  const bool plain = type != GgufType::string && type != GgufType::array;
  return plain ? number_of(type, bytes.data()) : std::nullopt;
}

std::optional<bool> GgufValue::boolean() const {
  return type == GgufType::boolean ? std::optional(bytes[0] != std::byte{0}) : std::nullopt;
}

std::optional<std::string_view> GgufValue::text() const {
  return type == GgufType::string ? std::optional(text_of(bytes)) : std::nullopt;
}

std::optional<std::vector<std::string_view>> GgufValue::texts() const {
  if (type != GgufType::array || element != GgufType::string) return std::nullopt;
  std::vector<std::string_view> out;
  out.reserve(count);
  std::span<const std::byte> rest = bytes;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t length = load(rest.data(), 8);
    out.push_back(text_of(rest.subspan(8, length)));
    rest = rest.subspan(8 + length);
  }
  return out;
}

std::optional<std::vector<std::int64_t>> GgufValue::integers() const {
  return elements_of<std::int64_t>(*this, integer_of);
}
std::optional<std::vector<double>> GgufValue::numbers() const {
  return elements_of<double>(*this, number_of);
}

const GgufValue* GgufHeader::find(std::string_view key) const {
  const auto it = std::lower_bound(metadata.begin(), metadata.end(), key,
                                   [](const GgufEntry& entry, std::string_view k) { return entry.key < k; });
  return it != metadata.end() && it->key == key ? &it->value : nullptr;
}

const GgufTensor* GgufHeader::tensor(std::string_view name) const {
  const auto it =
      std::find_if(tensors.begin(), tensors.end(), [&](const GgufTensor& t) { return t.name == name; });
  return it == tensors.end() ? nullptr : &*it;
}

std::string_view GgufHeader::architecture() const {
  const GgufValue* value = find("general.architecture");
  return value == nullptr ? std::string_view() : value->text().value_or(std::string_view());
}

bool begins_as_gguf(std::span<const std::byte> file) {
  return file.size() >= 4 && std::memcmp(file.data(), "GGUF", 4) == 0;
}

Result<GgufHeader> parse_gguf_header(std::span<const std::byte> file, const std::string& path) {
  return Parser(file, path).run();
}

}  // namespace assay
