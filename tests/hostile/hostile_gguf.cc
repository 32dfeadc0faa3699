#include "tests/hostile/hostile_gguf.h"

#include "tests/gguf_file.h"

using assay::Code;

namespace {

constexpr std::uint64_t kHuge = ~std::uint64_t{0};
constexpr std::uint32_t kF32 = 0, kF16 = 1, kQ4_0 = 2, kQ6K = 14, kString = 8, kArray = 9;

GgufBytes one_tensor() {
  return GgufBytes{}.str("general.architecture", "none").f32_tensor("t", {4, 2}, std::vector<float>(8));
}

// A tensor entry over 32 bytes of data.
std::string entry_only(const std::vector<std::uint64_t>& extents, std::uint32_t type, std::uint64_t offset,
                       std::size_t data = 32) {
  GgufBytes file;
  file.tensor_entry("t", extents, type, offset);
  file.data.assign(data, '\0');
  return file.bytes();
}

std::string with(GgufBytes file, void (*change)(GgufBytes&)) {
  change(file);
  return file.bytes();
}

std::string cut(const std::string& bytes, std::size_t n) { return bytes.substr(0, n); }

std::string array_entry(std::uint32_t element, std::uint64_t count, const std::string& elements) {
  return GgufBytes{}.entry("a", kArray, GgufBytes::raw(element) + GgufBytes::raw(count) + elements).bytes();
}

void add_prologue(std::vector<GgufCase>& out) {
  const std::string whole = one_tensor().bytes();
  out.push_back(
      {"another magic", with(one_tensor(), [](GgufBytes& f) { f.magic = "GGUX"; }), Code::bad_value, ""});
  out.push_back({"magic alone", "GGUF", Code::truncated, "version"});
  out.push_back(
      {"version 1", with(one_tensor(), [](GgufBytes& f) { f.version = 1; }), Code::unsupported, "version"});
  out.push_back(
      {"version 4", with(one_tensor(), [](GgufBytes& f) { f.version = 4; }), Code::unsupported, "version"});
  out.push_back({"big-endian", with(one_tensor(), [](GgufBytes& f) { f.version = 0x03000000; }),
                 Code::unsupported, "version"});
  out.push_back({"ends in the counts", cut(whole, 20), Code::truncated, "tensor_count"});
  out.push_back({"2^64 - 1 tensors", with(one_tensor(), [](GgufBytes& f) { f.n_tensors = kHuge; }),
                 Code::too_large, "tensor_count"});
  out.push_back({"2^64 - 1 entries", with(one_tensor(), [](GgufBytes& f) { f.n_metadata = kHuge; }),
                 Code::too_large, "metadata_kv_count"});
  out.push_back({"900,000 tensors in a small file",
                 with(one_tensor(), [](GgufBytes& f) { f.n_tensors = 900'000; }), Code::truncated,
                 "tensor_count"});
  out.push_back(
      {"one entry too many", with(one_tensor(), [](GgufBytes& f) { ++f.n_metadata; }), Code::too_large, ""});
  out.push_back(
      {"one tensor too many", with(one_tensor(), [](GgufBytes& f) { ++f.n_tensors; }), Code::bad_value, ""});
}

void add_metadata(std::vector<GgufCase>& out) {
  const auto file = [](const std::string& metadata) {
    GgufBytes f;
    f.metadata = metadata;
    f.n_metadata = 1;
    f.data.assign(64, '\0');
    return f.bytes();
  };
  using B = GgufBytes;
  out.push_back({"key of 2^64 - 1 bytes", file(B::raw(kHuge) + "k"), Code::too_large, ""});
  out.push_back({"key longer than the file", file(B::raw<std::uint64_t>(60'000) + "k"), Code::truncated, ""});
  out.push_back({"empty key", file(B::text("") + B::raw<std::uint32_t>(4) + B::raw<std::uint32_t>(1)),
                 Code::bad_value, ""});
  out.push_back({"type 13", file(B::text("k") + B::raw<std::uint32_t>(13) + B::raw<std::uint32_t>(1)),
                 Code::bad_dtype, "k"});
  out.push_back({"string of 2^64 - 1 bytes", file(B::text("k") + B::raw(kString) + B::raw(kHuge)),
                 Code::too_large, "k"});
  out.push_back({"string of 2^63 bytes",
                 file(B::text("k") + B::raw(kString) + B::raw(std::uint64_t{1} << 63)), Code::too_large,
                 "k"});
  out.push_back({"string longer than the file",
                 file(B::text("k") + B::raw(kString) + B::raw<std::uint64_t>(1000)), Code::truncated, "k"});
  out.push_back({"boolean 2", file(B::text("k") + B::raw<std::uint32_t>(7) + "\2"), Code::bad_value, "k"});
  out.push_back({"boolean 2 in an array", array_entry(7, 3, std::string("\0\1\2", 3)), Code::bad_value, "a"});
  out.push_back({"array of arrays",
                 array_entry(kArray, 1, B::raw<std::uint32_t>(4) + B::raw<std::uint64_t>(0)),
                 Code::unsupported, "a"});
  out.push_back({"array of an unknown type", array_entry(77, 1, "12345678"), Code::bad_dtype, "a"});
  out.push_back({"array of 2^64 - 1", array_entry(4, kHuge, "1234"), Code::too_large, "a"});
  out.push_back({"array whose size wraps to 8", array_entry(10, (std::uint64_t{1} << 61) + 1, "12345678"),
                 Code::too_large, "a"});
  out.push_back({"array longer than the file", array_entry(4, 1000, "1234"), Code::truncated, "a"});
  out.push_back({"array of strings that ends early",
                 array_entry(kString, 2, B::text("x") + B::raw<std::uint64_t>(9)), Code::truncated, "a"});
  out.push_back({"array of empty strings that counts too many", array_entry(kString, 1'000'000, B::text("")),
                 Code::truncated, "a"});
  out.push_back({"key twice", GgufBytes{}.u32("k", 1).u32("j", 1).u32("k", 2).bytes(), Code::duplicate, "k"});
  for (const auto& [name, value] :
       {std::pair("alignment 0", 0U), {"alignment 3", 3U}, {"alignment 2^31", 1U << 31}})
    out.push_back(
        {name, one_tensor().u32("general.alignment", value).bytes(), Code::bad_value, "general.alignment"});
  out.push_back({"alignment as text", one_tensor().str("general.alignment", "32").bytes(), Code::bad_value,
                 "general.alignment"});
}

void add_tensors(std::vector<GgufCase>& out) {
  constexpr std::uint64_t k32 = std::uint64_t{1} << 32, k62 = std::uint64_t{1} << 62;
  out.push_back({"no dimensions", entry_only({}, kF32, 0), Code::bad_shape, "t"});
  out.push_back({"five dimensions", entry_only({1, 1, 1, 1, 8}, kF32, 0), Code::too_large, "t"});
  out.push_back({"extent 0", entry_only({0, 8}, kF32, 0), Code::bad_shape, "t"});
  out.push_back({"extent 0 behind", entry_only({8, 0}, kF32, 0), Code::bad_shape, "t"});
  out.push_back({"extent 2^63", entry_only({std::uint64_t{1} << 63}, kF32, 0), Code::bad_shape, "t"});
  out.push_back({"extent -1", entry_only({kHuge}, kF32, 0), Code::bad_shape, "t"});
  out.push_back({"product that wraps to 0", entry_only({k32, k32}, kF32, 0), Code::too_large, "t"});
  out.push_back({"product that wraps to 8", entry_only({k62 / 2 + 1, 8}, kF32, 0), Code::too_large, "t"});
  out.push_back({"bytes that wrap", entry_only({k62}, kF32, 0), Code::too_large, "t"});
  out.push_back({"bytes of blocks that wrap", entry_only({256, k62 / 256}, kQ6K, 0), Code::truncated, "t"});
  out.push_back({"unknown type", entry_only({8}, 99, 0), Code::bad_dtype, "t"});
  out.push_back({"withdrawn type", entry_only({8}, 4, 0), Code::bad_dtype, "t"});
  out.push_back({"type IQ2_XXS", entry_only({256}, 16, 0, 66), Code::unsupported, "t"});
  out.push_back({"type TQ1_0", entry_only({256}, 34, 0, 54), Code::unsupported, "t"});
  out.push_back({"row of half a block", entry_only({16, 2}, kQ4_0, 0, 18), Code::bad_shape, "t"});
  out.push_back({"row of half a K block", entry_only({128, 2}, kQ6K, 0, 210), Code::bad_shape, "t"});
  out.push_back({"offset that is not aligned", entry_only({4}, kF32, 16, 64), Code::bad_offsets, "t"});
  out.push_back({"offset 32 with nothing before", entry_only({8}, kF32, 32, 64), Code::bad_offsets, "t"});
  out.push_back({"offset 2^64 - 32", entry_only({8}, kF32, kHuge - 31, 64), Code::bad_offsets, "t"});
  out.push_back({"tensor that ends after the file", entry_only({9}, kF32, 0), Code::truncated, "t"});
  out.push_back({"tensor of 2^40 bytes in a small file", entry_only({std::uint64_t{1} << 38}, kF32, 0),
                 Code::truncated, "t"});
  out.push_back(
      {"data cut off", cut(one_tensor().bytes(), one_tensor().bytes().size() - 1), Code::truncated, "t"});
  out.push_back({"header without data", cut(one_tensor().bytes(), one_tensor().bytes().size() - 32),
                 Code::truncated, "t"});
  out.push_back({"name of 65 bytes", GgufBytes{}.f32_tensor(std::string(65, 'n'), {1}, {0}).bytes(),
                 Code::too_large, ""});
  out.push_back({"no name", GgufBytes{}.f32_tensor("", {1}, {0}).bytes(), Code::bad_value, ""});
}

void add_layout(std::vector<GgufCase>& out) {
  const auto two = [](std::uint64_t second, std::size_t data, const char* name) {
    GgufBytes file;
    file.tensor_entry("t", {8}, kF32, 0).tensor_entry(name, {16}, kF16, second);
    file.data.assign(data, '\0');
    return file.bytes();
  };
  out.push_back({"two tensors at one place", two(0, 64, "u"), Code::bad_offsets, ""});
  out.push_back({"hole of one step", two(64, 96, "u"), Code::bad_offsets, "u"});
  out.push_back({"name twice", two(32, 64, "t"), Code::duplicate, "t"});
  out.push_back(
      {"bytes behind the last tensor", one_tensor().bytes() + std::string(32, 'x'), Code::bad_offsets, ""});
  out.push_back({"bytes behind a file without tensors",
                 GgufBytes{}.u32("k", 1).bytes() + std::string(64, 'x'), Code::bad_offsets, ""});
}

}  // namespace

const std::vector<GgufCase>& hostile_gguf() {
  static const std::vector<GgufCase> kCases = [] {
    std::vector<GgufCase> out;
    add_prologue(out);
    add_metadata(out);
    add_tensors(out);
    add_layout(out);
    return out;
  }();
  return kCases;
}

const std::vector<GgufCase>& valid_gguf() {
  static const std::vector<GgufCase> kCases = [] {
    std::vector<GgufCase> out;
    const auto add = [&](const char* name, const std::string& bytes) {
      out.push_back({name, bytes, Code::bad_value, ""});
    };
    add("one tensor", one_tensor().bytes());
    add("version 2", with(one_tensor(), [](GgufBytes& f) { f.version = 2; }));
    add("nothing at all", GgufBytes{}.bytes());
    add("metadata only", GgufBytes{}
                             .str("general.architecture", "llama")
                             .strings("tokenizer.ggml.tokens", {"a", "", "\xFF"})
                             .bytes());
    add("padding behind the last tensor",
        GgufBytes{}.f32_tensor("t", {1}, {0}).bytes() + std::string(28, '\0'));
    add("every scalar", GgufBytes{}
                            .entry("a", 0, "1")
                            .entry("b", 1, "1")
                            .entry("c", 2, "12")
                            .entry("d", 3, "12")
                            .entry("e", 5, "1234")
                            .entry("f", 10, "12345678")
                            .entry("g", 11, "12345678")
                            .entry("h", 12, "12345678")
                            .f32("i", 1)
                            .flag("j", true)
                            .bytes());
    add("empty arrays", GgufBytes{}.strings("s", {}).numbers<std::int32_t>("n", 5, {}).bytes());
    GgufBytes wide;
    wide.alignment = 4096;
    add("alignment 4096", wide.u32("general.alignment", 4096)
                              .f32_tensor("t", {2}, {0, 0})
                              .f32_tensor("u", {2}, {0, 0})
                              .bytes());
    GgufBytes narrow;
    narrow.alignment = 1;
    add("alignment 1", narrow.u32("general.alignment", 1)
                           .f32_tensor("t", {1}, {0})
                           .tensor("b", {1, 3}, 24, std::string(3, '\0'))
                           .bytes());
    GgufBytes turned;
    turned.tensor_entry("late", {8}, kF32, 32).tensor_entry("early", {8}, kF32, 0);
    turned.data.assign(64, '\0');
    add("tensors listed in another order than stored", turned.bytes());
    GgufBytes types;
    for (const auto& [type, bytes] :
         {std::pair(kQ4_0, 18), {3U, 20}, {6U, 22}, {7U, 24}, {8U, 34}, {39U, 17}})
      types.tensor("t" + std::to_string(type), {32, 2}, type,
                   std::string(static_cast<std::size_t>(2 * bytes), '\0'));
    for (const auto& [type, bytes] : {std::pair(10U, 84), {11U, 110}, {12U, 144}, {13U, 176}, {14U, 210}})
      types.tensor("t" + std::to_string(type), {256, 2}, type,
                   std::string(static_cast<std::size_t>(2 * bytes), '\0'));
    for (const auto& [type, bytes] :
         {std::pair(0U, 4), {1U, 2}, {30U, 2}, {28U, 8}, {24U, 1}, {25U, 2}, {26U, 4}, {27U, 8}})
      types.tensor("t" + std::to_string(type), {2, 3}, type,
                   std::string(static_cast<std::size_t>(6 * bytes), '\0'));
    add("every type that is read", types.bytes());
    return out;
  }();
  return kCases;
}
