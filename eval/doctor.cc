#include "eval/doctor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kernels/device.h"
#include "reports/database.h"
#include "suites/locate.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string joined(const std::vector<std::string>& parts) { return fmt::format("{}", fmt::join(parts, " ")); }

// The program's path in $PATH, "" where it is not there.
std::string program(const std::string& name) {
  const std::string path = variable("PATH");
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find(':', at), path.size());
    const fs::path candidate = fs::path(path.substr(at, end - at)) / name;
    if (end > at && ::access(candidate.c_str(), X_OK) == 0) return candidate.string();
    at = end + 1;
  }
  return "";
}

Finding processor() {
  const auto device = this_device();
  if (!device.ok()) return {"processor", Health::broken, device.error().text(), "unset ASSAY_ISA"};
  return {"processor", Health::fine,
          fmt::format("{}, {} processors for this process", device->name, device->cores), ""};
}

Finding kernel_sets() {
  const auto isas = available_isas();
  const auto device = this_device();
  const std::string in_use = device.ok() ? device->isa : "none";
  if (isas.size() == 1) {
    return {"kernels", Health::missing, "scalar only",
            "a processor with AVX2 or AVX-512 (and a build without ASSAY_SCALAR_ONLY) is ten times as fast"};
  }
  return {"kernels", Health::fine,
          fmt::format("{} (in use: {}); all give the same bits", joined(isas), in_use), ""};
}

Finding memory() {
  constexpr double kGiB = 0x1p30;
  const auto device = this_device();
  const double bytes = device.ok() ? static_cast<double>(device->memory_bytes) : 0;
  if (!(bytes >= 2 * kGiB))
    return {"memory", Health::missing, fmt::format("{:.1f} GiB", bytes / kGiB),
            "`assay demo` needs about 1 GiB; use --memory for larger models"};
  return {"memory", Health::fine, fmt::format("{:.1f} GiB", bytes / kGiB), ""};
}

Finding gpu() {
  const auto devices = gpu_devices();
  if (!devices.empty())
    return {"gpu", Health::fine,
            fmt::format("{} ({}), {} in all", devices[0].name, devices[0].isa, devices.size()), ""};
  const bool driver = fs::exists("/dev/nvidiactl");
  if (!built_with_cuda()) {
    return {"gpu", Health::missing,
            driver ? "driver there, CUDA kernels not built" : "no driver, CUDA kernels not built",
            "optional; install nvcc 13 and configure again to build the CUDA kernels"};
  }
  return {"gpu", Health::missing,
          driver ? "CUDA kernels built, driver there, no device" : "CUDA kernels built, no driver",
          "optional; everything runs on the processor"};
}

Finding display() {
  const std::string x11 = variable("DISPLAY"), wayland = variable("WAYLAND_DISPLAY");
  if (x11.empty() && wayland.empty()) {
    return {"display", Health::missing, "none",
            "assay-viewer needs one; `assay report` writes the same figures as files, `xvfb-run "
            "assay-viewer` works too"};
  }
  return {"display", Health::fine, wayland.empty() ? "DISPLAY=" + x11 : "WAYLAND_DISPLAY=" + wayland, ""};
}

Finding sandbox() {
  const std::string bwrap = program("bwrap");
  if (bwrap.empty())
    return {"sandbox", Health::missing, "bubblewrap is not installed",
            "optional; suites that run generated code will need it: apt install bubblewrap"};
  return {"sandbox", Health::fine, bwrap, ""};
}

Finding data() {
  const auto folder = data_folder();
  if (!folder.ok()) return {"data", Health::broken, "bundled data not found", folder.error().text()};
  const fs::path model = fs::path(*folder) / "demo" / "model" / "config.json";
  if (!fs::exists(model))
    return {"data", Health::broken, *folder, "the bundled model is not in it; install again"};
  return {"data", Health::fine, *folder, ""};
}

// Opens an existing database read-only; a new one is tried as a temporary file in its folder.
Finding database_place(const std::string& path) {
  const std::string advice = "choose another place with --db FILE";
  if (fs::exists(path)) {
    const auto opened = Database::open_read_only(path);
    if (!opened.ok()) return {"database", Health::broken, opened.error().text(), advice};
    if (::access(path.c_str(), W_OK) != 0)
      return {"database", Health::broken, fmt::format("{} cannot be written", path), advice};
    return {"database", Health::fine, fmt::format("{} is there and can be written", path), ""};
  }
  fs::path folder = fs::path(path).parent_path();
  if (folder.empty()) folder = ".";
  if (::access(folder.c_str(), W_OK) != 0)
    return {"database", Health::broken,
            fmt::format("{}: the folder is not there or cannot be written", folder.string()), advice};
  return {"database", Health::fine, fmt::format("{} will be created", path), ""};
}

const char* word_of(Health health) {
  switch (health) {
    case Health::fine:
      return "fine";
    case Health::missing:
      return "missing";
    case Health::broken:
      return "broken";
  }
  return "";
}

}  // namespace

std::vector<Finding> examine(const std::string& database) {
  return {processor(), kernel_sets(), memory(), gpu(),
          display(),   sandbox(),     data(),   database_place(database)};
}

Json doctor_json(const std::vector<Finding>& findings) {
  Json checks = Json::array();
  bool works = true;
  for (const Finding& f : findings) {
    works = works && f.health != Health::broken;
    checks.push_back({{"name", f.name},
                      {"health", word_of(f.health)},
                      {"found", f.found},
                      {"advice", f.advice.empty() ? Json(nullptr) : Json(f.advice)}});
  }
  Json document = {{"works", works}, {"checks", checks}, {"gpus", Json::array()}};
  const auto device = this_device();
  document["isa"] = device.ok() ? Json(device->isa) : Json(nullptr);
  document["isas"] = available_isas();
  document["cores"] = device.ok() ? Json(device->cores) : Json(nullptr);
  document["memory_bytes"] = device.ok() ? Json(device->memory_bytes) : Json(nullptr);
  document["built_with_cuda"] = built_with_cuda();
  for (const auto& gpu : gpu_devices())
    document["gpus"].push_back({{"name", gpu.name}, {"isa", gpu.isa}, {"memory_bytes", gpu.memory_bytes}});
  return document;
}

std::string doctor_text(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& f : findings) {
    text += fmt::format("{:<8} {:<10} {}\n", word_of(f.health), f.name, f.found);
    if (!f.advice.empty()) text += fmt::format("{:<19} -> {}\n", "", f.advice);
  }
  text.pop_back();
  return text;
}

}  // namespace assay
