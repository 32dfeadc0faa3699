// Refusals in the shape of OpenAI's API: {"error": {"message", "type", "param", "code"}}.
#pragma once
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace assay {

struct ApiError {
  int status = 400;
  std::string message, param, code;  // param, code: "" becomes null
};

// How an Error is told to a client. too_large is a prompt that does not fit (context_length_exceeded); what is wrong with values is 400, an
// unknown model 404, a template that refuses the messages 422, a full queue 429, a stop 503, and every other code 500.
ApiError api_error(const Error& error);
// Of the transport, or of the path: the status says it all.
ApiError status_error(int status, std::string_view why);

Json error_json(const ApiError& error);

}  // namespace assay
