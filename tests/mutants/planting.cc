#include "tests/mutants/planting.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/check.h"

namespace assay::mutants {
namespace {

bool is_blank(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }
bool is_word(char c) { return c == '_' || std::isalnum(static_cast<unsigned char>(c)) != 0; }

std::string without_blanks(std::string_view text) {
  std::string out;
  std::copy_if(text.begin(), text.end(), std::back_inserter(out), [](char c) { return !is_blank(c); });
  return out;
}

// End of the anchor (without blanks) that begins at `at`, or npos.
std::size_t match_end(std::string_view text, std::size_t at, std::size_t end, std::string_view anchor) {
  for (std::size_t i = 0; i < anchor.size(); ++at) {
    if (at >= end) return std::string_view::npos;
    if (i > 0 && is_blank(text[at])) continue;
    if (text[at] != anchor[i]) return std::string_view::npos;
    ++i;
  }
  return at;
}

Error unusable(const std::string& file, const std::string& anchor, std::string expected, std::size_t got) {
  return Error{.code = Code::bad_value,
               .message = "an anchor of a planted fault is not where the list says; mend the list",
               .file = file,
               .field = anchor,
               .expected = std::move(expected),
               .got = std::to_string(got)};
}

// From the edit's `within` to the next line that begins with a brace.
Result<Place> region_of(std::string_view source, const std::string& file, const Edit& edit) {
  if (edit.within.empty()) return Place{0, source.size()};
  const auto found = places_of(source, edit.within, {0, source.size()});
  if (found.size() != 1) return unusable(file, edit.within, "once in the file", found.size());
  return Place{found[0].begin, std::min(source.find("\n}", found[0].end), source.size())};
}

struct Spot {  // one anchor with everything that may stand in its place
  Place place;
  std::vector<const Edit*> edits;
};

bool before(const Spot& a, const Spot& b) {  // an outer one before those inside it
  return a.place.begin != b.place.begin ? a.place.begin < b.place.begin : a.place.end > b.place.end;
}

Result<std::vector<Spot>> find_spots(std::string_view source, const std::string& file,
                                     const std::vector<Edit>& edits) {
  std::vector<Spot> spots;
  for (const Edit& edit : edits) {
    ASSAY_TRY(const Place region, region_of(source, file, edit));
    const auto found = places_of(source, edit.from, region);
    if (found.size() != 1) return unusable(file, edit.from, "once where it is searched", found.size());
    const auto same = std::find_if(spots.begin(), spots.end(), [&](const Spot& s) {
      return s.place.begin == found[0].begin && s.place.end == found[0].end;
    });
    same != spots.end() ? same->edits.push_back(&edit) : spots.push_back({found[0], {&edit}});
  }
  std::sort(spots.begin(), spots.end(), before);
  return spots;
}

std::string on_one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

std::string switched(const Spot& spot, const std::string& original) {
  const bool statement = original.back() == ';';
  std::string out = statement ? "" : "(";
  for (const Edit* edit : spot.edits) {
    out += fmt::format(fmt::runtime(statement ? "if (assay_planted_fault == {}u) {{ {} }} else "
                                              : "assay_planted_fault == {}u ? ({}) : "),
                       edit->id, on_one_line(edit->to));
  }
  return out + (statement ? "{ " + original + " }" : "(" + original + "))");
}

class Planter {
 public:
  Planter(std::string_view source, const std::string& file, const std::vector<Spot>& spots)
      : source_(source), file_(file), spots_(spots) {}

  Result<std::string> region(Place where) {
    std::string out;
    std::size_t at = where.begin;
    while (next_ < spots_.size() && spots_[next_].place.begin < where.end) {
      const Spot& spot = spots_[next_++];
      if (spot.place.end > where.end)
        return unusable(file_, spot.edits[0]->from, "no overlap with another", 1);
      ASSAY_TRY(const std::string original, region(spot.place));
      out.append(source_.substr(at, spot.place.begin - at)).append(switched(spot, original));
      at = spot.place.end;
    }
    return out.append(source_.substr(at, where.end - at));
  }

 private:
  std::string_view source_;
  const std::string& file_;
  const std::vector<Spot>& spots_;
  std::size_t next_ = 0;
};

}  // namespace

std::vector<Place> places_of(std::string_view text, std::string_view anchor, Place where) {
  const std::string plain = without_blanks(anchor);
  ASSAY_CHECK(!plain.empty() && where.end <= text.size());
  std::vector<Place> out;
  for (std::size_t at = where.begin; at < where.end; ++at) {
    const std::size_t end = match_end(text, at, where.end, plain);
    if (end == std::string_view::npos) continue;
    const bool begins = at == 0 || !is_word(plain.front()) || !is_word(text[at - 1]);
    const bool ends = end == text.size() || !is_word(plain.back()) || !is_word(text[end]);
    if (begins && ends) out.push_back({at, end});
  }
  return out;
}

Result<std::string> plant(std::string_view source, const std::string& file, const std::vector<Edit>& edits) {
  ASSAY_TRY(const std::vector<Spot> spots, find_spots(source, file, edits));
  Planter planter(source, file, spots);
  ASSAY_TRY(const std::string planted, planter.region({0, source.size()}));
  return fmt::format("extern unsigned assay_planted_fault;\n#line 1 \"{}\"\n{}", file, planted);
}

}  // namespace assay::mutants
