// Convolutions as they are defined, in registers, as an XLA FFI handler. The Python side is direct.py.
//
// In memory a window's row is one run of numbers, its pixels' channels one after the other, and so is a kernel's. So y is a
// product of matrices, (pixels, taps × in) and (taps × in, out), whose first one is never written down: where a pixel's
// window lies is enough. A few pixels times two vectors of outputs are summed at once; dkernel is made by the same loop
// with the pixels as what is summed over, and dx by y's, of dy and the turned kernel.
//
// Arrays are float32. Each number is one sum in one order, wherever it stands: an image has the same bits in any batch.

#include "onednn.h"
#include "threads.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "xla/ffi/api/ffi.h"

namespace {

namespace ffi = xla::ffi;
using Buffer = ffi::Buffer<ffi::F32>;

constexpr int64_t kFew = 400'000;      // products that one thread makes while another would wake up
constexpr int64_t kBytes = 64 << 10;   // of x that a chunk has, to stay in the nearer caches; half for dkernel, beside dy
constexpr int64_t kAhead = 16;         // rows of a kernel that are asked for before they are read
constexpr int64_t kFewestRows = 4;     // of y, so that the rows that its neighbours need as well are few beside them

// Where numbers lie in a chunk: its windows' first ones, or a window's, from its first one on.
struct Places {
  const int32_t* at;
  int64_t count;
};

struct Problem {
  int64_t images, height, width, inputs, out_height, out_width, outputs;  // of y's map: for dx, x is dy
  int64_t rows, columns, down, right, top, left;                          // the window, its strides, and the padding

  int64_t taps() const { return rows * columns * inputs; }
  int64_t products() const { return images * out_height * out_width * outputs * taps(); }
  bool inside() const {  // whether no window reaches over an edge
    return top <= 0 && left <= 0 && (out_height - 1) * down - top + rows <= height &&
           (out_width - 1) * right - left + columns <= width;
  }
};

// Some rows of an image's y, and of the x that they are made of, without edges.
struct Chunk {
  const float* x;
  float* y_end;  // of all that this thread may write
  int64_t outputs, step;  // a pixel's floats in y, and in what a panel has of dy
};

// Some outputs, with those that only fill a vector, and their columns of the second matrix.
struct Panel {
  int64_t first, width;
  const float* data;
};

// A kind of CPU's.
struct Loops {
  using All = void (*)(const Chunk&, const Places& first, const Places& second, const Panel&, float* to, int64_t next);

  int64_t lanes;
  All outputs, gradients;
};

#define LOOPS "direct_loops.h"
#include "each_cpu.h"

Loops Fastest() {
#ifdef AVX512
  if (__builtin_cpu_supports("avx512f")) return avx512::kLoops;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2::kLoops;
#endif
  return sse::kLoops;
}

const Loops loops = Fastest();

// Of two vectors while there are so many outputs left, else of one. The last one begins earlier where it would be too
// long, and computes some outputs again, unless there are none before.
std::vector<Panel> Panels(int64_t outputs) {
  std::vector<Panel> panels;
  for (int64_t at = 0; at < outputs;) {
    const int64_t width = outputs - at > loops.lanes ? 2 * loops.lanes : loops.lanes;
    panels.push_back({std::max(std::min(at, outputs - width), int64_t{0}), width, nullptr});
    at += width;
  }
  return panels;
}

float* Floats(Scratch& kept, int64_t count) { return reinterpret_cast<float*>(kept.Of(sizeof(float) * count)); }

// How x is cut into chunks, and where in one windows and their numbers lie.
struct Cut {
  bool inside;      // whether no window reaches over an edge: then chunks lie in x itself
  int64_t columns, most;  // of x's rows; of y's rows in a chunk
  std::vector<int32_t> pixels, taps;

  Cut(const Problem& p, int64_t chunk)
      : inside(p.inside()), columns(inside ? p.width : (p.out_width - 1) * p.right + p.columns) {
    const int64_t row = columns * p.inputs, bytes = sizeof(float) * row * p.down;
    most = std::min(std::max(chunk / bytes, p.rows > 1 ? kFewestRows : 1), p.out_height);  // of one row none are shared
    pixels.reserve(most * p.out_width);
    for (int64_t i = 0; i < most; ++i) {
      for (int64_t j = 0; j < p.out_width; ++j) pixels.push_back(i * p.down * row + j * p.right * p.inputs);
    }
    taps.reserve(p.taps());
    for (int64_t i = 0; i < p.rows; ++i) {
      for (int64_t j = 0; j < p.columns * p.inputs; ++j) taps.push_back(i * row + j);
    }
  }

