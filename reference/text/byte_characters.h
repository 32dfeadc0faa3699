// GPT-2's characters for bytes: how byte-level vocabularies are written.
#pragma once
#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace assay {

// The 256 characters that stand for bytes in byte-level vocabularies (GPT-2's table): printable Latin-1
// stands for itself, the other bytes for U+0100 and up.
const std::array<char32_t, 256>& byte_characters();
int byte_of_character(char32_t c);  // -1: stands for no byte
std::string bytes_to_characters(std::string_view bytes);
std::optional<std::string> characters_to_bytes(
    std::string_view text);  // nullopt where a character stands for no byte

}  // namespace assay
