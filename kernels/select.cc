#include "kernels/select.h"

#include <cstdlib>

#include "kernels/tables.h"

namespace assay {
namespace {

#if defined(ASSAY_SCALAR_ONLY)
void add_vector_kernels(std::vector<const Kernels*>&) {}
#elif defined(__aarch64__)
void add_vector_kernels(std::vector<const Kernels*>& out) { out.push_back(&neon_kernels()); }  // every such machine has it
#elif !defined(__x86_64__)
void add_vector_kernels(std::vector<const Kernels*>&) {}
#else
void add_vector_kernels(std::vector<const Kernels*>& out) {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return;
  out.push_back(&scalar_fma_kernels());
  out.push_back(&avx2_kernels());
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    out.push_back(&avx512_kernels());
  }
}
#endif

std::string names(const std::vector<const Kernels*>& tables) {
  std::string text;
  for (const Kernels* table : tables) {
    if (text.ends_with(table->name)) continue;  // two builds of the scalar kernels
    text += text.empty() ? "" : " ";
    text += table->name;
  }
  return text;
}

}  // namespace

std::vector<const Kernels*> available_kernels() {
  std::vector<const Kernels*> out = {&scalar_kernels()};
  add_vector_kernels(out);
  ASSAY_CHECK(out.front()->isa == Isa::scalar);
  return out;
}

Result<const Kernels*> select_kernels(std::string_view name) {
  const auto tables = available_kernels();
  const Kernels* found = nullptr;
  for (const Kernels* table : tables) {
    if (name.empty() || name == table->name) found = table;  // the last one is the best
  }
  if (found != nullptr) return found;
  return Error{.code = Code::unsupported,
               .message =
                   "ASSAY_ISA names kernels that this machine or build does not have; unset it or name one "
                   "that is there",
               .field = "ASSAY_ISA",
               .expected = names(tables),
               .got = std::string(name)};
}

Result<const Kernels*> chosen_kernels() {
  const char* const wish = std::getenv("ASSAY_ISA");
  return select_kernels(wish == nullptr ? "" : wish);
}

const Kernels& kernels() {
  static const Kernels* const kChosen = [] {
    const auto chosen = chosen_kernels();
    ASSAY_CHECK(chosen.ok());
    return *chosen;
  }();
  return *kChosen;
}

}  // namespace assay
