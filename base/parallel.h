// A fixed set of threads. They look for work for 50 microseconds after the last, then sleep.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>

namespace assay {

class ThreadPool {
 public:
  explicit ThreadPool(int n_threads);  // the calling thread is one of them
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int n_threads() const;

  // Calls body(i, thread) once for every i in [0, n), handed out in ascending order, and returns when all are
  // done. What body writes must depend on i alone: which thread runs it is not defined. Not reentrant.
  void run(std::size_t n, const std::function<void(std::size_t i, int thread)>& body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

int hardware_threads();  // processors this process may run on

}  // namespace assay
