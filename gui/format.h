// Numbers as people read them: with their unit, no more decimals than they carry, and "-" for what is not
// known.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace assay::gui {

inline constexpr const char* kUnknown = "-";

std::string number(double value, int decimals);
std::string number(std::optional<double> value, int decimals);
std::string significant(std::optional<double> value, int digits);  // 0.0123, 1.2e-09
std::string count(std::int64_t value);                             // 1,319
std::string count(std::optional<std::int64_t> value);
std::string short_count(std::optional<std::int64_t> value);  // 12.3M
std::string seconds(std::optional<double> value);            // 850 ms, 12.4 s, 3 min 20 s, 5 h 02 min
std::string bytes(std::optional<std::int64_t> value);        // 1.5 MiB
std::string dollars(std::optional<double> value);
std::string probability(std::optional<double> p);                           // 0.012, < 1e-12
std::string rate(std::optional<double> per_second, std::string_view unit);  // 12.3 GFLOP/s

// A claim's figure in its own scale: "76.4 %" where scale is 100.
std::string figure(std::optional<double> value, double scale, int decimals);
std::string interval(std::optional<double> low, std::optional<double> high, int decimals);  // "[72.5, 79.9]"
int decimals_of(std::string_view printed);  // digits after the point: "76.4" has 1

// A metric's value: fractions as percent, bits per byte and log-probabilities as they are.
bool is_fraction(std::string_view metric);
std::string score(std::optional<double> value, std::string_view metric);
std::string score_interval(std::optional<double> low, std::optional<double> high, std::string_view metric);

std::string short_digest(std::string_view hex);  // the first 12 digits
// One line of at most `max_bytes`: line breaks and tabs become spaces, a cut is marked, UTF-8 sequences stay
// whole.
std::string one_line(std::string_view text, std::size_t max_bytes = 160);

}  // namespace assay::gui
