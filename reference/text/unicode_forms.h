// Whole texts in Unicode's normalization forms, lower case and without marks. Unassigned characters stay.
#pragma once
#include <string>
#include <string_view>

namespace assay {

// Valid UTF-8 in and out.
void to_form(std::string& text, bool compatible, bool compose);  // NFD, NFC, NFKD, NFKC
void to_nfc(std::string& text);  // as to_form(text, false, true); text that cannot change is left alone, fast

std::string lowercase(std::string_view text);      // full mappings of single characters (char::to_lowercase)
std::string without_marks(std::string_view text);  // without category Mn
bool is_ideograph(char32_t code);                  // the blocks that BERT sets apart

}  // namespace assay
