// A small database with every kind of row, made by the test itself: two models, three runs on two suites, claims with all verdicts.
#pragma once
#include <string>

#include "gui/app.h"
#include "gui/headless.h"

namespace assay::test {

inline constexpr int kSampleItems = 40;

// A fresh path in the build's test folder; a file that was there is gone.
std::string scratch(const std::string& name);

// Writes the database and gives its path.
std::string write_sample(const std::string& name);
// An assay database without any row.
std::string write_empty(const std::string& name);
// `n` items of one run, wrong every third; for the speed of long lists.
std::string write_many_items(const std::string& name, int n);

gui::App open_app(const std::string& path);

// Writes the picture beside the build for people to look at; gives its digest.
std::string keep_picture(const std::string& name, const gui::Image& image);

}  // namespace assay::test
