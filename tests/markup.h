// A small checker: tags of an XML or HTML text are balanced and attributes quoted. Used on what the exporters write.
#pragma once
#include <cctype>
#include <set>
#include <string>
#include <vector>

namespace assay::test {

// "" where the text is well formed, else what is wrong and where.
inline std::string markup_fault(const std::string& text) {
  static const std::set<std::string> kVoid = {"meta", "br", "hr", "img", "link", "!DOCTYPE", "!doctype"};
  std::vector<std::string> open;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '&') {
      const std::size_t end = text.find(';', at);
      if (end == std::string::npos || end - at > 8) return "bare & at " + std::to_string(at);
    }
    if (text[at] != '<') continue;
    const bool closing = text[at + 1] == '/';
    std::size_t name_end = at + 1 + (closing ? 1 : 0);
    while (name_end < text.size() &&
           (std::isalnum(static_cast<unsigned char>(text[name_end])) || text[name_end] == '!'))
      ++name_end;
    const std::string name = text.substr(at + 1 + (closing ? 1 : 0), name_end - at - 1 - (closing ? 1 : 0));
    if (name.empty()) return "bare < at " + std::to_string(at) + ": " + text.substr(at, 40);
    std::size_t end = name_end;
    for (bool quoted = false; end < text.size() && (quoted || text[end] != '>'); ++end) {
      if (text[end] == '"') quoted = !quoted;
    }
    if (end >= text.size()) return "tag without end: " + name;
    if (closing) {
      if (open.empty() || open.back() != name)
        return "</" + name + "> closes " + (open.empty() ? "nothing" : open.back()) + " at " +
               std::to_string(at);
      open.pop_back();
    } else if (text[end - 1] != '/' && !kVoid.contains(name)) {
      open.push_back(name);
    }
    at = end;
  }
  return open.empty() ? "" : "not closed: " + open.back();
}

}  // namespace assay::test
