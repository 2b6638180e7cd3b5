// The loops of depthwise.cc. It includes them for each kind of CPU, as pool.cc its own: LANES is how many floats its vectors
// hold.

template <typename Lanes>
INLINE Lanes Read(const float* at) {
  Lanes values;
  std::memcpy(&values, at, sizeof(Lanes));
  return values;
}

template <typename Lanes>
INLINE void Write(const Lanes& values, float* to) { std::memcpy(to, &values, sizeof(Lanes)); }

// Calls run(lanes, channel) for all channels, as many side by side as the vectors hold, then fewer.
template <typename Run>
INLINE void OverChannels(int64_t channels, Run run) {
  int64_t at = 0;
#if LANES >= 16
  for (; at + 16 <= channels; at += 16) run(Floats16(), at);
#endif
#if LANES >= 8
  for (; at + 8 <= channels; at += 8) run(Floats8(), at);
#endif
  for (; at + 4 <= channels; at += 4) run(Floats4(), at);
  for (; at < channels; ++at) run(float(), at);
}

// Calls meet(values, t, i) for what is read at each place of a strip, for each tap t and result i that it joins. Loops are
// unrolled, so that whatever meets is in registers. Memory is asked for what the next places need: the CPU itself follows
// fewer streams than there are places.
template <typename Lanes, int kWidth, int kStride, bool kWhole, typename Meet>
INLINE void OverStrip(const Strip& strip, const float* read, int64_t step, Meet meet) {
#pragma GCC unroll 32
  for (int m = 0; m < kStride * (kPlaces - 1) + kWidth; ++m) {
    if (!kWhole && !(strip.inside >> m & 1)) continue;
    const float* const at = read + strip.read + m * step;
    if (kWhole && m < kStride * kPlaces) __builtin_prefetch(at + kStride * kPlaces * step);
    const auto values = Read<Lanes>(at);
#pragma GCC unroll 7
    for (int t = 0; t < kWidth; ++t) {
      if (m >= t && (m - t) % kStride == 0 && (m - t) / kStride < kPlaces) meet(values, t, (m - t) / kStride);
    }
  }
}

// The results at these places.
template <typename Lanes, int kWidth, int kStride, bool kWhole>
INLINE void AtPlaces(const Strip* strips, int64_t count, Steps steps, const float* read, const float* kernel, float* made) {
  Lanes sums[kPlaces] = {};
  for (const Strip* strip = strips; strip < strips + count; ++strip) {
    Lanes entries[kWidth];
#pragma GCC unroll 7
    for (int t = 0; t < kWidth; ++t) entries[t] = Read<Lanes>(kernel + strip->kernel + t * steps.kernel);
    OverStrip<Lanes, kWidth, kStride, kWhole>(*strip, read, steps.read, [&](const Lanes& values, int t, int i) INLINED {
      sums[i] += entries[t] * values;
    });
  }
#pragma GCC unroll 8
  for (int i = 0; i < kPlaces; ++i) {
    float* const to = made + i * steps.taken;
    if (kWhole) __builtin_prefetch(to + kPlaces * steps.taken, /*to write*/ 1);
    if (kWhole || i < steps.places) Write(sums[i], to);
  }
}

// Adds to the sums of the taps what dy at these places gives to them.
template <typename Lanes, int kWidth, int kStride, bool kWhole>
INLINE void AtTaps(const Strip* strips, int64_t count, Steps steps, const float* x, const float* dy, float* sums) {
  Lanes given[kPlaces] = {};
#pragma GCC unroll 8
  for (int i = 0; i < kPlaces; ++i) {
    const float* const at = dy + i * steps.taken;
    if (kWhole) __builtin_prefetch(at + kPlaces * steps.taken);
    if (kWhole || i < steps.places) given[i] = Read<Lanes>(at);
  }
  for (const Strip* strip = strips; strip < strips + count; ++strip) {
    Lanes totals[kWidth];
    float* const to = sums + strip->kernel;
#pragma GCC unroll 7
    for (int t = 0; t < kWidth; ++t) totals[t] = Read<Lanes>(to + t * steps.kernel);
    OverStrip<Lanes, kWidth, kStride, kWhole>(*strip, x, steps.read, [&](const Lanes& values, int t, int i) INLINED {
      if (kWhole || i < steps.places) totals[t] += given[i] * values;
    });
#pragma GCC unroll 7
    for (int t = 0; t < kWidth; ++t) Write(totals[t], to + t * steps.kernel);
  }
}

// All channels of some places.
template <int kWidth, int kStride, bool kWhole>
void Gather(const Strip* strips, int64_t count, Steps steps, int64_t channels, const float* read, const float* kernel,
            float* made) {
  OverChannels(channels, [=](auto lanes, int64_t c) INLINED {
    AtPlaces<decltype(lanes), kWidth, kStride, kWhole>(strips, count, steps, read + c, kernel + c, made + c);
  });
}

template <int kWidth, int kStride, bool kWhole>
void Correlate(const Strip* strips, int64_t count, Steps steps, int64_t channels, const float* x, const float* dy,
               float* sums) {
  OverChannels(channels, [=](auto lanes, int64_t c) INLINED {
    AtTaps<decltype(lanes), kWidth, kStride, kWhole>(strips, count, steps, x + c, dy + c, sums + c);
  });
}

template <int kWidth, int kStride>
constexpr Way kWay = {kWidth,
                      kStride,
                      {Gather<kWidth, kStride, false>, Gather<kWidth, kStride, true>},
                      {Correlate<kWidth, kStride, false>, Correlate<kWidth, kStride, true>}};

// The best first.
constexpr Way kWays[] = {kWay<7, 1>, kWay<5, 1>, kWay<3, 1>, kWay<2, 1>, kWay<7, 2>,
                         kWay<5, 2>, kWay<3, 2>, kWay<2, 2>, kWay<1, 1>};
