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

struct One : Lanes<float, int32_t> {
  static INLINE Int Winners(const uint8_t* at) { return *at; }
  static INLINE void Keep(Int winners, uint8_t* to) { *to = static_cast<uint8_t>(winners); }
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

// Calls run(lanes, first entry) such that all `width` entries are in one: the last lanes may overlap those before.
template <typename L, typename Run>
INLINE void InLanesOf(int64_t width, Run run) {
  for (int64_t at = 0; at < width; at += L::kCount) run(L(), std::min(at, width - L::kCount));
}
template <typename Run>
INLINE void InLanes(int64_t width, Run run) {
#if LANES >= 16
  if (width >= 16) return InLanesOf<Sixteen>(width, run);
#endif
#if LANES >= 8
  if (width >= 8) return InLanesOf<Eight>(width, run);
#endif
  if (width >= 4) return InLanesOf<Four>(width, run);
  InLanesOf<One>(width, run);
}

// y = the maximum of these taps, whose entries are rows of `width`; and which tap won, unless nobody asks. The first of
// equal ones wins, and a NaN over all others.
template <bool kWhich>
INLINE void Maximum(const float* x, const Taps& taps, int64_t width, float* y, uint8_t* which) {
  InLanes(width, [=](auto lanes, int64_t at) INLINED {
    using L = decltype(lanes);
    if (taps.count <= 0) {
      L::Write(typename L::Float{} - INFINITY, y + at);
      if constexpr (kWhich) L::Keep(typename L::Int{}, which + at);
      return;
    }
    const float* entry = x + taps.position * width + at;
    auto best = L::Read(entry);
    auto won = typename L::Int{} + int32_t(taps.tap);
    for (int64_t i = 1; i < taps.count; ++i) {
      entry += taps.position_step * width;
      const auto next = L::Read(entry);
      const auto stays = (next <= best) | (best != best);
      best = stays ? best : next;
      if constexpr (kWhich) won = stays ? won : typename L::Int{} + int32_t(taps.tap + i * taps.tap_step);
    }
    L::Write(best, y + at);
    if constexpr (kWhich) L::Keep(won, which + at);
  });
}

// dx = what the windows that have these taps here give to it: those whose winner it is.
INLINE void Given(const float* dy, const uint8_t* which, const Taps& taps, int64_t width, float* dx) {
  InLanes(width, [=](auto lanes, int64_t at) INLINED {
    using L = decltype(lanes);
    auto total = typename L::Float{};
    int64_t entry = taps.position * width + at;
    for (int64_t i = 0; i < taps.count; ++i, entry += taps.position_step * width) {
      const auto mine = L::Winners(which + entry) == int32_t(taps.tap + i * taps.tap_step);
      total += mine ? L::Read(dy + entry) : typename L::Float{};
    }
    L::Write(total, dx + at);
  });
}

// The windows [first, last) of an axis whose entries are rows of `width`.
inline void Maxima(const Axis& axis, int64_t first, int64_t last, const float* x, int64_t width, float* y,
                         uint8_t* which) {
  for (int64_t o = first; o < last; ++o, y += width) {
    if (which) {
      Maximum<true>(x, axis.Of(o), width, y, which + (o - first) * width);
    } else {
      Maximum<false>(x, axis.Of(o), width, y, nullptr);
    }
  }
}

// The positions [first, last) of such an axis.
inline void Spread(const Axis& axis, int64_t first, int64_t last, const float* dy, const uint8_t* which,
                         int64_t width, float* dx) {
  for (int64_t q = first; q < last; ++q, dx += width) Given(dy, which, axis.At(q), width, dx);
}
