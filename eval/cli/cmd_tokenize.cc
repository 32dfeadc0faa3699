#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/runs/filter.h"
#include "reference/text/tokenizer.h"
#include "reference/text/utf8.h"
#include "reference/weights/locate.h"

namespace assay::cli {
namespace {

struct TokenizeOptions {
  std::string model, in;
  bool no_special = false, ordinary = false, decode = false, time = false;
};

// Encoding alone, for --time.
struct Clock {
  double seconds = 0;
  std::size_t bytes = 0, tokens = 0;
};

Result<std::string> encode_line(const Tokenizer& tokenizer, const Json& line, const TokenizeOptions& options, Clock& clock) {
  if (!line.is_string()) {
    return Error{.code = Code::bad_value,
                 .message = "a line is not a JSON string",
                 .expected = "a string",
                 .got = line.type_name()};
  }
  const auto& text = line.get_ref<const std::string&>();
  const std::clock_t begin = std::clock();
  ASSAY_TRY(const std::vector<int> ids, options.ordinary ? tokenizer.try_encode_ordinary(text)
                                                         : tokenizer.try_encode(text, !options.no_special));
  clock.seconds += static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  clock.bytes += text.size();
  clock.tokens += ids.size();
  return dump_json(Json(ids));
}

Result<std::string> decode_line(const Tokenizer& tokenizer, const Json& line) {
  if (!line.is_array()) {
    return Error{.code = Code::bad_value,
                 .message = "a line is not an array of ids",
                 .expected = "an array of integers",
                 .got = line.type_name()};
  }
  std::vector<int> ids;
  for (const Json& id : line) {
    const bool integer = id.is_number_integer();
    const auto value = integer ? id.get<std::int64_t>() : -1;
    const bool known =
        value >= 0 && value < tokenizer.vocab_size() && tokenizer.has_id(static_cast<int>(value));
    if (!known) {
      return Error{.code = integer ? Code::out_of_range : Code::bad_value,
                   .message = "an id is not one of this tokenizer",
                   .expected = fmt::format("an integer from 0 to {}", tokenizer.vocab_size() - 1),
                   .got = dump_json(id).substr(0, 40)};
    }
    ids.push_back(static_cast<int>(value));
  }
  return dump_json(Json(tokenizer.decode(ids, false)));
}

Result<int> run(const TokenizeOptions& options) {
  ASSAY_TRY(const std::string texts, locate_texts(options.model));
  ASSAY_TRY(const Tokenizer tokenizer, Tokenizer::load(texts));
  Clock clock;
  ASSAY_OK(filter_json_lines(options.in, [&](const Json& line) {
    return options.decode ? decode_line(tokenizer, line) : encode_line(tokenizer, line, options, clock);
  }));
  if (options.time) {
    fmt::print(stderr, "{{\"bytes\": {}, \"tokens\": {}, \"processor_seconds\": {:.3f}}}\n", clock.bytes, clock.tokens,
               clock.seconds);
  }
  return static_cast<int>(kFine);
}

}  // namespace

void add_tokenize(Cli& cli) {
  CLI::App& app = cli.command("tokenize", "text to token ids and back",
                              "  echo '\"Hello world\"' | assay tokenize suites/data/demo/model --in -\n"
                              "  echo '[0, 41, 70]' | assay tokenize suites/data/demo/model --in - --decode");
  const auto options = std::make_shared<TokenizeOptions>();
  app.add_option("model", options->model, "a folder with tokenizer.json, tokenizer.model, tekken.json or *.tiktoken, or such a file")->required();
  app.add_option("--in", options->in,
                 "a JSON string a line (with --decode an array of ids); '-' reads standard input")
      ->required();
  app.add_flag("--no-special", options->no_special,
               "do not add the tokens that stand around a text (BOS, EOS)");
  app.add_flag("--ordinary", options->ordinary,
               "take special tokens in the text for ordinary text; adds none either");
  app.add_flag("--time", options->time, "say on standard error how much was encoded and what that alone took");
  app.add_flag("--decode", options->decode, "ids to text; special tokens are kept");
  cli.on_run(app, [options] { return run(*options); });
}

}  // namespace assay::cli
