#include "eval/cost/price.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "suites/locate.h"

namespace assay {
namespace {

Result<Price> read_price(const Json& entry, const std::string& file) {
  Price price;
  ASSAY_TRY(price.device, json_string(entry, "device", file));
  ASSAY_TRY(price.usd_per_hour, json_number(entry, "usd_per_hour", file));
  ASSAY_TRY(price.unit, json_string(entry, "unit", file));
  ASSAY_TRY(price.as_of, json_string(entry, "as_of", file));
  ASSAY_TRY(price.source, json_string(entry, "source", file));
  const bool usable = price.usd_per_hour > 0 && price.usd_per_hour < 1e6;
  if (usable && !price.device.empty() && !price.as_of.empty() && !price.source.empty()) return price;
  return Error{.code = Code::bad_value,
               .message = "a price needs a device, a positive figure, a date and a source",
               .file = file,
               .field = usable ? "device, as_of or source" : "usd_per_hour",
               .got = price.device};
}

// The part of a device's name that decides its price class: "H800" and "H100 SXM" are both "H100".
std::string price_class(std::string_view device) {
  const std::string name(device.substr(0, device.find_first_of(" -")));
  return name == "H800" ? "H100" : name == "A800" ? "A100" : name;
}

}  // namespace

Result<std::vector<Price>> read_prices(const std::string& path) {
  ASSAY_TRY(const Json document, read_json_file(path));
  const bool shaped = document.is_object() && document.contains("prices") && document["prices"].is_array();
  if (!shaped)
    return Error{.code = Code::missing_field,
                 .message = "a price book holds an array",
                 .file = path,
                 .field = "prices"};
  if (document["prices"].size() > kMaxPrices) {
    return Error{.code = Code::too_large,
                 .message = "the price book is too long",
                 .file = path,
                 .expected = std::to_string(kMaxPrices)};
  }
  std::vector<Price> prices;
  for (const Json& entry : document["prices"]) {
    ASSAY_TRY(Price price, read_price(entry, path));
    prices.push_back(std::move(price));
  }
  return prices;
}

Result<std::vector<Price>> bundled_prices() {
  ASSAY_TRY(const std::string path, data_path("prices.json"));
  return read_prices(path);
}

Result<Price> machine_price(const std::vector<Price>& book, int vcpus) {
  ASSAY_CHECK(vcpus > 0);
  for (const Price& price : book) {
    if (price.unit != "vcpu-hour") continue;
    Price machine = price;
    machine.device = fmt::format("{} vCPU", vcpus);
    machine.unit = "machine-hour";
    machine.usd_per_hour = price.usd_per_hour * vcpus;
    return machine;
  }
  return Error{.code = Code::not_found,
               .message = "the price book has no price of a processor hour",
               .field = "vcpu-hour"};
}

Result<PriceRange> price_range(const std::vector<Price>& book, std::string_view device) {
  const Price *low = nullptr, *high = nullptr;
  for (const Price& price : book) {
    if (price.unit != "gpu-hour" || price_class(price.device) != price_class(device)) continue;
    if (low == nullptr || price.usd_per_hour < low->usd_per_hour) low = &price;
    if (high == nullptr || price.usd_per_hour > high->usd_per_hour) high = &price;
  }
  if (low == nullptr)
    return Error{.code = Code::not_found,
                 .message = "the price book does not know the device",
                 .got = std::string(device)};
  ASSAY_CHECK(low->usd_per_hour <= high->usd_per_hour);
  return PriceRange{low->usd_per_hour, high->usd_per_hour,
                    fmt::format("{} ({}); {} ({})", low->source, low->as_of, high->source, high->as_of)};
}

Result<std::int64_t> price_row(Database& database, const Price& price) {
  ASSAY_TRY(
      Statement insert,
      database.prepare(
          "INSERT OR IGNORE INTO price (device, usd_per_hour, unit, as_of, source) VALUES (?, ?, ?, ?, ?)"));
  ASSAY_OK(insert.with(price.device, price.usd_per_hour, price.unit, price.as_of, price.source).run());
  ASSAY_TRY(Statement find, database.prepare("SELECT id FROM price WHERE device = ? AND usd_per_hour = ? AND "
                                             "unit = ? AND as_of = ? AND source = ?"));
  find.with(price.device, price.usd_per_hour, price.unit, price.as_of, price.source);
  ASSAY_TRY(const std::optional<std::int64_t> id, database.find_integer(find));
  ASSAY_CHECK(id.has_value());
  return *id;
}

}  // namespace assay
