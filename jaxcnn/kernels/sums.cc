// Batch normalisation's sums over all axes but the last, as XLA FFI handlers. The Python side is sums.py.
//
// Each array is read once. Blocks of rows are summed in float32, and the blocks' sums in float64.

#include "onednn.h"
#include "threads.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "xla/ffi/api/ffi.h"

namespace {

namespace ffi = xla::ffi;
using Floats = ffi::Buffer<ffi::F32>;
using Result = ffi::Result<Floats>;

#pragma GCC diagnostic ignored "-Wpsabi"  // vectors are returned by functions that are inlined always

using Floats4 __attribute__((vector_size(16))) = float;
using Floats8 __attribute__((vector_size(32))) = float;

// The two sums of a channel over some rows.
struct Pair {
  double first = 0, second = 0;
};

// Neighbouring channels that are summed side by side, in registers: kCount times a Value, a float or a vector of them.
template <typename ValueType, int kValues>
struct Run {
  using Value = ValueType;
  static constexpr int kCount = kValues;
  static constexpr int64_t kEach = sizeof(Value) / sizeof(float), kWidth = kCount * kEach;

  static INLINE Value Read(const float* from, int i) {
    Value value;
    std::memcpy(&value, from + i * kEach, sizeof(Value));
    return value;
  }
  // Calls each(i) for the values.
  template <typename Each>
  static INLINE void ForEach(Each each) {
#pragma GCC unroll 4
    for (int i = 0; i < kCount; ++i) each(i);
  }
};

// Calls add(run, at, done) for all channels, in runs that begin at `at` and of which the first `done` have been summed.
template <typename Add>
INLINE void InRuns(int64_t channels, Add add) {
  int64_t at = 0;
  for (; at + 32 <= channels; at += 32) add(Run<Floats8, 4>(), at, 0);
  for (; at + 16 <= channels; at += 16) add(Run<Floats8, 2>(), at, 0);
  for (; at + 8 <= channels; at += 8) add(Run<Floats8, 1>(), at, 0);
  if (at == channels) return;
  if (channels >= 8) return add(Run<Floats8, 1>(), channels - 8, 8 - (channels - at));
  if (channels >= 4) add(Run<Floats4, 1>(), 0, 0), at = 4;
  if (channels - at == 3) add(Run<float, 3>(), at, 0);
  if (channels - at == 2) add(Run<float, 2>(), at, 0);
  if (channels - at == 1) add(Run<float, 1>(), at, 0);
}

// Makes of a mean and a sum of squares about it, of `before` rows, those with `rows` more (Chan, Golub & LeVeque 1983,
// equation 2.1).
INLINE void Join(Pair& sum, double before, const Pair& more, double rows) {
  const double apart = more.first - sum.first, share = rows / (before + rows);
  sum.first += apart * share;
  sum.second += more.second + apart * apart * share * before;
}

// Adds to each channel's mean and sum of squares about it those of `rows` rows, to which `before` others have gone.
//
// The rows' own are those about another value, corrected (Chan, Golub & LeVeque 1983, equation 1.7). What that loses of
// their squares is in proportion to how far off the value is. For the first rows it is their mean, rounded; for others
// the mean of those before, and if that is far from theirs, so are the rows, which then makes the sum as much greater.
FOR_EACH_CPU void AddMoments(const float* x, int64_t rows, int64_t channels, int64_t before, Pair* sums) {
  InRuns(channels, [=](auto run, int64_t at, int64_t done) INLINED {
    using Value = typename decltype(run)::Value;
    constexpr int64_t width = run.kWidth;
    float means[width];
    Value about[run.kCount] = {}, sum[run.kCount] = {}, square[run.kCount] = {};
    if (before) {
      for (int64_t i = 0; i < width; ++i) means[i] = sums[at + i].first;
      run.ForEach([&](int i) INLINED { about[i] = run.Read(means, i); });
    } else {
      for (int64_t row = 0; row < rows; ++row) {
        run.ForEach([&](int i) INLINED { about[i] += run.Read(x + row * channels + at, i); });
      }
      run.ForEach([&](int i) INLINED { about[i] /= float(rows); });
      std::memcpy(means, about, sizeof(means));
    }
    for (int64_t row = 0; row < rows; ++row) {
      run.ForEach([&](int i) INLINED {
        const Value centred = run.Read(x + row * channels + at, i) - about[i];
        sum[i] += centred;
        square[i] += centred * centred;
      });
    }
    float sums_of[width], squares_of[width];
    std::memcpy(sums_of, sum, sizeof(sums_of));
    std::memcpy(squares_of, square, sizeof(squares_of));
    for (int64_t i = done; i < width; ++i) {
      const double more = double(sums_of[i]) / rows;
      Join(sums[at + i], before, {means[i] + more, squares_of[i] - more * sums_of[i]}, rows);
    }
  });
}

// Adds to each channel's Σ dy and Σ dy (x - mean) those of `rows` rows.
FOR_EACH_CPU void AddProducts(const float* dy, const float* x, const float* mean, int64_t rows, int64_t channels,
                              Pair* sums) {
  InRuns(channels, [=](auto run, int64_t at, int64_t done) INLINED {
    using Value = typename decltype(run)::Value;
    Value about[run.kCount], sum[run.kCount] = {}, product[run.kCount] = {};
    run.ForEach([&](int i) INLINED { about[i] = run.Read(mean + at, i); });
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t entry = row * channels + at;
      run.ForEach([&](int i) INLINED {
        const Value given = run.Read(dy + entry, i);
        sum[i] += given;
        product[i] += given * (run.Read(x + entry, i) - about[i]);
      });
    }
    float sums_of[run.kWidth], products_of[run.kWidth];
    std::memcpy(sums_of, sum, sizeof(sums_of));
    std::memcpy(products_of, product, sizeof(products_of));
    for (int64_t i = done; i < run.kWidth; ++i) {
      sums[at + i].first += sums_of[i];
      sums[at + i].second += products_of[i];
    }
  });
}

