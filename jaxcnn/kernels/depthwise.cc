// Depthwise convolution's three linear maps, as an XLA FFI handler. The Python side is depthwise.py.
//
// A channel has a kernel of its own and meets no other, so that vectors run along the channels, which lie side by side:
//
//     y[o] = Σ_k x[o s + k d - low] kernel[k],          dx[q] = Σ_k dy[(q + low - k d) / s] kernel[k],
//     dkernel[k] = Σ_o x[o s + k d - low] dy[o],        s the stride, d the dilation,
//
// over the taps that lie inside and divide. All go one way: along an axis the results that meet the same taps, every s-th
// of dx and all of y, read places in equal steps. Some neighbours, and some taps, are taken together: what is read is read
// once for all of them, into registers, where also their sums are (of y and dx) or what multiplies them (dy, of dkernel).

#include "onednn.h"
#include "threads.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <numeric>
#include <utility>
#include <vector>

#include "xla/ffi/api/ffi.h"

namespace {

namespace ffi = xla::ffi;
using Floats = ffi::Buffer<ffi::F32>;
using Numbers = ffi::Span<const int64_t>;

enum Map : int64_t { kFprop, kDgrad, kWgrad };

constexpr int kPlaces = 8;            // neighbours that are computed side by side
constexpr int64_t kFewest = 200'000;  // products that are worth a thread

#pragma GCC diagnostic ignored "-Wpsabi"  // vectors are returned by functions that are inlined always

using Floats4 __attribute__((vector_size(16))) = float;
using Floats8 __attribute__((vector_size(32))) = float;
using Floats16 __attribute__((vector_size(64))) = float;

// Results along an axis that meet the same taps: `first`, first + step, ... Each next one reads `advance` further. Its taps
// are `tap`, tap + tap_step, ..., for which the first result reads `place`, place + place_step, ...: those in [0, length)
// are there.
struct Run {
  int64_t first, step, count, advance, length;
  int64_t taps, tap, tap_step, place, place_step;

  bool Inside(int64_t at) const { return at >= 0 && at < length; }
};

// One axis of a convolution: x's length, y's, and the window.
struct Axis {
  int64_t x = 1, y = 1, window = 1, stride = 1, low = 0, dilation = 1;

  // Of y, which reads x; or of dx, which reads dy: one for each remainder that the stride leaves.
  std::vector<Run> Runs(bool backward) const {
    if (!backward) return {{0, 1, y, stride, x, window, 0, 1, -low, dilation}};
    std::vector<Run> runs;
    const int64_t apart = stride / std::gcd(stride, dilation);  // the taps that meet a remainder
    for (int64_t first = 0; first < std::min(stride, x); ++first) {
      int64_t tap = window - 1;  // places go up where taps go down
      while (tap >= 0 && (first + low - tap * dilation) % stride) --tap;
      runs.push_back({first, stride, (x - first + stride - 1) / stride, 1, y, tap < 0 ? 0 : tap / apart + 1, tap, -apart,
                      (first + low - tap * dilation) / stride, apart * dilation / stride});
    }
    return runs;
  }
};

// Neighbouring taps of a row of the kernel, and where the first of what they read lies, in entries. A bit of `inside` is set
// for each place that they read and that is there.
struct Strip {
  int64_t kernel, read;
  uint32_t inside;
};

// How many neighbours are computed together, and how far apart they, what they read and the taps of a strip are.
struct Steps {
  int64_t places, taken, read, kernel;
};

// Loops that take so many neighbouring taps together, where results read `stride` places further than those before them:
// of y and dx, and of dkernel; for places that are not whole, and for those that are.
struct Way {
  using Loop = void (*)(const Strip* strips, int64_t count, Steps, int64_t channels, const float* read,
                        const float* other, float* made);
  int64_t width, stride;
  Loop gather[2], correlate[2];
};

// Neighbours of a row that are computed together, from an entry on.
struct Places {
  Steps steps;
  int64_t first;
  const Way* way;
  std::vector<Strip> strips = {};  // for each line that they meet
  bool whole = true;               // whether they are kPlaces, and all that they read is there
};

#define LOOPS "depthwise_loops.h"
#include "each_cpu.h"

// The machine's loops for taps of a run. Those for one tap take any.
const Way* WayOf(const Run& run) {
  const auto first = [&](const auto& ways) {
    return std::find_if(std::begin(ways), std::end(ways) - 1, [&](const Way& way) {
      return run.taps % way.width == 0 && run.advance == way.stride * run.place_step;
    });
  };
#ifdef AVX512
  if (__builtin_cpu_supports("avx512f")) return first(avx512::kWays);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return first(avx2::kWays);
#endif
  return first(sse::kWays);
}

// The places of a run of columns: about as many in each, and kPlaces at most.
void AddPlaces(const Run& run, int64_t channels, std::vector<Places>& all) {
  const Way* const way = WayOf(run);
  const int64_t step = way->width == 1 ? run.advance : run.place_step, parts = (run.count + kPlaces - 1) / kPlaces;
  for (int64_t part = 0; part < parts; ++part) {
    const int64_t first = run.count * part / parts, count = run.count * (part + 1) / parts - first;
    const Steps steps{count, run.step * channels, step * channels, run.tap_step * channels};
    Places places{steps, (run.first + first * run.step) * channels, way};
    const int64_t reads = way->stride * (count - 1) + way->width;
    places.whole = count == kPlaces;
    for (int64_t tap = 0; tap < run.taps; tap += way->width) {
      const int64_t from = run.place + tap * run.place_step + first * run.advance;
      Strip strip{(run.tap + tap * run.tap_step) * channels, from * channels, 0};
      for (int64_t i = 0; i < reads; ++i) strip.inside |= uint32_t{run.Inside(from + i * step)} << i;
      places.whole = places.whole && strip.inside == (uint32_t{1} << reads) - 1;
      if (strip.inside) places.strips.push_back(strip);
    }
    all.push_back(std::move(places));
  }
}

// A convolution: images (rows, columns, channels), of 1 row where they have one axis.
struct Problem {
  Map map;
  Axis rows, columns;
  int64_t images, channels;
  std::vector<Run> row_runs = rows.Runs(map == kDgrad);
  std::vector<Places> places = {};  // of a row: the same in all rows

