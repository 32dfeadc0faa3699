#include "tests/run_catch.h"

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

int run_catch(int argc, const char* const* argv) { return Catch::Session().run(argc, argv); }

// Weak: the programs of planted faults bring a main of their own around run_catch (tests/mutants/killers.cc).
[[gnu::weak]] int main(int argc, char** argv) { return run_catch(argc, argv); }