// Some of the rows, and what they sum to.
struct Part {
  int64_t rows;
  std::vector<Pair> sums;
};

// Each thread goes through its share of the rows, a block at a time: add(first row, rows, rows before, its sums).
template <typename Add>
std::vector<Part> OverRows(const Threads& threads, int64_t rows, int64_t channels, Add add) {
  const int64_t block = std::clamp<int64_t>(16384 / channels, 16, 256);
  const int64_t parts = std::clamp<int64_t>(rows * channels / 16384, 1, threads.count());
  std::vector<Part> found(parts);
  threads.Each(parts, [&](int64_t part) {
    std::vector<Pair> sums(channels);
    const int64_t start = rows * part / parts, stop = rows * (part + 1) / parts;
    for (int64_t row = start; row < stop; row += block) add(row, std::min(block, stop - row), row - start, sums.data());
    found[part] = {stop - start, std::move(sums)};
  });
  return found;
}

ffi::Error Moments(ffi::ThreadPool pool, Floats x, Result mean, Result var) {
  const int64_t channels = mean->element_count(), rows = x.element_count() / channels;
  const auto parts =
      OverRows(Threads(pool), rows, channels, [&](int64_t row, int64_t count, int64_t before, Pair* sums) {
        AddMoments(x.typed_data() + row * channels, count, channels, before, sums);
      });
  for (int64_t channel = 0; channel < channels; ++channel) {
    double before = 0;
    Pair all;
    for (const auto& [count, sums] : parts) {
      Join(all, before, sums[channel], count);
      before += count;
    }
    mean->typed_data()[channel] = static_cast<float>(all.first);
    var->typed_data()[channel] = static_cast<float>(all.second / rows);
  }
  return ffi::Error::Success();
}

ffi::Error Products(ffi::ThreadPool pool, Floats dy, Floats x, Floats mean, Result sum, Result product) {
  const int64_t channels = mean.element_count(), rows = x.element_count() / channels;
  const auto parts = OverRows(Threads(pool), rows, channels, [&](int64_t row, int64_t count, int64_t, Pair* sums) {
    AddProducts(dy.typed_data() + row * channels, x.typed_data() + row * channels, mean.typed_data(), count, channels,
                sums);
  });
  for (int64_t channel = 0; channel < channels; ++channel) {
    Pair all;
    for (const auto& [count, sums] : parts) {
      all.first += sums[channel].first;
      all.second += sums[channel].second;
    }
    sum->typed_data()[channel] = static_cast<float>(all.first);
    product->typed_data()[channel] = static_cast<float>(all.second);
  }
  return ffi::Error::Success();
}

}  // namespace

EXPORT XLA_FFI_Error* jaxcnn_moments(XLA_FFI_CallFrame* frame) {
  static auto* handler =
      ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().Arg<Floats>().Ret<Floats>().Ret<Floats>().To(Moments).release();
  return handler->Call(frame);
}

EXPORT XLA_FFI_Error* jaxcnn_products(XLA_FFI_CallFrame* frame) {
  static auto* handler = ffi::Ffi::Bind()
                             .Ctx<ffi::ThreadPool>()
                             .Arg<Floats>()
                             .Arg<Floats>()
                             .Arg<Floats>()
                             .Ret<Floats>()
                             .Ret<Floats>()
                             .To(Products)
                             .release();
  return handler->Call(frame);
}
