// A JSON value as Python's str() shows what json.loads makes of it: texts bare, lists and objects with Python's quotes, True, None, 1e+16.
// Harnesses written in Python compare answers in this form.
#pragma once
#include <string>
#include <string_view>

#include "base/json.h"

namespace assay {

std::string python_text(const Json& value);
// repr() of a text: single quotes unless it holds some and no double ones; control characters escaped. Bytes from 0x80 on stay as they are.
std::string python_quoted(std::string_view text);
// repr() of a float: the shortest digits that read back, an exponent below 1e-4 and from 1e16.
std::string python_float(double value);

}  // namespace assay
