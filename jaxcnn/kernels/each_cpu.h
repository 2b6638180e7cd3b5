// Includes the file LOOPS once for each kind of CPU, in a namespace of its own, for vectors of LANES floats. GCC compiles a
// vector as the machine has it for which the source is read: a clone of a function for a later CPU would not do.

#define LANES 4
namespace sse {
#include LOOPS
}
#undef LANES

#ifdef AVX512
#define LANES 8
#pragma GCC push_options
#pragma GCC target("avx2,fma")
namespace avx2 {
#include LOOPS
}
#pragma GCC pop_options
#undef LANES

#define LANES 16
#pragma GCC push_options
#pragma GCC target("avx512f")
namespace avx512 {
#include LOOPS
}
#pragma GCC pop_options
#undef LANES
#endif
