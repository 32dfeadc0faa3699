#include "base/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/check.h"

namespace assay {

struct ThreadPool::State {
  std::mutex mutex;
  std::condition_variable work_ready, work_done;
  const std::function<void(std::size_t, int)>* body = nullptr;
  std::size_t n = 0;
  std::atomic<std::size_t> next{0};
  std::size_t generation = 0;
  int busy = 0;
  bool stop = false;
  std::vector<std::thread> threads;

  void drain(int thread) {
    for (std::size_t i = next.fetch_add(1); i < n; i = next.fetch_add(1)) (*body)(i, thread);
  }

  void worker(int thread) {
    std::size_t seen = 0;
    std::unique_lock lock(mutex);
    for (;;) {
      work_ready.wait(lock, [&] { return stop || generation != seen; });
      if (stop) return;
      seen = generation;
      lock.unlock();
      drain(thread);
      lock.lock();
      if (--busy == 0) work_done.notify_one();
    }
  }
};

ThreadPool::ThreadPool(int n_threads) : state_(std::make_unique<State>()) {
  ASSAY_CHECK(n_threads >= 1);
  for (int i = 1; i < n_threads; ++i) state_->threads.emplace_back([s = state_.get(), i] { s->worker(i); });
}

ThreadPool::~ThreadPool() {
  {
    const std::scoped_lock lock(state_->mutex);
    state_->stop = true;
  }
  state_->work_ready.notify_all();
  for (auto& thread : state_->threads) thread.join();
}

int ThreadPool::n_threads() const { return static_cast<int>(state_->threads.size()) + 1; }

void ThreadPool::run(std::size_t n, const std::function<void(std::size_t, int)>& body) {
  State& s = *state_;
  if (s.threads.empty() || n <= 1) {
    for (std::size_t i = 0; i < n; ++i) body(i, 0);
    return;
  }
  {
    const std::scoped_lock lock(s.mutex);
    ASSAY_CHECK(s.busy == 0);
    s.body = &body;
    s.n = n;
    s.next = 0;
    s.busy = static_cast<int>(s.threads.size());
    ++s.generation;
  }
  s.work_ready.notify_all();
  s.drain(0);
  std::unique_lock lock(s.mutex);
  s.work_done.wait(lock, [&] { return s.busy == 0; });
}

int hardware_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

}  // namespace assay
