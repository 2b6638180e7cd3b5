// 3×3 convolutions of stride 1 with a quarter of the multiplications, as XLA FFI handlers. The Python side is winograd.py.
//
// Winograd's algorithm F(4×4, 3×3) (Lavin & Gray 2015, arXiv:1509.09308): a tile of 4×4 outputs, d the 6×6 inputs that
// reach it and g a kernel,
//
//     y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A,
//
// 36 products for each pair of channels and not 144. Summed over the input's channels they are 36 products of matrices
// (tiles, in) and (in, out), which oneDNN multiplies. dx is y of dy with the kernel turned by 180° and its channels
// exchanged. dkernel is this map's transpose, g seen as its input:
//
//     dg = Gᵀ [Σ (Bᵀ d B) ⊙ (A dy Aᵀ)] G,     over all tiles.
//
// Along an axis, A and G evaluate a polynomial, whose coefficients are the entries, at six points, and Bᵀ undoes that.
// The points are 0, ±2/3, ±3/2 and infinity: with Lavin & Gray's 0, ±1, ±2 and infinity rounding errors are twice as
// large. (How points matter: Barabasz et al. 2020, arXiv:1803.10986.)
//
// Arrays are float32. Two handlers multiply in float32, another in bfloat16: Bᵀ d B, G g Gᵀ and A dy Aᵀ are rounded to
// it, and their products summed in float32. The last one and one of the others also let tiles reach over the edge into
// the next image, where that takes fewer of them; an image's result then depends on the next one's by how it is rounded.

#include "onednn.h"
#include "threads.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <string>
#include <tuple>

#include <unistd.h>

#include "xla/ffi/api/ffi.h"

namespace {

namespace ffi = xla::ffi;
using Buffer = ffi::Buffer<ffi::F32>;
using dnnl::memory;
using Dims = memory::dims;

constexpr int64_t kOut = 4, kWindow = 3, kIn = 6, kPoints = kIn * kIn;
constexpr int64_t kLanes = 16;   // channels that the longest vectors hold
constexpr int64_t kFewest = 64;  // tiles, below which the products of their matrices would be slow

// Bytes of one of the CPU's caches, or what is usual where the system doesn't say.
int64_t CacheSize(int level, int64_t usual) {
#ifdef _SC_LEVEL3_CACHE_SIZE
  const long size = sysconf(level == 2 ? _SC_LEVEL2_CACHE_SIZE : _SC_LEVEL3_CACHE_SIZE);
  if (size > 0) return size;
#endif
  return usual;
}

bool HasAVX512() {
#ifdef AVX512
  return __builtin_cpu_supports("avx512f");
#else
  return false;
#endif
}

const int64_t kCache = CacheSize(2, 1 << 20);  // bytes that a thread's tiles may fill: its own cache
// Bytes that the caches are likely to have lost before they are read. Of a server's last one others have the rest.
const int64_t kAllCaches = std::min<int64_t>(CacheSize(3, 32 << 20), 32 << 20);

#pragma GCC diagnostic ignored "-Wpsabi"  // vectors are returned by functions that are inlined always

// The upper half of a float's bits.
struct BFloat16 {
  uint16_t bits;
};

template <typename Number>
constexpr memory::data_type kType = memory::data_type::f32;
template <>
constexpr memory::data_type kType<BFloat16> = memory::data_type::bf16;

// The points, their squares, the squares' sum (their product is 1), and what G divides by: Π (point - other point).
constexpr float a = 2.f / 3, b = 3.f / 2, aa = a * a, bb = b * b, sum = aa + bb;
constexpr float over_a = 1 / (2 * aa * (aa - bb)), over_b = 1 / (2 * bb * (bb - aa));

// Images (height, width, channels), laid in `across` rows of `across` with a row and a column of zeros between them, as
// if they were one. A kernel is one, too, with in × out channels.
struct Image {
  float* data;
  int64_t height, width, channels, across = 1, count = 1;

