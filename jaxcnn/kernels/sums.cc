// Batch normalisation's sums over all axes but the last, as XLA FFI handlers. The Python side is sums.py.
//
// Each array is read once. A block of rows that fits into the first cache is summed in float32, the blocks in float64.

#include "onednn.h"
#include "threads.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "xla/ffi/api/ffi.h"

namespace {

namespace ffi = xla::ffi;
using Floats = ffi::Buffer<ffi::F32>;
using Result = ffi::Result<Floats>;

constexpr int64_t kLanes = 16;  // channels that are summed side by side, in registers

// The two sums of a channel over some rows.
struct Pair {
  double first = 0, second = 0;
};

// Calls add(channel, width) for all channels, in runs of kLanes and a shorter last one.
template <typename Add>
INLINE void InLanes(int64_t channels, Add add) {
  int64_t at = 0;
  for (; at + kLanes <= channels; at += kLanes) add(at, kLanes);
  if (at < channels) add(at, channels - at);
}

// Makes of a mean and a sum of squares about it, of `before` rows, those with `rows` more (Chan, Golub & LeVeque 1983,
// equation 2.1).
INLINE void Join(Pair& sum, double before, const Pair& more, double rows) {
  const double apart = more.first - sum.first, share = rows / (before + rows);
  sum.first += apart * share;
  sum.second += more.second + apart * apart * share * before;
}

// Adds to each channel's mean and sum of squares about it those of `rows` rows, to which `before` others have gone.
FOR_EACH_CPU void AddMoments(const float* x, int64_t rows, int64_t channels, int64_t before, Pair* sums) {
  InLanes(channels, [=](int64_t at, int64_t width) __attribute__((always_inline)) {
    float mean[kLanes] = {}, square[kLanes] = {}, rest[kLanes] = {};
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t i = 0; i < width; ++i) mean[i] += x[row * channels + at + i];
    }
    for (int64_t i = 0; i < width; ++i) mean[i] /= rows;
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t i = 0; i < width; ++i) {
        const float centred = x[row * channels + at + i] - mean[i];
        square[i] += centred * centred;
        rest[i] += centred;  // what rounding the mean has left
      }
    }
    for (int64_t i = 0; i < width; ++i) {
      const double more = double(rest[i]) / rows;
      Join(sums[at + i], before, {mean[i] + more, square[i] - more * rest[i]}, rows);
    }
  });
}

// Adds to each channel's Σ dy and Σ dy (x - mean) those of `rows` rows.
FOR_EACH_CPU void AddProducts(const float* dy, const float* x, const float* mean, int64_t rows, int64_t channels,
                              Pair* sums) {
  InLanes(channels, [=](int64_t at, int64_t width) __attribute__((always_inline)) {
    float sum[kLanes] = {}, product[kLanes] = {};
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t i = 0; i < width; ++i) {
        const int64_t entry = row * channels + at + i;
        sum[i] += dy[entry];
        product[i] += dy[entry] * (x[entry] - mean[at + i]);
      }
    }
    for (int64_t i = 0; i < width; ++i) {
      sums[at + i].first += sum[i];
      sums[at + i].second += product[i];
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
  const int64_t block = std::clamp<int64_t>(4096 / channels, 16, 256);
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