  Problem(Map map, const Axis& rows, const Axis& columns, int64_t images, int64_t channels)
      : map(map), rows(rows), columns(columns), images(images), channels(channels) {
    for (const Run& run : columns.Runs(map == kDgrad)) AddPlaces(run, channels, places);
  }

  int64_t x() const { return rows.x * columns.x * channels; }  // entries of an image
  int64_t y() const { return rows.y * columns.y * channels; }
  int64_t kernel() const { return rows.window * columns.window * channels; }
  int64_t taken_rows() const { return map == kDgrad ? rows.x : rows.y; }  // of the result, or of dy for dkernel

  // Computes rows [first, last) of an image, or adds what they give to dkernel.
  void Rows(int64_t first, int64_t last, const float* read, const float* other, float* made) const {
    std::vector<Strip> strips;
    const int64_t read_row = (map == kDgrad ? columns.y : columns.x) * channels;
    const int64_t taken_row = (map == kDgrad ? columns.x : columns.y) * channels;
    for (int64_t row = first; row < last; ++row) {
      const Run& run = row_runs[row % row_runs.size()];
      const int64_t start = run.place + row / static_cast<int64_t>(row_runs.size()) * run.advance;
      for (const Places& some : places) {
        strips.clear();
        for (int64_t tap = 0; tap < run.taps; ++tap) {
          const int64_t line = start + tap * run.place_step;
          if (!run.Inside(line)) continue;
          const int64_t of_kernel = (run.tap + tap * run.tap_step) * columns.window * channels;
          for (const Strip& strip : some.strips) {
            strips.push_back({of_kernel + strip.kernel, line * read_row + strip.read, strip.inside});
          }
        }
        const int64_t at = row * taken_row + some.first;
        if (map == kWgrad) {
          some.way->correlate[some.whole](strips.data(), strips.size(), some.steps, channels, read, other + at, made);
        } else {
          some.way->gather[some.whole](strips.data(), strips.size(), some.steps, channels, read, other, made + at);
        }
      }
    }
  }
};

// Calls work(part, image, first, last) for runs of the rows of each image, of which threads take `parts`.
template <typename Work>
void OverImages(const Threads& threads, int64_t parts, const Problem& p, const Work& work) {
  const int64_t rows = p.taken_rows(), all = p.images * rows;
  threads.Each(parts, [&](int64_t part) {
    const int64_t stop = all * (part + 1) / parts;
    for (int64_t row = all * part / parts; row < stop;) {
      const int64_t image = row / rows, first = row % rows, last = std::min(rows, first + stop - row);
      work(part, image, first, last);
      row += last - first;
    }
  });
}

int64_t Parts(const Threads& threads, const Problem& p) {
  const int64_t products = p.images * p.y() * p.rows.window * p.columns.window;
  return std::min(p.images * p.taken_rows(), std::clamp<int64_t>(products / kFewest, 1, threads.count()));
}

// y of x, or dx of dy.
void Gather(const Threads& threads, const Problem& p, const float* read, const float* kernel, float* made) {
  const auto [from, to] = p.map == kDgrad ? std::pair(p.y(), p.x()) : std::pair(p.x(), p.y());
  OverImages(threads, Parts(threads, p), p, [&, from = from, to = to](int64_t, int64_t image, int64_t first, int64_t last) {
    p.Rows(first, last, read + image * from, kernel, made + image * to);
  });
}

// dkernel of x and dy: what an image gives is summed by itself and added to its part's, and the parts are summed in order.
void Correlate(const Threads& threads, const Problem& p, const float* x, const float* dy, float* dkernel) {
  const int64_t parts = Parts(threads, p), size = p.kernel();
  const Borrowed borrowed(parts * size * sizeof(float));
  auto* const totals = reinterpret_cast<float*>(borrowed.data());
  const auto add = [size](const float* one, float* total) {
    for (int64_t i = 0; i < size; ++i) total[i] += one[i];
  };
  std::memset(totals, 0, parts * size * sizeof(float));
  OverImages(threads, parts, p, [&](int64_t part, int64_t image, int64_t first, int64_t last) {
    static thread_local Scratch mine;
    auto* const sums = reinterpret_cast<float*>(mine.Of(size * sizeof(float)));
    std::memset(sums, 0, size * sizeof(float));
    p.Rows(first, last, x + image * p.x(), dy + image * p.y(), sums);
    add(sums, totals + part * size);
  });
  std::memcpy(dkernel, totals, size * sizeof(float));
  for (int64_t part = 1; part < parts; ++part) add(totals + part * size, dkernel);
}

ffi::Error Depthwise(ffi::ThreadPool pool, Floats first, Floats second, ffi::Result<Floats> result, int64_t map,
                     Numbers stride, Numbers low, Numbers dilation) {
  if (!first.element_count() || !second.element_count()) {  // vmap over no examples, say
    std::memset(result->untyped_data(), 0, result->size_bytes());
    return ffi::Error::Success();
  }
  const Floats* const arrays[] = {&first, &second, &*result};
  const size_t axes = stride.size();
  ffi::Span<const int64_t> shapes[3];  // without a leading axis, along which there are many convolutions
  int64_t steps[3], count = 1;
  for (int i = 0; i < 3; ++i) {
    const auto dims = arrays[i]->dimensions();
    const bool leads = dims.size() > axes + 2;
    shapes[i] = {dims.begin() + leads, dims.size() - leads};
    steps[i] = leads ? arrays[i]->element_count() / dims[0] : 0;
    if (leads) count = dims[0];
  }
  const auto& x = shapes[map == kDgrad ? 2 : 0];
  const auto& kernel = shapes[map == kWgrad ? 2 : 1];
  const auto& y = shapes[map == kFprop ? 2 : map == kDgrad ? 0 : 1];
  const auto axis = [&](size_t i) { return Axis{x[i + 1], y[i + 1], kernel[i], stride[i], low[i], dilation[i]}; };
  const Problem p{static_cast<Map>(map), axes == 2 ? axis(0) : Axis(), axis(axes - 1), x[0], x.back()};
  const Threads threads(pool);
  for (int64_t i = 0; i < count; ++i) {
    const float* const a = first.typed_data() + i * steps[0];
    const float* const b = second.typed_data() + i * steps[1];
    float* const made = result->typed_data() + i * steps[2];
    if (map == kWgrad) {
      Correlate(threads, p, a, b, made);
    } else {
      Gather(threads, p, a, b, made);
    }
  }
  return ffi::Error::Success();
}

}  // namespace

EXPORT XLA_FFI_Error* jaxcnn_depthwise(XLA_FFI_CallFrame* frame) {
  static auto* handler = ffi::Ffi::Bind()
                             .Ctx<ffi::ThreadPool>()
                             .Arg<Floats>()
                             .Arg<Floats>()
                             .Ret<Floats>()
                             .Attr<int64_t>("map")
                             .Attr<Numbers>("stride")
                             .Attr<Numbers>("low")
                             .Attr<Numbers>("dilation")
                             .To(Depthwise)
                             .release();
  return handler->Call(frame);
}