  // The N × N entries from `row` and `column` on; null where there is none.
  template <int N>
  INLINE void Entries(int64_t row, int64_t column, float* (&entries)[N * N]) const {
    int64_t down[N], right[N], rows[N], columns[N];
    for (int i = 0; i < N; ++i) {
      Place(row + i, height, down[i], rows[i]);
      Place(column + i, width, right[i], columns[i]);
    }
    for (int i = 0; i < N; ++i) {
      for (int j = 0; j < N; ++j) {
        const int64_t image = down[i] * across + right[j];
        const bool inside = rows[i] >= 0 && columns[j] >= 0 && image < count;
        entries[i * N + j] = inside ? data + ((image * height + rows[i]) * width + columns[j]) * channels : nullptr;
      }
    }
  }

 private:
  // The image that a row lies in, of those below each other, and its row there; -1 where there is none. So for columns.
  INLINE void Place(int64_t at, int64_t size, int64_t& image, int64_t& entry) const {
    image = across == 1 || at < 0 ? 0 : at / (size + 1);
    entry = at - image * (size + 1);
    if (entry >= size || image >= across) entry = -1;
  }
};

// A kind of CPU's transforms between points[0], points[step], ..., multiplied as `Number`, and a tile of an image, whose
// first entry is at a row and a column; and those of a kernel's channels in [first, last).
template <typename Number>
struct Transforms {
  using Read = void (*)(const Image&, int64_t row, int64_t column, Number* points, int64_t step);
  using Write = void (*)(const Image&, int64_t row, int64_t column, const float* points, int64_t step);

  Read input, cotangent;
  Write output, streamed_output;
  void (*kernel)(const Image&, bool turned, int64_t first, int64_t last, float* points);
  void (*kernel_gradient)(const Image&, int64_t first, int64_t last, const float* points);
};

#define LOOPS "winograd_transforms.h"
#include "each_cpu.h"

#ifdef AVX512
#define LANES 16
#pragma GCC push_options
#pragma GCC target("avx512f")
#define BFLOAT16_BY_AN_INSTRUCTION
namespace avx512_bf16 {
#include "winograd_transforms.h"
}
#pragma GCC pop_options
#undef LANES
#endif

template <typename Number>
Transforms<Number> Fastest() {
#ifdef AVX512
  if (__builtin_cpu_supports("avx512bf16")) return avx512_bf16::kTransforms<Number>;
  if (__builtin_cpu_supports("avx512f")) return avx512::kTransforms<Number>;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2::kTransforms<Number>;
#endif
  return sse::kTransforms<Number>;
}

template <typename Number>
const Transforms<Number> transforms = Fastest<Number>();

// 36 products of row-major matrices, (rows, inner) and (inner, columns); either may be stored transposed. The result is
// float32.
struct Product {
  memory::data_type type, second_type;  // what is multiplied, and how the second matrix is stored
  int64_t rows, inner, columns;
  int64_t first_step, second_step, result_step;   // from one product's matrix to the next one's
  bool first_transposed, second_transposed, add;  // to what the result held

  auto Tied() const {
    return std::tie(type, second_type, rows, inner, columns, first_step, second_step, result_step, first_transposed,
                    second_transposed, add);
  }
  bool operator<(const Product& other) const { return Tied() < other.Tied(); }
};

struct Matmul {
  dnnl::matmul::primitive_desc desc;
  dnnl::matmul primitive;
  memory::desc second;    // the second matrix as it is stored
  dnnl::reorder reorder;  // to how it is multiplied, where that differs
};

memory::desc Matrices(memory::data_type type, int64_t rows, int64_t columns, int64_t step, bool transposed) {
  const Dims strides = {step, transposed ? 1 : columns, transposed ? rows : 1};
  return {{kPoints, rows, columns}, type, strides};
}

Matmul Make(const Product& p) {
  Matmul made;
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);  // so that threads can share a primitive
  if (p.add) {
    dnnl::post_ops add;
    add.append_sum();
    attributes.set_post_ops(add);
  }
  made.second = Matrices(p.second_type, p.inner, p.columns, p.second_step, p.second_transposed);
  const memory::desc any({kPoints, p.inner, p.columns}, p.type, memory::format_tag::any);
  const OneThread each_multiplies_its_own_tiles;
  // A kernel serves many tiles, so that it pays to reorder it; in a kernel's gradient the second matrices are images.
  made.desc = {Engine(), Matrices(p.type, p.rows, p.inner, p.first_step, p.first_transposed),
               p.first_transposed ? made.second : any,
               Matrices(memory::data_type::f32, p.rows, p.columns, p.result_step, false), attributes};
  made.primitive = dnnl::matmul(made.desc);
  if (made.desc.weights_desc() != made.second) {
    made.reorder = dnnl::reorder({Engine(), made.second, Engine(), made.desc.weights_desc()});
  }
  return made;
}

