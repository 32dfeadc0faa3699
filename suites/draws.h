// Which solved examples an item is shown and in which order its options stand, where a protocol draws them.
#pragma once
#include <vector>

#include "base/result.h"
#include "suites/suite.h"

namespace assay {

// Fills Protocol::drawn_shots and drawn_orders of the protocols that draw by CPython's generator, item after item or once a pool.
// Refused: a pool that is smaller than the draw.
Status draw_in_sequence(Suite& suite);

// The solved examples that `item` is shown, in their order. Refused: fewer than the protocol asks for, or a draw in
// sequence for an item that is none of the suite's.
Result<std::vector<const Item*>> shown_examples(const Suite& suite, const Protocol& protocol, const Item& item);

// The order in which {options} shows the options: place -> index in Item::options. As they are where a draw in sequence is asked for an
// item that is none of the suite's (render_request refuses such an item).
std::vector<int> option_order(const Protocol& protocol, const Item& item);

// What an extractor should find: the letter of the right option's place where the protocol's equality is `letter`, else Item::gold.
std::string expected_answer(const Protocol& protocol, const Item& item);

}  // namespace assay
