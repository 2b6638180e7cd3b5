// Max pooling along one axis or along two neighbours, as XLA FFI handlers. The Python side is pool.py.
//
// A window's maximum is the maximum of its rows' maxima: K × K taps cost K + K. The rows' maxima lie in the cache until
// the windows over them are taken, so each array is read and written once. Which tap won along an axis is a byte; the
// backward gives a cotangent to the row that won, and there to the column.

#include "onednn.h"
#include "threads.h"

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "xla/ffi/api/ffi.h"

namespace {

namespace ffi = xla::ffi;
using Floats = ffi::Buffer<ffi::F32>;
using Bytes = ffi::Buffer<ffi::U8>;
using Numbers = ffi::Span<const int64_t>;

constexpr int64_t kFewest = 16384;  // entries that are worth a thread

#pragma GCC diagnostic ignored "-Wpsabi"                // vectors are returned by functions that are inlined always
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC's own headers (its bug 105593)

using Floats4 __attribute__((vector_size(16))) = float;
using Floats8 __attribute__((vector_size(32))) = float;
using Floats16 __attribute__((vector_size(64))) = float;
using Ints4 __attribute__((vector_size(16))) = int32_t;
using Ints8 __attribute__((vector_size(32))) = int32_t;
using Ints16 __attribute__((vector_size(64))) = int32_t;

// Some taps: which, and the positions where they lie.
struct Taps {
  int64_t count, tap, tap_step, position, position_step;
};

// Windows along an axis: window o has tap t at o stride - low + t dilation.
struct Axis {
  int64_t length, places, size, stride, low, dilation;

  int64_t Start(int64_t o) const { return o * stride - low; }
  int64_t Extent() const { return (size - 1) * dilation + 1; }

  // The taps of window o that lie inside, as positions of the axis.
  INLINE Taps Of(int64_t o) const {
    const int64_t start = Start(o), first = start < 0 ? (-start + dilation - 1) / dilation : 0;
    const int64_t last = start < length ? std::min(size, (length - 1 - start) / dilation + 1) : 0;
    return {last - first, first, 1, start + first * dilation, dilation};
  }

  // The taps that lie at position q, as windows: o stride = q + low - t dilation.
  INLINE Taps At(int64_t q) const {
    const int64_t from = q + low;
    int64_t first = std::max<int64_t>(0, (from - (places - 1) * stride + dilation - 1) / dilation);
    while (first < size && first * dilation <= from && (from - first * dilation) % stride) ++first;
    if (first >= size || first * dilation > from) return {};
    int64_t step = 1;
    while (step * dilation % stride) ++step;
    const int64_t last = std::min(size - 1, from / dilation);
    return {(last - first) / step + 1, first, step, (from - first * dilation) / stride, -(step * dilation / stride)};
  }
};

#define LANES 4
namespace sse {
#include "pool_loops.h"
}
#undef LANES

#ifdef AVX512
#define LANES 8
#pragma GCC push_options
#pragma GCC target("avx2")
namespace avx2 {
#include "pool_loops.h"
}
#pragma GCC pop_options
#undef LANES

#define LANES 16
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl")
namespace avx512 {
#include "pool_loops.h"
}
#pragma GCC pop_options
#undef LANES
#endif

// The loops for the machine's CPU.
struct Loops {
  decltype(&sse::Maxima) maxima = sse::Maxima;
  decltype(&sse::Spread) spread = sse::Spread;

  Loops() {
#ifdef AVX512
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
      maxima = avx512::Maxima, spread = avx512::Spread;
    } else if (__builtin_cpu_supports("avx2")) {
      maxima = avx2::Maxima, spread = avx2::Spread;
    }
#endif
  }
};
const Loops loops;

// Images (rows, columns, channels), pooled along rows and columns; or only along rows, of which each has one column.
struct Problem {
  Axis rows, columns;
  int64_t images, channels;
  bool both;

  int64_t in() const { return columns.length * channels; }     // entries in a row of x
  int64_t out() const { return columns.places * channels; }    // and of y

  static Problem Of(ffi::AnyBuffer::Dimensions x, ffi::AnyBuffer::Dimensions y, Numbers size, Numbers stride,
                    Numbers low, Numbers dilation) {
    const bool both = size.size() == 2;
    const auto axis = [&](int i) {
      return Axis{x[i + 1], y[i + 1], size[i], stride[i], low[i], dilation[i]};
    };
    return {axis(0), both ? axis(1) : Axis{1, 1, 1, 1, 0, 1}, x[0], x.back(), both};
  }
};

// Calls work(image, first, last) for runs of the `rows` of each image, which the threads share.
template <typename Work>
void OverRows(const Threads& threads, int64_t images, int64_t rows, int64_t entries, const Work& work) {
  const int64_t all = images * rows;
  const int64_t parts = std::min(all, std::clamp<int64_t>(entries / kFewest, 1, threads.count()));
  threads.Each(parts, [&](int64_t part) {
    const int64_t stop = all * (part + 1) / parts;
    for (int64_t row = all * part / parts; row < stop;) {
      const int64_t image = row / rows, first = row % rows, last = std::min(rows, first + stop - row);
      work(image, first, last);
      row += last - first;
    }
  });
}

thread_local Scratch scratch;

