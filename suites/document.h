// One large JSON document read as a stream: what lies two levels deep is handed out part by part, so that only one part is in memory.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace assay {

// {"eval": {"HumanEval/9": {...}}} gives section eval, key HumanEval/9; {"outputs": [...]} gives section outputs and keys 0, 1, ...;
// {"pass_at_1": 35.9} gives section pass_at_1 and an empty key. Names are as written between the quotes (escapes stay; see unescaped()).
struct DocumentPart {
  std::string section, key;
  std::int64_t place = 0;  // in its section, from 0
  std::string_view text;   // JSON of the part; valid during the call
};

class DocumentSplitter {
 public:
  using Sink = std::function<Status(const DocumentPart& part)>;
  // `end` is called where a document ends; several may follow one another (JSON lines).
  DocumentSplitter(Sink sink, std::function<Status()> end, std::size_t max_part_bytes = std::size_t{64} << 20);

  Status add(std::string_view chunk);
  Status finish();
  bool unterminated() const { return unterminated_; }  // after finish(): the last document does not end
  bool broken() const { return broken_; }              // something that is no object at the top; skipped

 private:
  Status add_byte(char c);
  void add_string_byte(char c);
  Status open();
  Status close();
  Status separate();
  Status give();
  bool at_part() const { return depth_ == 1 || depth_ == 2; }

  Sink sink_;
  std::function<Status()> end_;
  std::size_t max_part_bytes_;
  DocumentPart part_;
  std::string text_;         // of the part or name being read
  bool named_[3] = {};       // by depth: the name of the member has been read
  bool section_list_ = false, section_open_ = false;
  int depth_ = 0;
  bool in_string_ = false, escaped_ = false, unterminated_ = false, broken_ = false;
};

// The text between the quotes of a JSON string, escapes resolved; as it is where they are broken.
std::string unescaped(std::string_view quoted);

}  // namespace assay
