// assay-viewer: shows a database that assay wrote, on a screen or as a picture.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "base/file.h"
#include "base/progress.h"
#include "gui/display.h"
#include "gui/headless.h"

namespace assay::gui {
namespace {

enum Exit : int { kFine = 0, kUsage = 2, kRefused = 3 };

struct Options {
  std::string file = "assay.db";
  std::string window = "claims";
  std::string screenshot;
  std::string size = "1440x900";
  std::string keys;
  bool built_in_font = false;
  int frames = 0;
};

constexpr const char* kExamples =
    "Examples:\n"
    "  assay-viewer assay.db                                    opens a window\n"
    "  assay-viewer assay.db --window forest                    opens it at the forest plot\n"
    "  assay-viewer assay.db --screenshot claims.png            writes a picture, needs no display\n"
    "  assay-viewer assay.db --window items --keys ffj --screenshot flips.png\n"
    "                                                           presses f, f, j first: the second flip\n"
    "Keys in the window: ? lists them all; 1 to 9 windows, j k rows, Enter into, / filter, e evidence, "
    "Ctrl+P palette.";

// "1440x900".
Result<std::pair<int, int>> parse_picture_size(const std::string& text) {
  int width = 0, height = 0, used = 0;
  const bool read = text.size() < 16 && std::sscanf(text.c_str(), "%dx%d%n", &width, &height, &used) == 2 &&
                    used == static_cast<int>(text.size());
  if (!read || width < 320 || height < 200 || width > 8192 || height > 8192) {
    return Error{.code = Code::usage,
                 .message = "--size wants WIDTHxHEIGHT in pixels, from 320x200 to 8192x8192",
                 .got = text};
  }
  return std::pair(width, height);
}

Status take_picture(App& app, const Options& options, std::pair<int, int> size) {
  Headless screen(size.first, size.second, options.built_in_font ? FontChoice::built_in : FontChoice::system);
  const auto draw = [&] { app.frame(screen.fonts()); };
  screen.frames(3, draw);
  screen.type(options.keys, draw);
  screen.frames(3, draw);
  ASSAY_TRY(const std::string png, encode_png(screen.picture()));
  return write_file_atomic(options.screenshot, png);
}

Result<int> view(const Options& options) {
  ASSAY_TRY(const auto size, parse_picture_size(options.size));
  ASSAY_TRY(Store store, Store::open(options.file));
  App app(std::move(store));
  const auto place = app.place_of(options.window);
  if (!place) {
    return Error{.code = Code::usage,
                 .message = "there is no window of that name; the names are " + app.window_keys(),
                 .got = options.window};
  }
  app.state().place = *place;
  if (!options.screenshot.empty()) {
    ASSAY_OK(take_picture(app, options, size));
    return kFine;
  }
  ASSAY_TRY(const DisplayReport report,
            show(app, {.width = size.first, .height = size.second, .frames = options.frames}));
  if (options.frames > 0) fmt::print("frames {} blank {}\n", report.frames, report.blank);
  return kFine;
}

int refuse(const Error& error) {
  fmt::print(stderr, "assay: {}\n", error.text());
  return error.code == Code::usage ? kUsage : kRefused;
}

int run(int argc, char** argv) {
  Options options;
  CLI::App cli("assay-viewer shows what assay stored: claims, verdicts, runs, items, similarity, cost.",
               "assay-viewer");
  cli.set_version_flag("--version", "assay-viewer " ASSAY_VERSION);
  cli.footer(kExamples);
  cli.add_option("FILE", options.file, "the database")->capture_default_str();
  cli.add_option("--window", options.window,
                 "window to open: claims, forest, runs, items, similarity, cost, kernels, models, log")
      ->capture_default_str();
  cli.add_option("--screenshot", options.screenshot, "write a PNG and end; needs no display");
  cli.add_option("--size", options.size, "of window or picture, WIDTHxHEIGHT in pixels")
      ->capture_default_str();
  cli.add_option("--keys", options.keys, "keys to type before the picture is taken");
  cli.add_flag("--built-in-font", options.built_in_font,
               "the same pixels on every machine, Latin letters only");
  cli.add_option("--frames", options.frames, "for tests: end after so many frames")
      ->check(CLI::NonNegativeNumber);
  try {
    cli.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return cli.exit(e);
  } catch (const CLI::ParseError& e) {
    return refuse(
        Error{.code = Code::usage, .message = fmt::format("{}; see `assay-viewer --help`", e.what())});
  }
  const Result<int> result = view(options);
  return result.ok() ? *result : refuse(result.error());
}

}  // namespace
}  // namespace assay::gui

int main(int argc, char** argv) {
  assay::catch_stop_signals();
  return assay::gui::run(argc, argv);
}
