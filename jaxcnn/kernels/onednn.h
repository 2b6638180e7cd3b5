// What the handlers share: oneDNN's engine, what was made for a problem before, and memory to work in.

#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

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

// The bytes that the handlers keep to work in.
inline std::atomic<int64_t>& Kept() {
  static auto& kept = *new std::atomic<int64_t>{0};
  return kept;
}

struct Free {
  size_t bytes = 0;

  void operator()(char* at) const {
    Kept() -= bytes;
    std::free(at);
  }
};
using Block = std::unique_ptr<char, Free>;

inline Block Allocate(size_t bytes) {
  bytes = std::max(Aligned(bytes), size_t{64});
  auto* const at = static_cast<char*>(std::aligned_alloc(64, bytes));
  if (!at) throw std::bad_alloc();
  Kept() += bytes;
  return {at, Free{bytes}};
}

// Memory that a thread keeps for the next call: fresh pages would cost as much as a small convolution.
class Scratch {
 public:
  char* Of(size_t bytes) {
    if (!kept_ || bytes > kept_.get_deleter().bytes) {
      kept_.reset();
      kept_ = Allocate(bytes);
    }
    return kept_.get();
  }

 private:
  Block kept_;
};

// Memory that a call borrows for what its threads share. All handlers have the same, since XLA calls them from one of its
// threads after the other, and each thread would soon keep as much as the largest call takes.
class Borrowed {
 public:
  explicit Borrowed(size_t bytes) {
    const std::lock_guard<std::mutex> held(Lock());
    auto found = Unused().lower_bound(bytes);
    if (found != Unused().end()) {
      block_ = Unused().extract(found);
      return;
    }
    if (!Unused().empty()) Unused().erase(std::prev(Unused().end()));  // too small: this one takes its place
    block_ = Unused().extract(Unused().emplace(bytes, Allocate(bytes)));
  }

  ~Borrowed() {
    const std::lock_guard<std::mutex> held(Lock());
    Unused().insert(std::move(block_));
  }

  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;

  char* data() const { return block_.mapped().get(); }

 private:
  using Blocks = std::multimap<size_t, Block>;  // by size

  static std::mutex& Lock() {
    static auto& lock = *new std::mutex;
    return lock;
  }

  static Blocks& Unused() {
    static auto& unused = *new Blocks;
    return unused;
  }

  Blocks::node_type block_;
};
