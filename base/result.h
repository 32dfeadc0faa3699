// Result<T>: a value or the Error that explains why there is none.
#pragma once
#include <optional>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/error.h"

namespace assay {

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: returning a value is the point
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    ASSAY_CHECK(ok());
    return std::get<0>(state_);
  }
  const T& value() const& {
    ASSAY_CHECK(ok());
    return std::get<0>(state_);
  }
  T&& value() && {
    ASSAY_CHECK(ok());
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& {
    ASSAY_CHECK(!ok());
    return std::get<1>(state_);
  }
  Error&& error() && {
    ASSAY_CHECK(!ok());
    return std::get<1>(std::move(state_));
  }

 private:
  std::variant<T, Error> state_;
};

// For functions that give nothing back but can refuse.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}  // NOLINT: returning an error is the point

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const& {
    ASSAY_CHECK(!ok());
    return *error_;
  }
  Error&& error() && {
    ASSAY_CHECK(!ok());
    return std::move(*error_);
  }

 private:
  std::optional<Error> error_;
};

}  // namespace assay

#define ASSAY_CONCAT_INNER(a, b) a##b
#define ASSAY_CONCAT(a, b) ASSAY_CONCAT_INNER(a, b)

// ASSAY_TRY(auto x, f());  declares x as the value of f() or returns its error.
#define ASSAY_TRY(declaration, expression)                           \
  auto ASSAY_CONCAT(assay_result_, __LINE__) = (expression);         \
  if (!ASSAY_CONCAT(assay_result_, __LINE__).ok())                   \
    return std::move(ASSAY_CONCAT(assay_result_, __LINE__)).error(); \
  declaration = std::move(ASSAY_CONCAT(assay_result_, __LINE__)).value()

// ASSAY_OK(f());  returns the error of a Status or Result whose value is not needed.
#define ASSAY_OK(expression)                                          \
  do {                                                                \
    auto assay_status_ = (expression);                                \
    if (!assay_status_.ok()) return std::move(assay_status_).error(); \
  } while (false)
