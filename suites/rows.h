// From the files of a source to rows of JSON, whatever the format, with the digest of what was read.
#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "suites/definition.h"

namespace assay {

// Called with every row of every file or member in their order; `subset`: what the star stood for.
using RowSink = std::function<Status(const Json& row, const std::string& subset, const std::string& file)>;

// Rows that `distinct` and `below` leave out are not handed over. Gives the digest of the plain texts: of the one text, or of names and
// texts where there are several.
Result<std::string> read_rows(const ItemsSource& source, const std::string& folder, const RowSink& sink);

// That digest alone, whatever the rows hold.
Result<std::string> digest_source(const ItemsSource& source, const std::string& folder);

// "a.b" goes down into objects; a member that is itself called "a.b" wins. null: not there.
const Json* find_column(const Json& row, std::string_view name);

}  // namespace assay
