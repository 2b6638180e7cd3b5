// The transforms of winograd.cc. It includes them for each kind of CPU, as pool.cc its loops: LANES is how many floats its
// vectors hold, so that what is transformed stays in registers.

using Lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias)) = float;

INLINE void Store(const Lanes& values, float* to) { *reinterpret_cast<Lanes*>(to) = values; }

// Rounded to the nearest, and of two as near to the even one.
INLINE void Store(const Lanes& values, BFloat16* to) {
  using Halves __attribute__((vector_size(2 * LANES), aligned(2), may_alias)) = uint16_t;
#ifdef BFLOAT16_BY_AN_INSTRUCTION
  Halves halves;
  asm("vcvtneps2bf16 %1, %0" : "=v"(halves) : "v"(values));
  *reinterpret_cast<Halves*>(to) = halves;
#else
  using Words __attribute__((vector_size(4 * LANES))) = uint32_t;
  const Words words = reinterpret_cast<Words>(values), odd = words >> 16 & 1;  // the same bits
  const Words rounded = values == values ? words + 0x7fff + odd : words | 0x400000;  // which keeps a NaN one
  *reinterpret_cast<Halves*>(to) = __builtin_convertvector(rounded >> 16, Halves);
#endif
}

// What the even and the odd powers come to at a, -a, b and -b.
INLINE void Pairs(const Lanes& even_a, const Lanes& odd_a, const Lanes& even_b, const Lanes& odd_b, Lanes (&at)[6]) {
  at[1] = even_a + odd_a;
  at[2] = even_a - odd_a;
  at[3] = even_b + odd_b;
  at[4] = even_b - odd_b;
}

// The matrices along one axis.
struct InputTransform {  // Bᵀ
  INLINE void operator()(const Lanes (&d)[6], Lanes (&v)[6]) const {
    const Lanes even_a = d[4] - bb * d[2], odd_a = a * (d[3] - bb * d[1]);
    const Lanes even_b = d[4] - aa * d[2], odd_b = b * (d[3] - aa * d[1]);
    v[0] = d[0] - sum * d[2] + d[4];
    Pairs(even_a, odd_a, even_b, odd_b, v);
    v[5] = d[1] - sum * d[3] + d[5];
  }
};

struct KernelTransform {  // G
  INLINE void operator()(const Lanes (&g)[3], Lanes (&u)[6]) const {
    const Lanes even_a = over_a * (g[0] + aa * g[2]), odd_a = over_a * a * g[1];
    const Lanes even_b = over_b * (g[0] + bb * g[2]), odd_b = over_b * b * g[1];
    u[0] = g[0];
    Pairs(even_a, odd_a, even_b, odd_b, u);
    u[5] = g[2];
  }
};

struct KernelTranspose {  // Gᵀ
  INLINE void operator()(const Lanes (&u)[6], Lanes (&g)[3]) const {
    const Lanes even_a = over_a * (u[1] + u[2]), odd_a = over_a * (u[1] - u[2]);
    const Lanes even_b = over_b * (u[3] + u[4]), odd_b = over_b * (u[3] - u[4]);
    g[0] = u[0] + even_a + even_b;
    g[1] = a * odd_a + b * odd_b;
    g[2] = aa * even_a + bb * even_b + u[5];
  }
};

struct OutputTransform {  // Aᵀ
  INLINE void operator()(const Lanes (&m)[6], Lanes (&y)[4]) const {
    const Lanes even_a = m[1] + m[2], odd_a = m[1] - m[2], even_b = m[3] + m[4], odd_b = m[3] - m[4];
    y[0] = m[0] + even_a + even_b;
    y[1] = a * odd_a + b * odd_b;
    y[2] = aa * even_a + bb * even_b;
    y[3] = a * aa * odd_a + b * bb * odd_b + m[5];
  }
};

struct OutputTranspose {  // A
  INLINE void operator()(const Lanes (&y)[4], Lanes (&m)[6]) const {
    const Lanes even_a = y[0] + aa * y[2], odd_a = a * (y[1] + aa * y[3]);
    const Lanes even_b = y[0] + bb * y[2], odd_b = b * (y[1] + bb * y[3]);
    m[0] = y[0];
    Pairs(even_a, odd_a, even_b, odd_b, m);
    m[5] = y[3];
  }
};

// The N × N lanes that load(0, lanes), load(1, lanes), ... write, transformed along both axes and given to
// store(0, lanes), store(1, lanes), ... Loops are unrolled so that what they transform stays in registers.
template <int N, int M, typename Transform, typename Load, typename Store>
INLINE void AlongBoth(Transform transform, Load load, Store store) {
  Lanes half[M * N], in[N], out[M];
  for (int j = 0; j < N; ++j) {
#pragma GCC unroll 6
    for (int i = 0; i < N; ++i) load(i * N + j, in[i]);
    transform(in, out);
#pragma GCC unroll 6
    for (int i = 0; i < M; ++i) half[i * N + j] = out[i];
  }
  for (int i = 0; i < M; ++i) {
#pragma GCC unroll 6
    for (int j = 0; j < N; ++j) in[j] = half[i * N + j];
    transform(in, out);
#pragma GCC unroll 6
    for (int j = 0; j < M; ++j) store(i * M + j, out[j]);
  }
}

