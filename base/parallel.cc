#include "base/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/check.h"

namespace assay {
namespace {

// How long a thread looks for more before it sleeps: the gaps between the steps of one token take a few microseconds, waking a
// sleeper takes tens. Longer waits (uneven work, nothing to do) are slept through.
constexpr std::chrono::microseconds kLook{50};

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// True as soon as ready() is, false after kLook.
template <class Ready>
bool look_for(const Ready& ready) {
  const auto end = std::chrono::steady_clock::now() + kLook;
  do {
    for (int i = 0; i < 8; ++i) {
      if (ready()) return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

}  // namespace

struct ThreadPool::State {
  std::mutex mutex;
  std::condition_variable work_ready, work_done;
  const std::function<void(std::size_t, int)>* body = nullptr;  // these two are set before `generation`
  std::size_t n = 0;
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> generation{0};  // written under the mutex
  std::atomic<int> busy{0};
  std::atomic<bool> stop{false};
  int asleep = 0;              // workers that wait for work_ready; under the mutex
  bool caller_asleep = false;  // under the mutex
  std::vector<std::thread> threads;

  void drain(int thread) {
    for (std::size_t i = next.fetch_add(1); i < n; i = next.fetch_add(1)) (*body)(i, thread);
  }

  // Returns when there is work of another generation than `seen`, or none any more.
  void wait_for_work(std::size_t seen) {
    const auto ready = [&] { return stop.load() || generation.load() != seen; };
    if (look_for(ready)) return;
    std::unique_lock lock(mutex);
    ++asleep;
    work_ready.wait(lock, ready);
    --asleep;
  }

  void worker(int thread) {
    for (std::size_t seen = 0;;) {
      wait_for_work(seen);
      if (stop.load()) return;
      seen = generation.load();
      drain(thread);
      if (busy.fetch_sub(1) > 1) continue;
      const std::scoped_lock lock(mutex);
      if (caller_asleep) work_done.notify_one();
    }
  }

  void wait_for_others() {
    const auto done = [&] { return busy.load() == 0; };
    if (look_for(done)) return;
    std::unique_lock lock(mutex);
    caller_asleep = true;
    work_done.wait(lock, done);
    caller_asleep = false;
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
  ASSAY_CHECK(s.busy == 0);
  s.body = &body;
  s.n = n;
  s.next = 0;
  s.busy = static_cast<int>(s.threads.size());
  bool wake = false;
  {
    const std::scoped_lock lock(s.mutex);
    ++s.generation;
    wake = s.asleep > 0;
  }
  if (wake) s.work_ready.notify_all();
  s.drain(0);
  s.wait_for_others();
}

int hardware_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

}  // namespace assay
