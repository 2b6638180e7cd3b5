// The loops of direct.cc. It includes them for each kind of CPU, as pool.cc its own: LANES is how many floats its vectors
// hold.

using Lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias)) = float;

// sums[r] += Σ x[first[r] + second[i]] b[i] over `count` steps. The loops over r and v are unrolled, so that sums stay in
// registers.
template <int R, int V>
INLINE void Add(const float* x, const Places& first, const Places& second, const float* b, int64_t step, Lanes (&sums)[R][V]) {
  const float* rows[R];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) rows[r] = x + first.at[r];
  for (int64_t i = 0; i < second.count; ++i, b += step) {
    const int64_t at = second.at[i];
    Lanes values[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) values[v] = reinterpret_cast<const Lanes*>(b)[v];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const float one = rows[r][at];
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) sums[r][v] += one * values[v];
    }
  }
}

// The first R of y's pixels, in a panel's outputs.
template <int R, int V>
inline void Outputs(const Chunk& chunk, const Places& pixels, const Places& taps, const Panel& panel, float* to) {
  Lanes sums[R][V];
#pragma GCC unroll 16
  for (int i = 0; i < R * V; ++i) sums[i / V][i % V] = Lanes{};
  Add<R, V>(chunk.x, pixels, taps, panel.data, V * LANES, sums);
  // Few outputs fill a part of a vector: its rest falls into the next pixel, which is written later, or is left out.
  if (to + (R - 1) * chunk.outputs + V * LANES <= chunk.y_end) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r, to += chunk.outputs) {
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) reinterpret_cast<Lanes*>(to)[v] = sums[r][v];
    }
  } else {
    Lanes kept[R][V];
#pragma GCC unroll 16
    for (int i = 0; i < R * V; ++i) kept[i / V][i % V] = sums[i / V][i % V];
    const int64_t width = std::min<int64_t>(V * LANES, chunk.outputs);
    for (int r = 0; r < R; ++r, to += chunk.outputs) std::memcpy(to, kept[r], sizeof(float) * width);
  }
}

// The first R taps of dkernel, in a panel's outputs, to which a chunk's pixels are added.
template <int R, int V>
inline void Gradients(const Chunk& chunk, const Places& taps, const Places& pixels, const Panel& panel, float* to) {
  Lanes* const kept = reinterpret_cast<Lanes*>(to);
  Lanes sums[R][V];
#pragma GCC unroll 16
  for (int i = 0; i < R * V; ++i) sums[i / V][i % V] = kept[i];
  Add<R, V>(chunk.x, taps, pixels, panel.data, chunk.step, sums);
#pragma GCC unroll 16
  for (int i = 0; i < R * V; ++i) kept[i] = sums[i / V][i % V];
}

// All of `first`, R at once and fewer at the end; where the first one's result is, and how far it is to the next one's.
template <bool kGradients, int R, int V>
void Rest(const Chunk& chunk, Places first, const Places& second, const Panel& panel, float* to, int64_t next) {
  for (; first.count >= R; first.at += R, first.count -= R, to += R * next) {
    if constexpr (kGradients) {
      Gradients<R, V>(chunk, first, second, panel, to);
    } else {
      Outputs<R, V>(chunk, first, second, panel, to);
    }
  }
  if constexpr (R > 1) {
    if (first.count) Rest<kGradients, R - 1, V>(chunk, first, second, panel, to, next);
  }
}

template <bool kGradients>
void All(const Chunk& chunk, const Places& first, const Places& second, const Panel& panel, float* to, int64_t next) {
  if (panel.width > LANES) {
    Rest<kGradients, 6, 2>(chunk, first, second, panel, to, next);
  } else {
    Rest<kGradients, 9, 1>(chunk, first, second, panel, to, next);
  }
}

constexpr Loops kLoops = {LANES, All<false>, All<true>};
