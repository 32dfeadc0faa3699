#include "tests/mutants/fault_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/file.h"

namespace assay::mutants {
namespace {

namespace fs = std::filesystem;

constexpr int kMuseum = 12;  // entries of the museum of published routing and scale bugs

// FNV-1a: short, stable, and unequal for the names at hand (read_faults checks it).
std::uint32_t id_of(std::string_view name) {
  std::uint32_t hash = 2166136261U;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return hash;
}

struct Line {
  std::int64_t number = 0;
  std::string key, value;
};

class Reader {
 public:
  Reader(std::string_view text, std::string file) : text_(text), file_(std::move(file)) {}

  Result<std::vector<Fault>> run() {
    ASSAY_TRY(const std::vector<Line> lines, split());
    for (const Line& line : lines) ASSAY_OK(take(line));
    ASSAY_OK(end_fault());
    return std::move(faults_);
  }

 private:
  Error wrong(std::int64_t line, std::string message, std::string got) const {
    return Error{.code = Code::bad_value,
                 .message = std::move(message),
                 .file = file_,
                 .field = fmt::format("line {}", line),
                 .got = std::move(got)};
  }

  Result<std::vector<Line>> split() const {
    std::vector<Line> out;
    std::int64_t number = 0;
    for (std::size_t at = 0; at < text_.size();) {
      const std::size_t end = std::min(text_.find('\n', at), text_.size());
      const std::string_view line = text_.substr(at, end - at);
      at = end + 1;
      ++number;
      if (line.empty() || line.front() == '#') continue;
      if (line.starts_with("  ") && !out.empty()) {
        out.back().value.append("\n").append(line.substr(2));
        continue;
      }
      const std::size_t colon = line.find(": ");
      if (colon == std::string_view::npos)
        return wrong(number, "a line is not `key: value`", std::string(line));
      out.push_back({number, std::string(line.substr(0, colon)), std::string(line.substr(colon + 2))});
    }
    return out;
  }

  Status take(const Line& line) {
    if (line.key == "fault") {
      ASSAY_OK(end_fault());
      faults_.push_back(
          {.name = line.value, .area = fs::path(file_).stem().string(), .id = id_of(line.value)});
      edit_ = {};
      first_line_ = line.number;
      return {};
    }
    if (faults_.empty()) return wrong(line.number, "a list begins with a fault", line.key);
    return take_field(line, faults_.back());
  }

  Status take_field(const Line& line, Fault& fault) {
    if (line.key == "imitates") {
      fault.imitates = line.value;
    } else if (line.key == "museum") {
      const bool one_digit = line.value.size() == 1, two = line.value.size() == 2;
      if (!(one_digit || two) || line.value.find_first_not_of("0123456789") != std::string::npos)
        return wrong(line.number, "the museum has twelve numbers", line.value);
      fault.museum = std::stoi(line.value);
    } else if (line.key == "killer") {
      const std::size_t colon = line.value.find(": ");
      if (colon == std::string::npos)
        return wrong(line.number, "a killer is `program: test case`", line.value);
      fault.kind = line.value.substr(0, colon);
      fault.killer = line.value.substr(colon + 2);
    } else {
      return take_edit(line, fault);
    }
    return {};
  }

  Status take_edit(const Line& line, Fault& fault) {
    if (line.key == "file") {
      edit_ = {.file = line.value, .within = {}, .from = {}, .to = {}};
    } else if (line.key == "within") {
      edit_.within = line.value;
    } else if (line.key == "from") {
      edit_.from = line.value;
    } else if (line.key == "to") {
      edit_.to = line.value;
      edit_.id = fault.id;
      if (edit_.file.empty() || edit_.from.empty())
        return wrong(line.number, "a change needs a file and a `from`", line.value);
      fault.edits.push_back(edit_);
      edit_.from.clear();
    } else {
      return wrong(line.number, "a key that is not known", line.key);
    }
    return {};
  }

  Status end_fault() const {
    if (faults_.empty()) return {};
    const Fault& f = faults_.back();
    constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789-";
    if (f.name.empty() || f.name.find_first_not_of(kLetters) != std::string::npos)
      return wrong(first_line_, "a name has lower case letters, digits and dashes", f.name);
    if (f.museum < 0 || f.museum > kMuseum)
      return wrong(first_line_, "the museum has twelve numbers", std::to_string(f.museum));
    if (f.imitates.empty() || f.killer.empty() || f.edits.empty() || !edit_.from.empty())
      return wrong(first_line_, "a fault needs imitates, killer, file, from and to", f.name);
    return {};
  }

  std::string_view text_;
  std::string file_;
  std::vector<Fault> faults_;
  Edit edit_;
  std::int64_t first_line_ = 0;
};

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

void add_row(std::string& page, const Fault& f) {
  const std::string number = f.museum > 0 ? fmt::format("museum {}: ", f.museum) : "";
  page += fmt::format("| `{}` | {}{} | {}: {} |\n", f.name, number, one_line(f.imitates), f.kind, f.killer);
}

}  // namespace

Result<std::vector<Fault>> parse_faults(std::string_view text, const std::string& file) {
  return Reader(text, file).run();
}

Result<std::vector<Fault>> read_faults(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  std::vector<Fault> out;
  std::set<std::uint32_t> ids = {0};  // 0: no fault
  for (const std::string& file : files) {
    ASSAY_TRY(const std::string text, read_file(file));
    ASSAY_TRY(const std::vector<Fault> faults, parse_faults(text, file));
    for (const Fault& fault : faults) {
      if (!ids.insert(fault.id).second) {
        return Error{.code = Code::duplicate,
                     .message = "two faults have the same name, or names of the same number",
                     .file = file,
                     .field = fault.name};
      }
      out.push_back(fault);
    }
  }
  return out;
}

std::string fault_page(const std::vector<Fault>& faults) {
  std::set<int> museum;
  for (const Fault& f : faults) museum.insert(f.museum);
  museum.erase(0);
  std::string page = fmt::format(
      "# Planted faults\n\n"
      "Would the tests notice? Each of these {} faults is planted into a copy of the sources, switched on "
      "alone,\n"
      "and must make its named test fail by an assertion; with none switched on the same tests pass. {} "
      "published\n"
      "bugs of routers and scales are among them (\"museum\"). `ctest -R mutants` runs them all. This page "
      "is made\n"
      "from the lists in `tests/mutants/faults/`, which hold the exact change of each.\n",
      faults.size(), museum.size());
  std::string area;
  for (const Fault& f : faults) {
    if (f.area != area) {
      area = f.area;
      const auto n =
          std::count_if(faults.begin(), faults.end(), [&](const Fault& o) { return o.area == area; });
      page +=
          fmt::format("\n## {}: {}\n\n| fault | what it imitates | killed by |\n|---|---|---|\n", area, n);
    }
    add_row(page, f);
  }
  return page;
}

}  // namespace assay::mutants