// The N × N window of an image from `row` and `column` on, or turned by 180°: its channels in [first, last) transformed
// and written to points[0], points[step], ... Beyond the image's edges are zeros.
template <int N, typename Transform, typename Number>
INLINE void Read(Transform transform, const Image& image, int64_t row, int64_t column, bool turned, int64_t first,
                 int64_t last, Number* points, int64_t step) {
  static const float zeros[LANES] = {};
  float* found[N * N];
  image.Entries<N>(row, column, found);
  const float* entries[N * N];
  int64_t moves[N * N];  // 1 where the entry has channels, 0 where it is zeros
  for (int i = 0; i < N * N; ++i) {
    const float* const entry = found[turned ? N * N - 1 - i : i];
    entries[i] = entry ? entry : zeros;
    moves[i] = entry != nullptr;
  }
  const int64_t ahead = kOut * image.channels;  // the next tile's
  for (int64_t at = first; at < last; at += LANES) {
    const int64_t channel = std::min(at, last - LANES);  // the last lanes may overlap those before
    AlongBoth<N, kIn>(
        transform,
        [&](int i, Lanes& to) INLINED {
          const float* const from = entries[i] + moves[i] * channel;
          __builtin_prefetch(from + ahead);
          to = *reinterpret_cast<const Lanes*>(from);
        },
        [&](int i, const Lanes& values) INLINED { Store(values, points + i * step + channel); });
  }
}

struct InCache {
  INLINE void operator()(const Lanes& values, float* to) const { Store(values, to); }
};

#if LANES >= 16
struct PastCaches {  // which then neither read what is overwritten nor keep it
  INLINE void operator()(const Lanes& values, float* to) const {
    asm("vmovntps %1, %0" : "=m"(*reinterpret_cast<Lanes*>(to)) : "v"(values));
  }
};
#else
using PastCaches = InCache;  // half a line of the cache at a time takes longer so
#endif

// The other way: points transformed into an image's window, where that lies inside of it.
template <int N, typename Transform, typename Keep>
INLINE void Write(Transform transform, Keep keep, const Image& image, int64_t row, int64_t column, int64_t first,
                  int64_t last, const float* points, int64_t step) {
  float* entries[N * N];
  image.Entries<N>(row, column, entries);
  for (int64_t at = first; at < last; at += LANES) {
    const int64_t channel = std::min(at, last - LANES);
    AlongBoth<kIn, N>(
        transform, [&](int i, Lanes& to) INLINED { to = *reinterpret_cast<const Lanes*>(points + i * step + channel); },
        [&](int i, const Lanes& values) INLINED {
          if (entries[i]) keep(values, entries[i] + channel);
        });
  }
}

inline void ReadInput(const Image& x, int64_t row, int64_t column, float* points, int64_t step) {
  Read<kIn>(InputTransform(), x, row, column, false, 0, x.channels, points, step);
}

inline void ReadInput(const Image& x, int64_t row, int64_t column, BFloat16* points, int64_t step) {
  Read<kIn>(InputTransform(), x, row, column, false, 0, x.channels, points, step);
}

inline void ReadCotangent(const Image& dy, int64_t row, int64_t column, float* points, int64_t step) {
  Read<kOut>(OutputTranspose(), dy, row, column, false, 0, dy.channels, points, step);
}

inline void ReadCotangent(const Image& dy, int64_t row, int64_t column, BFloat16* points, int64_t step) {
  Read<kOut>(OutputTranspose(), dy, row, column, false, 0, dy.channels, points, step);
}

inline void WriteOutput(const Image& y, int64_t row, int64_t column, const float* points, int64_t step) {
  Write<kOut>(OutputTransform(), InCache(), y, row, column, 0, y.channels, points, step);
}

inline void StreamOutput(const Image& y, int64_t row, int64_t column, const float* points, int64_t step) {
  Write<kOut>(OutputTransform(), PastCaches(), y, row, column, 0, y.channels, points, step);
}

inline void ReadKernel(const Image& g, bool turned, int64_t first, int64_t last, float* points) {
  Read<kWindow>(KernelTransform(), g, 0, 0, turned, first, last, points, g.channels);
}

inline void WriteKernel(const Image& g, int64_t first, int64_t last, const float* points) {
  Write<kWindow>(KernelTranspose(), InCache(), g, 0, 0, first, last, points, g.channels);
}

template <typename Number>
constexpr Transforms<Number> kTransforms = {ReadInput,    ReadCotangent, WriteOutput,
                                            StreamOutput, ReadKernel,    WriteKernel};
