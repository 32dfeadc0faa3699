// Which natural language a text is written in: for instructions such as "answer in Kannada only". The published checkers ask the package
// langdetect; its names are kept (zh-cn and zh-tw, never zh). Here the script decides first, then function words, letters that only some languages
// have, and endings of longer words. Text is folded to lower case, so capitals do not matter.
#pragma once
#include <string_view>

namespace assay {

// "en", "zh-cn", ...: one of langdetect's 55 languages. Empty: the text has no letters of a known script, so nothing can be said.
// The script with the most letters decides in mixed texts; only the first 10,000 characters are looked at, as langdetect does.
std::string_view detect_language(std::string_view text);

bool is_language(std::string_view code);  // one that detect_language can give

}  // namespace assay
