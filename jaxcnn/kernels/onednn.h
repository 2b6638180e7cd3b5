// What the handlers share: oneDNN's engine, what was made for a problem before, and memory to work in.

#pragma once

#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <new>

#include "dnnl.hpp"

// Functions that bear it are compiled for each of these, and the machine's own is called.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_CPU __attribute__((target_clones("avx512f", "fma", "default")))
#define AVX512 __attribute__((target("avx512f")))
#else
#define FOR_EACH_CPU
#endif
#define INLINED __attribute__((always_inline))  // into them
#define INLINE inline INLINED
#define EXPORT extern "C" __attribute__((visibility("default")))

inline const dnnl::engine& Engine() {
  static const auto* engine = new dnnl::engine(dnnl::engine::kind::cpu, 0);  // never destroyed: threads may outlive main
  return *engine;
}

// make(problem), made at its first use. Whoever runs one keeps it alive when the cache is emptied.
template <typename Problem, typename Made>
std::shared_ptr<const Made> Find(const Problem& problem, Made (*make)(const Problem&)) {
  static auto& lock = *new std::mutex;
  static auto& made = *new std::map<Problem, std::shared_ptr<const Made>>;
  std::lock_guard<std::mutex> held(lock);
  if (made.size() >= 4096) made.clear();
  auto& found = made[problem];
  if (!found) found = std::make_shared<const Made>(make(problem));
  return found;
}

inline size_t Aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

// Memory that a thread keeps for the next call: fresh pages would cost as much as a small convolution.
class Scratch {
 public:
  char* Of(size_t bytes) {
    if (bytes > size_) {
      kept_.reset();
      size_ = 0;
      kept_.reset(static_cast<char*>(std::aligned_alloc(64, Aligned(bytes))));
      if (!kept_) throw std::bad_alloc();
      size_ = bytes;
    }
    return kept_.get();
  }

 private:
  struct Free {
    void operator()(char* at) const { std::free(at); }
  };
  std::unique_ptr<char, Free> kept_;
  size_t size_ = 0;
};