// The windows over rows [first, last) of an image. `columns` takes the rows' winners, each of whom one call writes.
void PoolRows(const Problem& p, int64_t first, int64_t last, const float* x, float* y, uint8_t* rows, uint8_t* columns) {
  const int64_t in = p.in(), out = p.out(), extent = p.rows.Extent();
  y += first * out;
  if (rows) rows += first * out;
  if (!p.both) return loops.maxima(p.rows, first, last, x, in, y, rows);

  const auto bound = [&](int64_t row) { return std::clamp<int64_t>(row, 0, p.rows.length); };
  const int64_t mine = first ? bound(p.rows.Start(first)) : 0;
  const int64_t others = last < p.rows.places ? bound(p.rows.Start(last)) : p.rows.length;
  const int64_t kept = extent + std::max<int64_t>(extent, 8);  // rows
  auto* maxima = reinterpret_cast<float*>(scratch.Of(kept * out * sizeof(float)));
  int64_t base = mine, done = mine;  // maxima holds the rows from base to done
  const auto until = [&](int64_t stop) {
    for (; done < stop; ++done) {
      uint8_t* const which = columns && done < others ? columns + done * out : nullptr;
      loops.maxima(p.columns, 0, p.columns.places, x + done * in, p.channels, maxima + std::max<int64_t>(done - base, 0) * out,
             which);
    }
  };
  for (int64_t o = first; o < last; ++o, y += out) {
    const int64_t start = bound(p.rows.Start(o)), stop = bound(p.rows.Start(o) + extent);
    if (stop - base > kept) {
      if (done > start) std::memmove(maxima, maxima + (start - base) * out, (done - start) * out * sizeof(float));
      base = start;
    }
    until(stop);
    loops.maxima(p.rows, o, o + 1, maxima - base * out, out, y, rows);
    if (rows) rows += out;
  }
  if (columns) {
    base = done;
    until(others);
  }
}

// The rows [first, last) of an image's dx.
void SpreadRows(const Problem& p, int64_t first, int64_t last, const float* dy, const uint8_t* rows,
                const uint8_t* columns, float* dx) {
  const int64_t in = p.in(), out = p.out();
  if (!p.both) return loops.spread(p.rows, first, last, dy, rows, in, dx + first * in);
  auto* given = reinterpret_cast<float*>(scratch.Of(out * sizeof(float)));
  for (int64_t row = first; row < last; ++row) {
    loops.spread(p.rows, row, row + 1, dy, rows, out, given);
    loops.spread(p.columns, 0, p.columns.length, given, columns + row * out, p.channels, dx + row * in);
  }
}

// y; and where they are asked for the winners along each axis.
ffi::Error Pool(ffi::ThreadPool pool, Floats x, ffi::Result<Floats> y, ffi::RemainingRets winners, Numbers size,
                Numbers stride, Numbers low, Numbers dilation) {
  if (!y->element_count()) return ffi::Error::Success();
  const Problem p = Problem::Of(x.dimensions(), y->dimensions(), size, stride, low, dilation);
  const auto taken = [&](size_t i) { return winners.size() > i ? winners.get<Bytes>(i).value()->typed_data() : nullptr; };
  uint8_t* const rows = taken(0);
  uint8_t* const columns = taken(1);
  const int64_t in = p.rows.length * p.in(), out = p.rows.places * p.out(), half = p.rows.length * p.out();
  OverRows(Threads(pool), p.images, p.rows.places, x.element_count(), [&](int64_t image, int64_t first, int64_t last) {
    PoolRows(p, first, last, x.typed_data() + image * in, y->typed_data() + image * out,
             rows ? rows + image * out : nullptr, columns ? columns + image * half : nullptr);
  });
  return ffi::Error::Success();
}

// dx from dy and the winners along each axis.
ffi::Error Unpool(ffi::ThreadPool pool, Floats dy, ffi::RemainingArgs winners, ffi::Result<Floats> dx, Numbers size,
                  Numbers stride, Numbers low, Numbers dilation) {
  if (!dx->element_count()) return ffi::Error::Success();
  const Problem p = Problem::Of(dx->dimensions(), dy.dimensions(), size, stride, low, dilation);
  const uint8_t* const rows = winners.get<Bytes>(0).value().typed_data();
  const uint8_t* const columns = p.both ? winners.get<Bytes>(1).value().typed_data() : nullptr;
  const int64_t in = p.rows.length * p.in(), out = p.rows.places * p.out(), half = p.rows.length * p.out();
  OverRows(Threads(pool), p.images, p.rows.length, dx->element_count(), [&](int64_t image, int64_t first, int64_t last) {
    SpreadRows(p, first, last, dy.typed_data() + image * out, rows + image * out,
               p.both ? columns + image * half : nullptr, dx->typed_data() + image * in);
  });
  return ffi::Error::Success();
}

}  // namespace

EXPORT XLA_FFI_Error* jaxcnn_max_pool(XLA_FFI_CallFrame* frame) {
  static auto* handler = ffi::Ffi::Bind()
                             .Ctx<ffi::ThreadPool>()
                             .Arg<Floats>()
                             .Ret<Floats>()
                             .RemainingRets()
                             .Attr<Numbers>("size")
                             .Attr<Numbers>("stride")
                             .Attr<Numbers>("low")
                             .Attr<Numbers>("dilation")
                             .To(Pool)
                             .release();
  return handler->Call(frame);
}

EXPORT XLA_FFI_Error* jaxcnn_max_pool_backward(XLA_FFI_CallFrame* frame) {
  static auto* handler = ffi::Ffi::Bind()
                             .Ctx<ffi::ThreadPool>()
                             .Arg<Floats>()
                             .RemainingArgs()
                             .Ret<Floats>()
                             .Attr<Numbers>("size")
                             .Attr<Numbers>("stride")
                             .Attr<Numbers>("low")
                             .Attr<Numbers>("dilation")
                             .To(Unpool)
                             .release();
  return handler->Call(frame);
}
