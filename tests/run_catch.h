// Catch2's runner, compiled once for all test programs.
#pragma once

int run_catch(int argc, const char* const* argv);  // as its own main would
