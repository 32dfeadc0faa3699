#include "eval/serve/serve_error.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace assay {
namespace {

// The types of OpenAI's API reference ("Error codes").
std::string_view type_of(int status) {
  switch (status) {
    case 401: return "authentication_error";
    case 404: return "not_found_error";
    case 429: return "rate_limit_error";
    case 500:
    case 503: return "server_error";
    default: return "invalid_request_error";
  }
}

struct Told {
  int status;
  std::string_view code;
};

Told told(Code code) {
  switch (code) {
    case Code::usage:
    case Code::out_of_range:
    case Code::bad_value: return {400, "invalid_value"};
    case Code::missing_field: return {400, "missing_required_parameter"};
    case Code::unsupported: return {400, "unsupported_parameter"};
    case Code::bad_json:
    case Code::bad_utf8:
    case Code::duplicate: return {400, "invalid_json"};
    case Code::too_large: return {400, "context_length_exceeded"};
    case Code::not_found: return {404, "model_not_found"};
    case Code::template_error: return {422, "template_error"};
    case Code::busy: return {429, "rate_limit_exceeded"};
    case Code::interrupted: return {503, "shutting_down"};
    default: return {500, "internal_error"};
  }
}

}  // namespace

ApiError api_error(const Error& error) {
  const Told how = told(error.code);
  std::string message = error.message;
  if (!error.expected.empty()) message += fmt::format("; expected {}", error.expected);
  if (!error.got.empty()) message += fmt::format(", got {}", error.got);
  return {.status = how.status, .message = std::move(message), .param = error.field, .code = std::string(how.code)};
}

ApiError status_error(int status, std::string_view why) { return {.status = status, .message = std::string(why), .param = {}, .code = {}}; }

Json error_json(const ApiError& error) {
  const auto text = [](const std::string& value) { return value.empty() ? Json(nullptr) : Json(value); };
  return {{"error",
           {{"message", error.message}, {"type", type_of(error.status)}, {"param", text(error.param)}, {"code", text(error.code)}}}};
}

}  // namespace assay