void Multiply(const Matmul& matmul, void* first, const memory& second, float* result, void* scratch) {
  dnnl::stream stream(Engine());
  matmul.primitive.execute(stream, {{DNNL_ARG_SRC, memory(matmul.desc.src_desc(), Engine(), first)},
                                    {DNNL_ARG_WEIGHTS, second},
                                    {DNNL_ARG_DST, memory(matmul.desc.dst_desc(), Engine(), result)},
                                    {DNNL_ARG_SCRATCHPAD, memory(matmul.desc.scratchpad_desc(), Engine(), scratch)}});
  stream.wait();
}

// A batch of images, or of groups of them that are laid together.
struct Images {
  float* data;
  int64_t n, height, width, channels, across = 1;
  explicit Images(const Buffer& array)
      : data(array.typed_data()), n(array.dimensions()[0]), height(array.dimensions()[1]), width(array.dimensions()[2]),
        channels(array.dimensions()[3]) {}

  int64_t bytes() const { return sizeof(float) * n * height * width * channels; }
  int64_t groups() const { return (n + across * across - 1) / (across * across); }
  Image operator[](int64_t i) const {
    const int64_t first = i * across * across;
    return {data + first * height * width * channels, height, width, channels, across, n - first};
  }
};

// How many tiles lie along an axis of so many images.
int64_t TilesAlong(int64_t size, int64_t across) { return ((size + 1) * across - 1 + kOut - 1) / kOut; }

// Lays images together in fours where fewer tiles then cover them: of 5×5, say, 9 and not 16.
void LayTogether(Images& x, Images& y, int64_t low_row, int64_t low_column) {
  const bool same = x.height == y.height && x.width == y.width && low_row == 1 && low_column == 1;
  const int64_t together = TilesAlong(y.height, 2) * TilesAlong(y.width, 2);
  if (same && together < 4 * TilesAlong(y.height, 1) * TilesAlong(y.width, 1)) x.across = y.across = 2;
}

// The tiles of a batch of outputs, in blocks that a thread takes through all stages while they lie in its cache.
struct Tiles {
  int64_t rows, columns, count, blocks, size, gap;

  Tiles(const Images& y, int64_t bytes, int64_t threads)  // of a tile's channels, on both sides
      : rows(TilesAlong(y.height, y.across)), columns(TilesAlong(y.width, y.across)),
        count(y.groups() * rows * columns) {
    const int64_t most = std::max(kCache / (kPoints * bytes), kFewest);
    blocks = (count + most * threads - 1) / (most * threads) * threads;
    const int64_t fewest = (count + blocks - 1) / blocks;
    // Odd: an even one may have a tile's points meet in one place of the cache, unless there are gaps between the matrices.
    // Without AVX-512 oneDNN multiplies by its gemm, which doesn't mind gaps, and sums rows that are beyond a multiple of 12
    // in another order: an image's bits would depend on how many others there are.
    size = HasAVX512() ? fewest | 1 : (fewest + 11) / 12 * 12;
    gap = HasAVX512() ? 0 : kLanes;
    blocks = (count + size - 1) / size;
  }

  // Calls work(entry, image, row, column of the first output) for the tiles of a block, and rest(entry) where its last
  // entries have none.
  template <typename Work, typename Rest>
  void Each(int64_t block, Work work, Rest rest) const {
    for (int64_t entry = 0; entry < size; ++entry) {
      const int64_t tile = block * size + entry;
      if (tile < count) {
        work(entry, tile / (rows * columns), tile / columns % rows * kOut, tile % columns * kOut);
      } else {
        rest(entry);
      }
    }
  }
};

float* Floats(char* bytes) { return reinterpret_cast<float*>(bytes); }

// What a thread needs for a block: a product's first matrices, its second ones or the result, and scratch memory.
template <typename First, typename Second>
struct Stages {
  First* first;
  Second* second;
  void* scratch;

