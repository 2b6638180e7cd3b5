// The loops of pool.cc. It includes them for each kind of CPU, since GCC compares vectors as the machine can for which the
// source is read, not as the one can for which a clone of it is compiled: LANES is how many floats its vectors hold.

// Neighbours that are computed side by side. Winners are bytes in memory and as wide as a float here.
template <typename FloatType, typename IntType>
struct Lanes {
  using Float = FloatType;
  using Int = IntType;
  static constexpr int64_t kCount = sizeof(Float) / sizeof(float);

  static INLINE Float Read(const float* at) {
    Float values;
    std::memcpy(&values, at, sizeof(Float));
    return values;
  }
  static INLINE void Write(const Float& values, float* to) { std::memcpy(to, &values, sizeof(Float)); }
};

struct Four : Lanes<Floats4, Ints4> {
  static INLINE Int Winners(const uint8_t* at) {
    int32_t bytes;
    std::memcpy(&bytes, at, sizeof(bytes));
    const __m128i none = _mm_setzero_si128(), halves = _mm_unpacklo_epi8(_mm_cvtsi32_si128(bytes), none);
    return Int(_mm_unpacklo_epi16(halves, none));
  }
  static INLINE void Keep(const Int& winners, uint8_t* to) {
    const __m128i halves = _mm_packs_epi32(__m128i(winners), __m128i(winners));
    const int32_t bytes = _mm_cvtsi128_si32(_mm_packus_epi16(halves, halves));
    std::memcpy(to, &bytes, sizeof(bytes));
  }
};

#if LANES >= 8
struct Eight : Lanes<Floats8, Ints8> {
  static INLINE Int Winners(const uint8_t* at) {
    return Int(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at))));
  }
  static INLINE void Keep(const Int& winners, uint8_t* to) {
    const __m256i all = __m256i(winners);
    const __m128i halves = _mm_packs_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(halves, halves));
  }
};
#endif

#if LANES >= 16
struct Sixteen : Lanes<Floats16, Ints16> {
  static INLINE Int Winners(const uint8_t* at) {
    return Int(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))));
  }
  static INLINE void Keep(const Int& winners, uint8_t* to) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(__m512i(winners)));
  }
};
#endif

// Calls run(lanes) with the most lanes that fit into a width of 4 or more.
template <typename Run>
INLINE void WithLanes(int64_t width, Run run) {
#if LANES >= 16
  if (width >= 16) return run(Sixteen());
#endif
#if LANES >= 8
  if (width >= 8) return run(Eight());
#endif
  run(Four());
}

// y = the maximum of these taps, whose entries are rows of `width`; and which tap won, unless nobody asks. The first of
// equal ones wins, and a NaN over all others.
template <typename L, bool kWhich>
INLINE void Maximum(const float* x, const Taps& taps, int64_t width, float* y, uint8_t* which) {
  if (taps.count <= 0) {
    L::Write(typename L::Float{} - INFINITY, y);
    if constexpr (kWhich) L::Keep(typename L::Int{}, which);
    return;
  }
  x += taps.position * width;
  auto best = L::Read(x);
  auto won = typename L::Int{} + int32_t(taps.tap);
  for (int64_t i = 1; i < taps.count; ++i) {
    x += taps.position_step * width;
    const auto next = L::Read(x);
    const auto stays = (next <= best) | (best != best);
    best = stays ? best : next;
    if constexpr (kWhich) won = stays ? won : typename L::Int{} + int32_t(taps.tap + i * taps.tap_step);
  }
  L::Write(best, y);
  if constexpr (kWhich) L::Keep(won, which);
}

// dx = what the windows that have these taps here give to it: those whose winner it is.
template <typename L>
INLINE void Given(const float* dy, const uint8_t* which, const Taps& taps, int64_t width, float* dx) {
  auto total = typename L::Float{};
  int64_t entry = taps.position * width;
  for (int64_t i = 0; i < taps.count; ++i, entry += taps.position_step * width) {
    const auto mine = L::Winners(which + entry) == int32_t(taps.tap + i * taps.tap_step);
    total += mine ? L::Read(dy + entry) : typename L::Float{};
  }
  L::Write(total, dx);
}

// Calls run(which, entry) for `count` rows of `width` entries, lanes at a time: the last of a row may overlap those before.
template <typename L, typename Run>
INLINE void OverRows(int64_t count, int64_t width, Run run) {
  for (int64_t row = 0; row < count; ++row) {
    for (int64_t at = 0; at < width; at += L::kCount) run(row, std::min(at, width - L::kCount));
  }
}

// Windows one behind the other, whose entries are rows of `width`.
template <bool kWhich>
INLINE void AllMaxima(const Taps* taps, int64_t windows, const float* x, int64_t width, float* y, uint8_t* which) {
  WithLanes(width, [=](auto lanes) INLINED {
    using L = decltype(lanes);
    OverRows<L>(windows, width, [=](int64_t o, int64_t at) INLINED {
      const int64_t entry = o * width + at;
      Maximum<L, kWhich>(x + at, taps[o], width, y + entry, kWhich ? which + entry : nullptr);
    });
  });
}

inline void Maxima(const Taps* taps, int64_t windows, const float* x, int64_t width, float* y, uint8_t* which) {
  if (which) return AllMaxima<true>(taps, windows, x, width, y, which);
  AllMaxima<false>(taps, windows, x, width, y, nullptr);
}

// Positions one behind the other, whose entries are such rows.
inline void Spread(const Taps* taps, int64_t positions, const float* dy, const uint8_t* which, int64_t width, float* dx) {
  WithLanes(width, [=](auto lanes) INLINED {
    using L = decltype(lanes);
    OverRows<L>(positions, width, [=](int64_t q, int64_t at) INLINED {
      Given<L>(dy + at, which + at, taps[q], width, dx + q * width + at);
    });
  });
}
