// Files of other harnesses whose records must be merged, or whose archives have members of several kinds. They are cut while they are read,
// so that only one part is in memory, and a document that breaks off gives what came before.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "eval/replay/stored.h"

namespace assay {

// Where a part stood.
struct PartPlace {
  std::string_view file;     // the archive's member; "" for a plain file
  std::string_view section;  // of a document (suites/document.h); "" for lines and whole members
  std::string_view key;      // likewise; the number of a line
};

// How a file, or a member of an archive, is cut: not at all; as one part; by lines or elements; as a document.
enum class Cut : std::uint8_t { skip, whole, records, document };

// record: it was one. header: it told something about the records. malformed: it should have been a record.
enum class Used : std::uint8_t { record, header, malformed };

class PartReader {
 public:
  virtual ~PartReader() = default;
  virtual Cut cut(std::string_view member) const = 0;  // of the file itself: ""
  virtual Result<Used> add(const PartPlace& place, const Json& value, const StoredSink& sink) = 0;
  virtual Status end(const StoredSink&) { return {}; }  // of a document, a member or the file
};

Status read_parts(const std::string& path, PartReader& reader, const StoredSink& sink, StoredCounts& counts);

// Makes one record of those that hold one output each of an item: their texts become samples, their figures the means. A second record of the
// same sample, one without a text and one with log-likelihoods stay records of their own, which the replay counts.
class SampleFolder {
 public:
  explicit SampleFolder(const StoredSink& sink) : sink_(sink) {}
  Status add(StoredOutput output);
  Status finish();  // hands out what was held, in the order in which items appeared

 private:
  const StoredSink& sink_;
  std::vector<std::vector<StoredOutput>> items_;
  std::unordered_map<std::string, std::size_t> places_;
};

// The name of the folder that a file lies in: harnesses name it after the model.
std::string folder_of_file(const std::string& path);

std::unique_ptr<PartReader> read_helm_parts(const StoredFile& file);
std::unique_ptr<PartReader> read_inspect_parts(const StoredFile& file);
std::unique_ptr<PartReader> read_lighteval_parts(const StoredFile& file);
std::unique_ptr<PartReader> read_lm_eval_parts(const StoredFile& file);
std::unique_ptr<PartReader> read_opencompass_parts(const StoredFile& file);

}  // namespace assay