  Places Taps() const { return {taps.data(), static_cast<int64_t>(taps.size())}; }
};

// x's rows [top, bottom) with its edges, which are zeros.
void Copy(const Problem& p, const Cut& cut, const float* x, int64_t top, int64_t bottom, float* to) {
  const int64_t left = std::min(std::max(p.left, int64_t{0}), cut.columns);
  const int64_t end = std::max(std::min(cut.columns, p.width + p.left), left);  // where x's own columns end
  for (int64_t i = top; i < bottom; ++i, to += cut.columns * p.inputs) {
    if (i < 0 || i >= p.height) {
      std::memset(to, 0, sizeof(float) * cut.columns * p.inputs);
      continue;
    }
    std::memset(to, 0, sizeof(float) * left * p.inputs);
    std::memcpy(to + left * p.inputs, x + (i * p.width + left - p.left) * p.inputs, sizeof(float) * (end - left) * p.inputs);
    std::memset(to + end * p.inputs, 0, sizeof(float) * (cut.columns - end) * p.inputs);
  }
}

// Calls work(x, first pixel, pixels) for the chunks of y's rows [first, last), of all images'.
template <typename Work>
void EachChunk(const Problem& p, const Cut& cut, const float* x, int64_t first, int64_t last, const Work& work) {
  static thread_local Scratch kept;
  float* const copy = cut.inside ? nullptr : Floats(kept, ((cut.most - 1) * p.down + p.rows) * cut.columns * p.inputs);
  for (int64_t row = first, rows; row < last; row += rows) {
    const int64_t image = row / p.out_height, out = row % p.out_height, top = out * p.down - p.top;
    rows = std::min({cut.most, p.out_height - out, last - row});
    const float* const from = x + image * p.height * p.width * p.inputs;
    if (!cut.inside) Copy(p, cut, from, top, top + (rows - 1) * p.down + p.rows, copy);
    const float* const begin = cut.inside ? from + (top * p.width - p.left) * p.inputs : copy;
    work(begin, row * p.out_width, Places{cut.pixels.data(), rows * p.out_width});
  }
}

// A panel's columns of the kernel; of a turned one, which is (rows, columns, outputs, inputs).
void Pack(const Problem& p, const float* kernel, bool turned, const Panel& panel, float* to) {
  const int64_t window = p.rows * p.columns, real = std::min(panel.width, p.outputs);
  for (int64_t tap = 0; tap < window; ++tap) {
    const float* const from = kernel + (turned ? window - 1 - tap : tap) * p.inputs * p.outputs;
    for (int64_t in = 0; in < p.inputs; ++in, to += panel.width) {
      if (turned) {
        for (int64_t i = 0; i < real; ++i) to[i] = from[(panel.first + i) * p.inputs + in];
      } else {
        const float* const row = from + in * p.outputs + panel.first;
        __builtin_prefetch(row + kAhead * p.outputs);
        std::memcpy(to, row, sizeof(float) * real);
      }
      std::fill(to + real, to + panel.width, 0.f);
    }
  }
}

int64_t Width(const std::vector<Panel>& panels) {
  int64_t width = 0;
  for (const Panel& panel : panels) width += panel.width;
  return width;
}

// Calls work(part, first, last) for shares of y's rows, by as many threads as are worth it.
template <typename Work>
void Share(const Problem& p, const Threads& threads, int64_t parts, const Work& work) {
  const int64_t rows = p.images * p.out_height;
  threads.Each(parts, [&](int64_t part) { work(part, rows * part / parts, rows * (part + 1) / parts); });
}

int64_t Parts(const Problem& p, const Threads& threads) {
  return std::max(std::min({threads.count(), p.images * p.out_height, p.products() * 2 / kFew}), int64_t{1});
}

// The threads share y's rows, or its outputs where the kernel is larger than the images. Where the last panel overlaps the
// one before, both write the same numbers.
void Forward(const Problem& p, const Threads& threads, const float* x, const float* kernel, bool turned, float* y) {
  auto panels = Panels(p.outputs);
  const Borrowed packed(sizeof(float) * Width(panels) * p.taps());
  auto* to = reinterpret_cast<float*>(packed.data());
  for (Panel& panel : panels) panel.data = to, to += panel.width * p.taps();
  const auto pack = [&](const Panel& panel) { Pack(p, kernel, turned, panel, const_cast<float*>(panel.data)); };
  const Cut cut(p, kBytes);
  const int64_t rows = p.images * p.out_height, count = panels.size(), parts = Parts(p, threads);
  const auto compute = [&](int64_t first, int64_t last, int64_t first_panel, int64_t last_panel) {
    EachChunk(p, cut, x, first, last, [&](const float* from, int64_t pixel, const Places& pixels) {
      const Chunk chunk{from, y + last * p.out_width * p.outputs, p.outputs, 0};
      for (int64_t i = first_panel; i < last_panel; ++i) {
        loops.outputs(chunk, pixels, cut.Taps(), panels[i], y + pixel * p.outputs + panels[i].first, p.outputs);
      }
    });
  };
  if (count >= parts && p.taps() * p.outputs > p.images * p.height * p.width * p.inputs + rows * p.out_width * p.outputs) {
    threads.Each(parts, [&](int64_t part) {
      const int64_t first = count * part / parts, last = count * (part + 1) / parts;
      for (int64_t i = first; i < last; ++i) pack(panels[i]);
      compute(0, rows, first, last);
    });
  } else {
    for (const Panel& panel : panels) pack(panel);
    Share(p, threads, parts, [&](int64_t, int64_t first, int64_t last) { compute(first, last, 0, count); });
  }
}

// Each thread's sums, and the sums of these.
void KernelGradient(const Problem& p, const Threads& threads, const float* x, const float* dy, float* dkernel) {
  const auto panels = Panels(p.outputs);
  const int64_t parts = Parts(p, threads), size = Width(panels) * p.taps();
  const Borrowed borrowed(sizeof(float) * parts * size);
  auto* const sums = reinterpret_cast<float*>(borrowed.data());
  const Cut cut(p, kBytes / 2);
  const int64_t step = std::max(p.outputs, panels[0].width);  // so that a vector can be loaded of each pixel's
  Share(p, threads, parts, [&](int64_t part, int64_t first, int64_t last) {
    static thread_local Scratch kept_lines;
    float* const own = sums + part * size;
    std::fill(own, own + size, 0.f);
    EachChunk(p, cut, x, first, last, [&](const float* from, int64_t pixel, const Places& pixels) {
      const float* cotangents = dy + pixel * p.outputs;
      if (step > p.outputs) {
        float* const lines = Floats(kept_lines, pixels.count * step);
        for (int64_t i = 0; i < pixels.count; ++i) {
          for (int64_t j = 0; j < step; ++j) lines[i * step + j] = j < p.outputs ? cotangents[i * p.outputs + j] : 0;
        }
        cotangents = lines;
      }
      float* to = own;
      for (const Panel& panel : panels) {
        const Panel columns{panel.first, panel.width, cotangents + panel.first};
        loops.gradients({from, nullptr, p.outputs, step}, cut.Taps(), pixels, columns, to, panel.width);
        to += p.taps() * panel.width;
      }
    });
  });
  for (int64_t part = 1; part < parts; ++part) {
    for (int64_t i = 0; i < size; ++i) sums[i] += sums[part * size + i];
  }
  const float* from = sums;
  for (const Panel& panel : panels) {
    for (int64_t tap = 0; tap < p.taps(); ++tap, from += panel.width) {
      std::memcpy(dkernel + tap * p.outputs + panel.first, from, sizeof(float) * std::min(panel.width, p.outputs));
    }
  }
}

using Ints = ffi::Span<const int64_t>;

// The maps, numbered as in onednn.cc. dx is there for stride 1 alone.
ffi::Error Convolve(ffi::ThreadPool pool, Buffer first, Buffer second, ffi::Result<Buffer> result, int64_t map, Ints low,
                    Ints stride) {
  const bool turned = map == 1, gradient = map == 2;
  const Ints x = first.dimensions(), y = (gradient ? second : *result).dimensions();
  const Ints kernel = (gradient ? *result : second).dimensions();
  Problem p{x[0], x[1], x[2], x[3], y[1], y[2], y[3], kernel[0], kernel[1], stride[0], stride[1], low[0], low[1]};
  if (turned) p.top = p.rows - 1 - p.top, p.left = p.columns - 1 - p.left;
  const Threads threads(pool);
  try {
    if (result->element_count() == 0 || first.element_count() == 0 || second.element_count() == 0) {
      std::memset(result->typed_data(), 0, result->size_bytes());
    } else if (gradient) {
      KernelGradient(p, threads, first.typed_data(), second.typed_data(), result->typed_data());
    } else {
      Forward(p, threads, first.typed_data(), second.typed_data(), turned, result->typed_data());
    }
  } catch (const std::exception& error) {
    return ffi::Error::Internal(std::string("jaxcnn's direct convolution: ") + error.what());
  }
  return ffi::Error::Success();
}

}  // namespace

EXPORT XLA_FFI_Error* jaxcnn_direct(XLA_FFI_CallFrame* frame) {
  static auto* handler = ffi::Ffi::Bind()
                             .Ctx<ffi::ThreadPool>()
                             .Arg<Buffer>()
                             .Arg<Buffer>()
                             .Ret<Buffer>()
                             .Attr<int64_t>("map")
                             .Attr<Ints>("low")
                             .Attr<Ints>("stride")
                             .To(Convolve)
                             .release();
  return handler->Call(frame);
}
