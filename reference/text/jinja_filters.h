// The tables of filters, one for each file. Private to jinja_*.
#pragma once
#include <map>
#include <string>

#include "reference/text/jinja_run.h"

namespace assay::jinja {

using Filter = Value (*)(Runtime& runtime, const Value& value, const Arguments& given);
using FilterTable = std::map<std::string, Filter>;

const FilterTable& number_filters();    // jinja_filters_number.cc
const FilterTable& text_filters();      // jinja_filters_text.cc
const FilterTable& sequence_filters();  // jinja_filters.cc

// soft_str: text of anything, Markup stays Markup.
inline Value soft_text(const Value& value) { return value.is_text() ? value : Value::text(to_text(value)); }

inline Value like(const Value& original, std::string text) { return Value::text(std::move(text), original.is_text() && original.as<Text>().safe); }

std::string wrapped(const std::string& line, std::int64_t width, bool break_words, bool break_hyphens, const std::string& separator);  // jinja_wordwrap.cc

}  // namespace assay::jinja