  Stages(int64_t of_first, int64_t of_second, size_t work) {
    static thread_local Scratch kept;
    const size_t bytes[] = {Aligned(sizeof(First) * of_first), Aligned(sizeof(Second) * of_second)};
    char* const at = kept.Of(bytes[0] + bytes[1] + work);
    first = reinterpret_cast<First*>(at);
    second = reinterpret_cast<Second*>(at + bytes[0]);
    scratch = at + bytes[0] + bytes[1];
  }
};

// Zeros for an entry without a tile.
template <typename Number>
void Clear(Number* points, int64_t step, int64_t channels) {
  for (int i = 0; i < kPoints; ++i) std::memset(points + i * step, 0, sizeof(Number) * channels);
}

// y of x, multiplied as `Number`; with `turned`, kernels (3, 3, out, in) turned by 180°, which makes dx of dy.
template <typename Number>
void Forward(const Threads& threads, const Images& x, float* kernel, bool turned, int64_t low_row, int64_t low_column,
             const Images& y) {
  const int64_t pairs = x.channels * y.channels, run = std::min(x.channels, y.channels);
  const Tiles tiles(y, sizeof(Number) * x.channels + sizeof(float) * y.channels, threads.count());
  const int64_t v_step = tiles.size * x.channels + tiles.gap, m_step = tiles.size * y.channels + tiles.gap;
  const auto matmul = Find(Product{kType<Number>, kType<float>, tiles.size, x.channels, y.channels, v_step, pairs,
                                   m_step, false, turned, false},
                           Make);

  const size_t bytes = Aligned(4 * kPoints * pairs);
  const Borrowed borrowed(bytes + (matmul->reorder ? matmul->desc.weights_desc().get_size() : 0));
  char* const u = borrowed.data();
  const Image g{kernel, kWindow, kWindow, pairs};
  threads.Share(pairs / run, [&](int64_t, int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) transforms<Number>.kernel(g, turned, i * run, (i + 1) * run, Floats(u));
  });
  memory multiplied(matmul->second, Engine(), u);
  if (matmul->reorder) {
    const OneThread alone;
    memory stored = multiplied;
    multiplied = memory(matmul->desc.weights_desc(), Engine(), u + bytes);
    dnnl::stream stream(Engine());
    matmul->reorder.execute(stream, stored, multiplied);
    stream.wait();
  }
  const bool aligned = y.channels % kLanes == 0 && reinterpret_cast<uintptr_t>(y.data) % (kLanes * sizeof(float)) == 0;
  const auto write = aligned && y.bytes() > kAllCaches ? transforms<Number>.streamed_output : transforms<Number>.output;
  threads.Share(tiles.blocks, [&](int64_t, int64_t first, int64_t last) {
    const Stages<Number, float> stages(kPoints * v_step, kPoints * m_step, matmul->desc.scratchpad_desc().get_size());
    for (int64_t block = first; block < last; ++block) {
      tiles.Each(
          block,
          [&](int64_t entry, int64_t image, int64_t row, int64_t column) {
            transforms<Number>.input(x[image], row - low_row, column - low_column, stages.first + entry * x.channels, v_step);
          },
          [](int64_t) {});
      Multiply(*matmul, stages.first, multiplied, stages.second, stages.scratch);
      tiles.Each(
          block,
          [&](int64_t entry, int64_t image, int64_t row, int64_t column) {
            write(y[image], row, column, stages.second + entry * y.channels, m_step);
          },
          [](int64_t) {});
    }
    __builtin_ia32_sfence();  // what was streamed is there before another thread is told so
  });
}

