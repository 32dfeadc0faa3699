#pragma once
#include <cstddef>
#include <cstdint>

// Reads the bytes as a tokenizer of whatever kind they look like; 0 for everything, a fault is an assertion or a
// sanitizer report.
int fuzz_tokenizer(const std::uint8_t* data, std::size_t size);
