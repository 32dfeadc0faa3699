// What an hour costs: the bundled price book, and the price of the machine that an evaluation runs on.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "reports/database.h"

namespace assay {

struct Price {
  std::string device;       // "H800", "vCPU"
  double usd_per_hour = 0;  // of one `unit`
  std::string unit;         // gpu-hour, vcpu-hour, machine-hour
  std::string as_of;        // "2024-12"
  std::string source;
};

inline constexpr std::size_t kMaxPrices = 10'000;

// {"prices": [{"device", "usd_per_hour", "unit", "as_of", "source"}, ...]}. A price that is not above 0, or without date or source, is refused.
Result<std::vector<Price>> read_prices(const std::string& path);
Result<std::vector<Price>> bundled_prices();  // suites/data/prices.json

// A machine with `vcpus` processors by the book's price of one: unit machine-hour. Without such a price Code::not_found.
Result<Price> machine_price(const std::vector<Price>& book, int vcpus);

struct PriceRange {
  double low = 0, high = 0;
  std::string source;  // of both ends
};
// The lowest and the highest gpu-hour price of the devices that count as comparable: H800 is an H100 with a slower link.
Result<PriceRange> price_range(const std::vector<Price>& book, std::string_view device);

// The row of this price, written where it is missing.
Result<std::int64_t> price_row(Database& database, const Price& price);

}  // namespace assay
