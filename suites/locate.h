// Where the bundled data lies: the environment variable ASSAY_DATA, else the source tree that the program was
// built from, else
// ../share/assay beside the installed program.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"

namespace assay {

// The folder that holds demo/ and the *.suite.json definitions. The answer is found once and kept.
Result<std::string> data_folder();

// data_folder() + "/" + relative; a relative path that leaves the folder is refused.
Result<std::string> data_path(std::string_view relative);

// True for a path that names something below the folder it is joined to: not absolute, no "..", no empty
// name.
bool is_inner_path(std::string_view relative);

}  // namespace assay
