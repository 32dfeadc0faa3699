#include "suites/tasks/task_yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/file.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxYamlBytes = std::size_t{1} << 20;  // the harness's largest task file has 60 kB
constexpr int kMaxYamlDepth = 40;
constexpr int kMaxYamlNodes = 100'000;  // aliases counted where they stand
constexpr int kMaxIncludes = 8;

Error yaml_error(Code code, std::string message, const std::string& file, std::string field = {}, std::string got = {}) {
  return Error{.code = code, .message = std::move(message), .file = file, .field = std::move(field), .got = std::move(got)};
}

bool one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

std::optional<std::int64_t> yaml_integer(std::string_view text) {
  const std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
  std::int64_t value = 0;
  const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool octal = digits.size() > 1 && digits.find_first_not_of("01234567") == std::string_view::npos && digits[0] == '0';
  return bad == std::errc{} && end == digits.data() + digits.size() && !digits.empty() && !octal ? std::optional(value) : std::nullopt;
}

// PyYAML's floats have a point: 1e3 is a text there.
std::optional<double> yaml_float(std::string_view text) {
  if (text.find('.') == std::string_view::npos || text.find_first_not_of("+-.0123456789eE") != std::string_view::npos) return std::nullopt;
  const std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
  double value = 0;
  const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return bad == std::errc{} && end == digits.data() + digits.size() && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

// YAML 1.1 as PyYAML's safe loader resolves plain scalars (yaml/resolver.py); dates and base-60 numbers stay texts.
Json plain_scalar(const std::string& text) {
  if (one_of(text, {"", "~", "null", "Null", "NULL"})) return nullptr;
  if (one_of(text, {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})) return true;
  if (one_of(text, {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"})) return false;
  if (const auto integer = yaml_integer(text)) return *integer;
  if (const auto real = yaml_float(text)) return *real;
  return text;
}

// None, quoted, or one of YAML's own kinds; `!!python/…` is none of them.
bool is_plain_tag(std::string_view tag) {
  constexpr std::string_view kYaml = "tag:yaml.org,2002:";
  if (tag.starts_with(kYaml)) return one_of(tag.substr(kYaml.size()), {"str", "int", "float", "bool", "null", "map", "seq"});
  return one_of(tag, {"", "?", "!"});
}

class Converter {
 public:
  explicit Converter(const std::string& file) : file_(file) {}

  Result<Json> convert(const YAML::Node& node, const std::string& path, int depth) {
    if (depth > kMaxYamlDepth || ++nodes_ > kMaxYamlNodes) return yaml_error(Code::too_large, "the YAML is nested too deeply or has too many values", file_, path);
    const std::string tag = node.Tag();
    if (!is_plain_tag(tag)) return refuse_tag(node, path, tag);
    switch (node.Type()) {
      case YAML::NodeType::Map:
        return convert_map(node, path, depth);
      case YAML::NodeType::Sequence:
        return convert_list(node, path, depth);
      case YAML::NodeType::Scalar:
        return tag == "!" || tag.ends_with(":str") ? Json(node.Scalar()) : plain_scalar(node.Scalar());
      default:
        return Json(nullptr);
    }
  }

 private:
  Error refuse_tag(const YAML::Node& node, const std::string& path, const std::string& tag) const {
    const std::string value = node.IsScalar() ? node.Scalar() : std::string();
    return yaml_error(Code::unsupported, "a member is Python code, which is not run: state it as a template or field name", file_, path,
                      fmt::format("{} {}", tag, value));
  }

  Result<Json> convert_map(const YAML::Node& node, const std::string& path, int depth) {
    Json object = Json::object();
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) return yaml_error(Code::bad_value, "a key is no text", file_, path);
      const std::string& key = entry.first.Scalar();
      const std::string inner = path.empty() ? key : fmt::format("{}.{}", path, key);
      if (object.contains(key)) return yaml_error(Code::duplicate, "a key stands twice", file_, inner);
      ASSAY_TRY(Json value, convert(entry.second, inner, depth + 1));
      object[key] = std::move(value);
    }
    return object;
  }

  Result<Json> convert_list(const YAML::Node& node, const std::string& path, int depth) {
    Json list = Json::array();
    for (const auto& entry : node) {
      ASSAY_TRY(Json value, convert(entry, fmt::format("{}.{}", path, list.size()), depth + 1));
      list.push_back(std::move(value));
    }
    return list;
  }

  const std::string& file_;
  int nodes_ = 0;
};

Result<Json> read_including(const std::string& path, int depth) {
  if (depth > kMaxIncludes) return yaml_error(Code::too_large, "the includes do not end", path, "include");
  ASSAY_TRY(const std::string text, read_file(path, kMaxYamlBytes));
  ASSAY_TRY(Json own, parse_task_yaml(text, path));
  const auto include = own.find("include");
  if (include == own.end()) return own;
  if (!include->is_string()) return yaml_error(Code::bad_value, "an include names one file", path, "include", dump_json(*include));
  const fs::path named = include->get<std::string>();
  ASSAY_TRY(Json whole, read_including(named.is_absolute() ? named.string() : (fs::path(path).parent_path() / named).string(), depth + 1));
  own.erase("include");
  for (const auto& [key, value] : own.items()) whole[key] = value;
  return whole;
}

}  // namespace

// yaml-cpp throws on what is no YAML; it bounds its own nesting.
Result<Json> parse_task_yaml(const std::string& text, const std::string& file) {
  if (text.size() > kMaxYamlBytes) return yaml_error(Code::too_large, "the YAML file is larger than 1 MiB", file);
  try {
    const YAML::Node root = YAML::Load(text);
    if (!root.IsMap()) return yaml_error(Code::bad_value, "a task is a mapping", file);
    return Converter(file).convert(root, "", 0);
  } catch (const YAML::Exception& e) {
    Error error = yaml_error(Code::bad_value, "the text is not YAML", file, {}, e.msg);
    if (!e.mark.is_null()) error.offset = e.mark.pos;
    return error;
  }
}

Result<Json> read_task_yaml(const std::string& path) { return read_including(path, 0); }

}  // namespace assay
