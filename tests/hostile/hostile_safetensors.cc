#include "tests/hostile/hostile_safetensors.h"

#include <cstdint>

using assay::Code;

namespace {

std::string length_prefix(std::uint64_t length) {
  std::string text(8, '\0');
  for (int i = 0; i < 8; ++i) text[static_cast<std::size_t>(i)] = static_cast<char>(length >> (8 * i) & 0xFF);
  return text;
}

std::string zeros(std::size_t n) { return std::string(n, '\0'); }

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

// One F32 tensor "t" with this shape and these offsets before `data` bytes.
std::string one(const std::string& shape, const std::string& offsets, std::size_t data,
                const std::string& dtype = "F32") {
  return safetensors_file(R"({"t":)" + entry(dtype, shape, offsets) + "}", zeros(data));
}

std::string two(const std::string& a_offsets, const std::string& b_offsets, std::size_t data) {
  return safetensors_file(
      R"({"a":)" + entry("F32", "[2]", a_offsets) + R"(,"b":)" + entry("F32", "[2]", b_offsets) + "}",
      zeros(data));
}

std::string many_on_one_range() {
  std::string header = "{";
  for (int i = 0; i < 20000; ++i) {
    header += (i ? ",\"t" : "\"t") + std::to_string(i) + "\":" + entry("F32", "[1024]", "[0,4096]");
  }
  return safetensors_file(header + "}", zeros(4096));
}

std::string header_only(const std::string& header) { return safetensors_file(header, ""); }

std::vector<SafetensorsCase> framing() {
  return {
      {"empty file", "", Code::truncated, ""},
      {"seven bytes", zeros(7), Code::truncated, ""},
      {"length only", length_prefix(2), Code::truncated, ""},
      {"length zero", length_prefix(0), Code::bad_json, ""},
      {"length above 100 MB", length_prefix(100'000'001) + "{}", Code::too_large, ""},
      {"length 2^63", length_prefix(std::uint64_t{1} << 63) + "{}", Code::too_large, ""},
      {"length 2^64 - 1", length_prefix(~std::uint64_t{0}) + "{}", Code::too_large, ""},
      {"header longer than the file", length_prefix(1000) + R"({"t":)", Code::truncated, ""},
      {"leading space", header_only(" {}"), Code::bad_json, ""},
      {"byte order mark", header_only("\xEF\xBB\xBF{}"), Code::bad_json, ""},
      {"array at the root", header_only("[]"), Code::bad_json, ""},
      {"string at the root", header_only("\"x\""), Code::bad_json, ""},
      {"garbage after the JSON", header_only("{} x"), Code::bad_json, ""},
      {"zero bytes after the JSON", header_only("{}" + zeros(6)), Code::bad_json, ""},
      {"two documents", header_only("{}{}"), Code::bad_json, ""},
      {"JSON cut off", header_only(R"({"t":{"dtype":"F32")"), Code::bad_json, ""},
      {"a comment", header_only("{/* x */}"), Code::bad_json, ""},
      {"broken UTF-8 in a name", header_only("{\"\xC3\x28\":" + entry("F32", "[0]", "[0,0]") + "}"),
       Code::bad_utf8, ""},
      {"a surrogate alone", header_only(R"({"\ud800":)" + entry("F32", "[0]", "[0,0]") + "}"), Code::bad_json,
       ""},
      {"100,000 open brackets", header_only("{\"t\":" + std::string(100'000, '[')), Code::bad_value, "t"},
      {"100,000 nested objects",
       [] {
         std::string text;
         for (int i = 0; i < 100'000; ++i) text += "{\"t\":";
         return header_only(text);
       }(),
       Code::bad_value, "t"},
      {"a zip (torch.save)", std::string("PK\x03\x04", 4) + zeros(60), Code::pickle, ""},
      {"a pickle", std::string("\x80\x02}q", 4) + zeros(60), Code::pickle, ""},
      {"GGUF", "GGUF" + zeros(60), Code::unsupported, ""},
  };
}

std::vector<SafetensorsCase> keys() {
  const std::string good = entry("F32", "[1]", "[0,4]");
  return {
      {"the same name twice", safetensors_file(R"({"t":)" + good + R"(,"t":)" + good + "}", zeros(4)),
       Code::duplicate, ""},
      {"the same name twice, escaped",
       safetensors_file(R"({"t":)" + good + R"(,"\u0074":)" + good + "}", zeros(4)), Code::duplicate, ""},
      {"dtype twice",
       safetensors_file(R"({"t":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", zeros(4)),
       Code::duplicate, "t"},
      {"no dtype", safetensors_file(R"({"t":{"shape":[1],"data_offsets":[0,4]}})", zeros(4)),
       Code::missing_field, "t"},
      {"no shape", safetensors_file(R"({"t":{"dtype":"F32","data_offsets":[0,4]}})", zeros(4)),
       Code::missing_field, "t"},
      {"no data_offsets", safetensors_file(R"({"t":{"dtype":"F32","shape":[1]}})", zeros(4)),
       Code::missing_field, "t"},
      {"an unknown key",
       safetensors_file(R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"file":"/etc/passwd"}})",
                        zeros(4)),
       Code::bad_value, "t"},
      {"an entry that is a list", header_only(R"({"t":[]})"), Code::bad_value, "t"},
      {"an entry that is null", header_only(R"({"t":null})"), Code::bad_value, "t"},
      {"metadata that is a string", header_only(R"({"__metadata__":"x"})"), Code::bad_value, ""},
      {"metadata with a number", header_only(R"({"__metadata__":{"a":1}})"), Code::bad_value, ""},
      {"metadata with an object", header_only(R"({"__metadata__":{"a":{}}})"), Code::bad_value, ""},
      {"metadata twice", header_only(R"({"__metadata__":{},"__metadata__":{}})"), Code::duplicate, ""},
      {"a metadata key twice", header_only(R"({"__metadata__":{"a":"1","a":"2"}})"), Code::duplicate, ""},
      {"a name of 100 kB",
       header_only("{\"" + std::string(100'000, 'n') + "\":" + entry("F32", "[0]", "[0,0]") + "}"),
       Code::too_large, ""},
  };
}

std::vector<SafetensorsCase> formats_and_shapes() {
  return {
      {"unknown dtype", one("[1]", "[0,4]", 4, "F31"), Code::bad_dtype, "t"},
      {"dtype in lower case", one("[1]", "[0,4]", 4, "f32"), Code::bad_dtype, "t"},
      {"dtype that is a number",
       safetensors_file(R"({"t":{"dtype":4,"shape":[1],"data_offsets":[0,4]}})", zeros(4)), Code::bad_value,
       "t"},
      {"format wider than the range", one("[4]", "[0,16]", 16, "F64"), Code::bad_shape, "t"},
      {"format narrower than the range", one("[4]", "[0,16]", 16, "I16"), Code::bad_shape, "t"},
      {"half a byte", one("[3]", "[0,2]", 2, "F4"), Code::bad_shape, "t"},
      {"negative extent", one("[-1]", "[0,4]", 4), Code::bad_value, "t"},
      {"fractional extent", one("[1.0]", "[0,4]", 4), Code::bad_value, "t"},
      {"extent 1e20", one("[1e20]", "[0,4]", 4), Code::bad_value, "t"},
      {"extent 1e999", one("[1e999]", "[0,4]", 4), Code::bad_json, "t"},
      {"extent above 63 bits", one("[9223372036854775808]", "[0,4]", 4), Code::bad_value, "t"},
      {"extent above 64 bits", one("[18446744073709551620]", "[0,4]", 4), Code::bad_value, "t"},
      {"product that wraps to 0", one("[4294967296,4294967296]", "[0,0]", 0), Code::too_large, "t"},
      {"product that wraps to 4", one("[4611686018427387905,4]", "[0,16]", 16), Code::too_large, "t"},
      {"2^63 + 2 times 2", one("[9223372036854775810,2]", "[0,16]", 16), Code::bad_value, "t"},
      {"bytes that wrap", one("[4611686018427387904]", "[0,0]", 0), Code::too_large, "t"},
      {"product that wraps before a zero", one("[4294967296,4294967296,0]", "[0,0]", 0), Code::too_large,
       "t"},
      {"a shape that is a number", one("4", "[0,16]", 16), Code::bad_value, "t"},
      {"a shape with a list", one("[[4]]", "[0,16]", 16), Code::bad_value, "t"},
      {"33 dimensions",
       one("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,4]", 4),
       Code::too_large, "t"},
  };
}

std::vector<SafetensorsCase> offsets() {
  return {
      {"overlap", two("[0,8]", "[4,12]", 12), Code::bad_offsets, "b"},
      {"the same range twice", two("[0,8]", "[0,8]", 8), Code::bad_offsets, "b"},
      {"20,000 tensors on one range", many_on_one_range(), Code::bad_offsets, ""},
      {"a hole between tensors", two("[0,8]", "[12,20]", 20), Code::bad_offsets, "b"},
      {"a hole at the beginning", one("[1]", "[4,8]", 8), Code::bad_offsets, "t"},
      {"a hole at the end", one("[1]", "[0,4]", 5), Code::bad_offsets, ""},
      {"bytes without tensors", safetensors_file("{}", "x"), Code::bad_offsets, ""},
      {"a zero-size tensor inside another",
       safetensors_file(
           R"({"a":)" + entry("F32", "[2]", "[0,8]") + R"(,"z":)" + entry("F32", "[0]", "[4,4]") + "}",
           zeros(8)),
       Code::bad_offsets, "z"},
      {"file cut off", one("[4]", "[0,16]", 15), Code::truncated, "t"},
      {"range far behind the file", one("[268435456]", "[0,1073741824]", 4), Code::truncated, "t"},
      {"end before begin", one("[1]", "[8,4]", 8), Code::bad_offsets, "t"},
      {"negative offset", one("[1]", "[-4,0]", 4), Code::bad_value, "t"},
      {"offset above 63 bits", one("[1]", "[18446744073709551612,0]", 4), Code::bad_value, "t"},
      {"offset as a float", one("[1]", "[0.0,4.0]", 4), Code::bad_value, "t"},
      {"offset as a string", one("[1]", R"(["0","4"])", 4), Code::bad_value, "t"},
      {"one offset", one("[1]", "[4]", 4), Code::bad_offsets, "t"},
      {"three offsets", one("[1]", "[0,4,8]", 4), Code::bad_offsets, "t"},
      {"no offsets", one("[0]", "[]", 0), Code::bad_offsets, "t"},
  };
}

}  // namespace

std::string safetensors_file(const std::string& header, const std::string& data) {
  return length_prefix(header.size()) + header + data;
}

const std::vector<SafetensorsCase>& hostile_safetensors() {
  static const auto kAll = [] {
    std::vector<SafetensorsCase> all;
    for (auto part : {framing(), keys(), formats_and_shapes(), offsets()})
      all.insert(all.end(), part.begin(), part.end());
    return all;
  }();
  return kAll;
}

const std::vector<SafetensorsCase>& valid_safetensors() {
  static const std::vector<SafetensorsCase> kAll = {
      {"an empty header", header_only("{}"), Code::usage, ""},
      {"metadata alone", header_only(R"({"__metadata__":{"format":"pt"}})"), Code::usage, ""},
      {"spaces after the JSON", header_only("{}      "), Code::usage, ""},
      {"a zero-size tensor", one("[0,5]", "[0,0]", 0), Code::usage, ""},
      {"two zero-size tensors at the end",
       safetensors_file(R"({"a":)" + entry("F32", "[1]", "[0,4]") + R"(,"y":)" +
                            entry("F32", "[0]", "[4,4]") + R"(,"z":)" + entry("U8", "[3,0]", "[4,4]") + "}",
                        zeros(4)),
       Code::usage, ""},
      {"rank 0", one("[]", "[0,4]", 4), Code::usage, ""},
      {"rank 5", one("[1,2,1,2,1]", "[0,16]", 16), Code::usage, ""},
      {"entries out of order", two("[8,16]", "[0,8]", 16), Code::usage, ""},
      {"keys of an entry out of order",
       safetensors_file(R"({"t":{"data_offsets":[0,4],"shape":[1],"dtype":"F32"}})", zeros(4)), Code::usage,
       ""},
      {"an escaped name",
       safetensors_file(R"({"a\"b\\c\u00e9\n":)" + entry("F32", "[1]", "[0,4]") + "}", zeros(4)), Code::usage,
       ""},
      {"F8_E4M3", one("[3,4]", "[0,12]", 12, "F8_E4M3"), Code::usage, ""},
      {"two F4 elements a byte", one("[2,3]", "[0,3]", 3, "F4"), Code::usage, ""},
      {"a header length that looks like a pickle",
       [] {
         std::string header = R"({"t":)" + entry("F32", "[1]", "[0,4]") + "}";
         header.resize(0x280, ' ');
         return safetensors_file(header, zeros(4));
       }(),
       Code::usage, ""},
  };
  return kAll;
}