// dkernel of x and dy, multiplied as `Number`: the sum of each thread's tiles, and of these sums.
template <typename Number>
void KernelGradient(const Threads& threads, const Images& x, const Images& dy, int64_t low_row, int64_t low_column,
                    float* dkernel) {
  const int64_t pairs = x.channels * dy.channels, run = std::min(x.channels, dy.channels);
  const Tiles tiles(dy, sizeof(Number) * (x.channels + dy.channels), threads.count());
  // With a gap between the matrices oneDNN multiplies by its gemm, in two thirds of the time that its brgemm takes where
  // the first are transposed.
  const int64_t gap = 128 / static_cast<int64_t>(sizeof(Number));
  const int64_t v_step = tiles.size * x.channels + gap, w_step = tiles.size * dy.channels + gap;
  const auto product = [&](bool add) {
    const auto type = kType<Number>;
    return Find(Product{type, type, x.channels, tiles.size, dy.channels, v_step, w_step, pairs, true, false, add}, Make);
  };
  const auto set = product(false), add = product(true);
  const size_t work = std::max(set->desc.scratchpad_desc().get_size(), add->desc.scratchpad_desc().get_size());

  const int64_t parts = std::min(tiles.blocks, threads.count()), step = kPoints * pairs;
  const Borrowed borrowed(4 * parts * step);
  float* const du = Floats(borrowed.data());
  threads.Share(tiles.blocks, [&](int64_t part, int64_t first, int64_t last) {
    const Stages<Number, Number> stages(kPoints * v_step, kPoints * w_step, work);
    for (int64_t block = first; block < last; ++block) {
      tiles.Each(
          block,
          [&](int64_t entry, int64_t image, int64_t row, int64_t column) {
            transforms<Number>.input(x[image], row - low_row, column - low_column, stages.first + entry * x.channels, v_step);
            transforms<Number>.cotangent(dy[image], row, column, stages.second + entry * dy.channels, w_step);
          },
          [&](int64_t entry) {
            Clear(stages.first + entry * x.channels, v_step, x.channels);
            Clear(stages.second + entry * dy.channels, w_step, dy.channels);
          });
      const auto& matmul = block == first ? *set : *add;
      Multiply(matmul, stages.first, memory(matmul.second, Engine(), stages.second), du + part * step, stages.scratch);
    }
  });
  const Image g{dkernel, kWindow, kWindow, pairs};
  threads.Share(pairs / run, [&](int64_t, int64_t first, int64_t last) {
    for (int64_t part = 1; part < parts; ++part) {
      for (int64_t point = 0; point < kPoints; ++point) {
        float* const sum = du + point * pairs;
        for (int64_t i = first * run; i < last * run; ++i) sum[i] += sum[part * step + i];
      }
    }
    for (int64_t i = first; i < last; ++i) transforms<Number>.kernel_gradient(g, i * run, (i + 1) * run, du);
  });
}

// The maps, numbered as in onednn.cc.
template <typename Number, bool kTogether>
ffi::Error Convolve(ffi::ThreadPool pool, Buffer first, Buffer second, ffi::Result<Buffer> result, int64_t map,
                    ffi::Span<const int64_t> low) {
  const Threads threads(pool);
  try {
    const bool gradient = map == 2, turned = map == 1;
    const int64_t row = turned ? kWindow - 1 - low[0] : low[0], column = turned ? kWindow - 1 - low[1] : low[1];
    Images x(first), y(gradient ? second : *result);
    if (kTogether) LayTogether(x, y, row, column);
    if (gradient) {
      KernelGradient<Number>(threads, x, y, row, column, result->typed_data());
    } else {
      Forward<Number>(threads, x, second.typed_data(), turned, row, column, y);
    }
  } catch (const std::exception& error) {
    std::string text = std::string("Winograd's convolution: ") + error.what() + ", in map " + std::to_string(map);
    for (const auto& array : {first.dimensions(), second.dimensions(), result->dimensions()}) {
      for (size_t i = 0; i < array.size(); ++i) text += (i ? "," : "; ") + std::to_string(array[i]);
    }
    return ffi::Error::Internal(text);
  }
  return ffi::Error::Success();
}

template <typename Number, bool kTogether>
XLA_FFI_Error* Call(XLA_FFI_CallFrame* frame) {
  static auto* handler = ffi::Ffi::Bind()
                             .Ctx<ffi::ThreadPool>()
                             .Arg<Buffer>()
                             .Arg<Buffer>()
                             .Ret<Buffer>()
                             .Attr<int64_t>("map")
                             .Attr<ffi::Span<const int64_t>>("low")
                             .To(Convolve<Number, kTogether>)
                             .release();
  return handler->Call(frame);
}

}  // namespace

EXPORT XLA_FFI_Error* jaxcnn_winograd(XLA_FFI_CallFrame* frame) { return Call<float, false>(frame); }
EXPORT XLA_FFI_Error* jaxcnn_winograd_together(XLA_FFI_CallFrame* frame) { return Call<float, true>(frame); }
EXPORT XLA_FFI_Error* jaxcnn_winograd_bfloat16(XLA_FFI_CallFrame* frame) { return Call<BFloat16, true>(frame); }
