// Planted faults as they are written down in tests/mutants/faults/*.txt: what is wrong, where it goes, which
// published or likely bug it imitates, and the test that must notice it.
//
// A list is a text file of stanzas, separated by empty lines; the file's stem names the area. Lines are
// `key: value`; a line that begins with two blanks goes on with the value above it; `#` begins a comment.
//   fault      name, lower case with dashes, unique in all lists; it begins a stanza
//   museum     number of the published bug in the museum, where it is one (1 .. 12)
//   imitates   what such a bug does and, where it was published, by whom
//   killer     the test that fails under it, as ctest names it: `unit: kernels: ties go to …`
//   file       source file, from the root of the tree
//   within     text that stands once in the file: only from there to the next line that begins with `}` is
//              searched; without it the whole file. `file` ends it.
//   from, to   the anchor, exactly once where it is searched, and what stands in its place when the fault is
//              on. A `from` that ends with `;` is one or more statements, else it is an expression. Several
//              pairs make one fault of several places.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace assay::mutants {

struct Edit {
  std::string file, within, from, to;
  std::uint32_t id = 0;  // of its fault
};

struct Fault {
  std::string name, area, imitates;
  int museum = 0;
  std::string kind, killer;  // "unit" and the name of its test case
  std::uint32_t id = 0;      // of the name: a list can grow without changing other faults' code
  std::vector<Edit> edits;
};

// One list. `file` names the area and is for errors.
Result<std::vector<Fault>> parse_faults(std::string_view text, const std::string& file);
// Every list of a folder, areas in alphabetical order. Names are unique in all of them.
Result<std::vector<Fault>> read_faults(const std::string& folder);

// The page docs/planted-faults.md.
std::string fault_page(const std::vector<Fault>& faults);

}  // namespace assay::mutants
