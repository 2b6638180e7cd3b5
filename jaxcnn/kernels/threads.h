// The threads that the handlers work with: XLA's own. OpenMP's would be others, a team for each of XLA's, and to change
// from one to the other on the same cores takes as long as a small convolution.

#pragma once

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>

#include "xla/ffi/api/ffi.h"

// While it lives, oneDNN makes and runs primitives for the calling thread alone.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }

 private:
  const int before_;
};

class Threads {
 public:
  explicit Threads(xla::ffi::ThreadPool pool) : pool_(pool), count_(std::max<int64_t>(pool.num_threads(), 1)) {}

  int64_t count() const { return count_; }

  // Calls work(part) for each part in [0, parts), on any thread. The caller's is one of them, so that all are done even
  // where no other is free.
  template <typename Work>
  void Each(int64_t parts, const Work& work) const {
    const auto shared = std::make_shared<Shared>();
    const auto run = [shared, parts, &work] {
      for (int64_t part; (part = shared->next++) < parts;) {
        try {
          const OneThread alone;
          work(part);
        } catch (...) {
          const std::lock_guard<std::mutex> held(shared->lock);
          shared->failed = std::current_exception();
        }
        if (++shared->done == parts) {
          const std::lock_guard<std::mutex> held(shared->lock);
          shared->all.notify_one();
        }
      }
    };
    for (int64_t i = 1; i < std::min(parts, count_); ++i) {
      auto task = run;
      pool_.Schedule(std::move(task));
    }
    run();
    constexpr int kLooks = 2000;  // for a tenth of a millisecond, which the others seldom take longer; then it sleeps
    for (int i = 0; i < kLooks && shared->done < parts; ++i) __builtin_ia32_pause();
    std::unique_lock<std::mutex> held(shared->lock);
    shared->all.wait(held, [&] { return shared->done == parts; });
    if (shared->failed) std::rethrow_exception(shared->failed);
  }

  // The same for [0, count) in runs of neighbours: calls work(part, first, last) for each thread's.
  template <typename Work>
  void Share(int64_t count, const Work& work) const {
    const int64_t parts = std::min(count, count_);
    Each(parts, [&](int64_t part) { work(part, count * part / parts, count * (part + 1) / parts); });
  }

 private:
  struct Shared {  // outlives the call: a task may start after all parts are done
    std::atomic<int64_t> next{0}, done{0};
    std::mutex lock;
    std::condition_variable all;
    std::exception_ptr failed;
  };

  mutable xla::ffi::ThreadPool pool_;
  const int64_t count_;
};
