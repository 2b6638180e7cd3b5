// Convolution's three linear maps over oneDNN 3, as XLA FFI handlers. The Python side is onednn.py.
//
// Arrays are XLA's own: images (n, *spatial, channels), kernels (*window, in / groups, out), row-major. A leading axis
// on any of them makes a batch of convolutions, each with its own images or kernel; one without it serves them all.

#include "onednn.h"
#include "threads.h"

#include <array>
#include <cstring>
#include <optional>
#include <sstream>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "xla/ffi/api/ffi.h"

namespace {

namespace ffi = xla::ffi;
using dnnl::memory;
using Dims = memory::dims;

enum Map : int64_t { kFprop, kDgrad, kWgrad };

// All that a primitive depends on. Bytes are those of an element: 4 is float32, 2 bfloat16.
struct Problem {
  Map map;
  int64_t operand_bytes, result_bytes, groups;
  Dims x, kernel, y, stride, low, high, dilation;
  bool one_thread = false;  // else all of OpenMP's

  auto Tied() const {
    return std::tie(map, operand_bytes, result_bytes, groups, x, kernel, y, stride, low, high, dilation, one_thread);
  }
  bool operator<(const Problem& other) const { return Tied() < other.Tied(); }
};

std::string Text(const Dims& dims) {
  std::ostringstream out;
  for (size_t i = 0; i < dims.size(); ++i) out << (i ? "," : "(") << dims[i];
  out << ")";
  return out.str();
}

std::string Text(const Problem& p) {
  const char* names[] = {"fprop", "dgrad", "wgrad"};
  std::ostringstream out;
  out << "convolution " << names[p.map] << " with x " << Text(p.x) << ", kernel " << Text(p.kernel) << ", y "
      << Text(p.y) << ", stride " << Text(p.stride) << ", padding " << Text(p.low) << " low and " << Text(p.high)
      << " high, dilation " << Text(p.dilation) << ", " << p.groups << " groups, " << 8 * p.operand_bytes
      << "-bit operands, " << 8 * p.result_bytes << "-bit result";
  return out.str();
}

memory::data_type Type(int64_t bytes) { return bytes == 4 ? memory::data_type::f32 : memory::data_type::bf16; }

// (n, *spatial, channels) in memory is (n, channels, *spatial) to oneDNN.
memory::desc Images(const Dims& shape, int64_t bytes) {
  const size_t rank = shape.size();
  Dims dims(rank), strides(rank);
  int64_t step = 1;
  for (size_t i = rank; i-- > 0;) {
    const size_t axis = i == 0 ? 0 : i == rank - 1 ? 1 : i + 1;
    dims[axis] = shape[i];
    strides[axis] = step;
    step *= shape[i];
  }
  return {dims, Type(bytes), strides};
}

// (*window, in, groups * out) in memory is (groups, out, in, *window) to oneDNN, which leaves groups out where it is 1.
memory::desc Kernel(const Dims& shape, int64_t groups, int64_t bytes, bool any_layout) {
  const size_t axes = shape.size() - 2;
  const int64_t in = shape[axes], outs = shape[axes + 1], out = outs / groups;
  Dims dims = {groups, out, in}, strides = {out, 1, outs};
  dims.insert(dims.end(), shape.begin(), shape.begin() + axes);
  strides.resize(3 + axes);
  int64_t step = in * outs;
  for (size_t i = axes; i-- > 0;) {
    strides[3 + i] = step;
    step *= shape[i];
  }
  if (groups == 1) {
    dims.erase(dims.begin());
    strides.erase(strides.begin());
  }
  if (any_layout) return {dims, Type(bytes), memory::format_tag::any};
  return {dims, Type(bytes), strides};
}

// The three arrays of a problem: two operands and the result.
struct Array {
  int argument;            // oneDNN's name for it
  memory::desc plain;      // as XLA has it
  memory::desc wanted;     // as the primitive takes it
  dnnl::reorder reorder;   // from one to the other, where they differ
};

struct Convolution {
  dnnl::primitive_desc_base desc;
  dnnl::primitive primitive;
  std::vector<Array> arrays;
  size_t scratch;  // bytes that the primitive works in
  bool clear;      // whether they must be zero
};

dnnl::primitive_desc_base Describe(const Problem& p) {
  const memory::desc x = Images(p.x, p.map == kDgrad ? p.result_bytes : p.operand_bytes);
  const memory::desc y = Images(p.y, p.map == kFprop ? p.result_bytes : p.operand_bytes);
  const memory::desc kernel =
      Kernel(p.kernel, p.groups, p.map == kWgrad ? p.result_bytes : p.operand_bytes, /*any_layout=*/true);
  Dims dilation = p.dilation;
  for (int64_t& d : dilation) --d;  // oneDNN counts the entries left out
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);  // so that threads can share a primitive
  dnnl_primitive_desc_t made = nullptr;
  dnnl_status_t status;
  const auto direct = dnnl_convolution_direct;
  if (p.map == kFprop) {
    status = dnnl_convolution_forward_primitive_desc_create(
        &made, Engine().get(), dnnl_forward_training, direct, x.get(), kernel.get(), nullptr, y.get(), p.stride.data(),
        dilation.data(), p.low.data(), p.high.data(), attributes.get());
  } else if (p.map == kDgrad) {
    status = dnnl_convolution_backward_data_primitive_desc_create(
        &made, Engine().get(), direct, x.get(), kernel.get(), y.get(), p.stride.data(), dilation.data(), p.low.data(),
        p.high.data(), nullptr, attributes.get());
  } else {
    status = dnnl_convolution_backward_weights_primitive_desc_create(
        &made, Engine().get(), direct, x.get(), kernel.get(), nullptr, y.get(), p.stride.data(), dilation.data(),
        p.low.data(), p.high.data(), nullptr, attributes.get());
  }
  dnnl::error::wrap_c_api(status, "no implementation");
  dnnl::primitive_desc_base desc;
  desc.reset(made);
  return desc;
}

Convolution Make(const Problem& p) {
  const int arguments[3][3] = {{DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST},
                               {DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC},
                               {DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS}};
  std::optional<OneThread> one;
  if (p.one_thread) one.emplace();
  Convolution made;
  made.desc = Describe(p);
  made.primitive = dnnl::primitive(made.desc.get());
  made.scratch = made.desc.scratchpad_desc().get_size();
  // oneDNN 3.2 multiplies parts of it that it never wrote by zeros: what was NaN there would stay (few outputs, stride 4).
  made.clear = p.map == kWgrad && p.operand_bytes == 2;
  for (int i = 0; i < 3; ++i) {
    Array array;
    array.argument = arguments[p.map][i];
    array.wanted = made.desc.query_md(dnnl::query::exec_arg_md, array.argument);
    const bool is_kernel = array.argument == DNNL_ARG_WEIGHTS || array.argument == DNNL_ARG_DIFF_WEIGHTS;
    array.plain = is_kernel ? Kernel(p.kernel, p.groups, i == 2 ? p.result_bytes : p.operand_bytes, false) : array.wanted;
    if (array.plain != array.wanted) {
      const auto& [from, to] = i == 2 ? std::tie(array.wanted, array.plain) : std::tie(array.plain, array.wanted);
      array.reorder = dnnl::reorder(dnnl::reorder::primitive_desc(Engine(), from, Engine(), to));
    }
    made.arrays.push_back(array);
  }
  return made;
}

// One of the three arrays, in memory.
struct Buffer {
  char* data;
  size_t bytes;  // of one convolution
  size_t step;   // to that of the next convolution: as many bytes, or 0 where one array serves all
};
using Buffers = std::array<Buffer, 3>;

// `count` convolutions, one after the other.
void Run(const Convolution& c, int64_t count, const Buffers& buffers) {
  dnnl::stream stream(Engine());
  size_t bytes = Aligned(c.scratch), at = bytes;
  for (const Array& array : c.arrays) bytes += array.reorder ? Aligned(array.wanted.get_size()) : 0;
  static thread_local Scratch kept;
  char* const scratch = kept.Of(bytes);
  std::unordered_map<int, memory> arguments;
  std::vector<memory> plain;
  arguments[DNNL_ARG_SCRATCHPAD] = memory(c.desc.scratchpad_desc(), Engine(), scratch);
  for (size_t i = 0; i < 3; ++i) {
    const Array& array = c.arrays[i];
    plain.emplace_back(array.plain, Engine(), buffers[i].data);
    arguments[array.argument] = array.reorder ? memory(array.wanted, Engine(), scratch + at) : plain[i];
    at += array.reorder ? Aligned(array.wanted.get_size()) : 0;
  }
  for (int64_t convolution = 0; convolution < count; ++convolution) {
    for (size_t i = 0; i < 3; ++i) {
      plain[i].set_data_handle(buffers[i].data + convolution * buffers[i].step);
      const bool fresh = convolution == 0 || buffers[i].step > 0;
      if (i < 2 && c.arrays[i].reorder && fresh) {
        c.arrays[i].reorder.execute(stream, plain[i], arguments[c.arrays[i].argument]);
      }
    }
    if (c.clear) std::memset(scratch, 0, c.scratch);
    c.primitive.execute(stream, arguments);
    if (c.arrays[2].reorder) c.arrays[2].reorder.execute(stream, arguments[c.arrays[2].argument], plain[2]);
  }
  stream.wait();
}

// One convolution, each thread with a part of its batch; kernel gradients are summed in the parts' order.
void RunParts(const Problem& p, const Threads& threads, const Buffers& buffers) {
  const int64_t n = p.x[0], parts = threads.count(), kernel = buffers[2].bytes / sizeof(float);
  const bool sums = p.map == kWgrad;
  static thread_local Scratch kept;
  float* const sum = reinterpret_cast<float*>(buffers[2].data);
  float* const others = sums ? reinterpret_cast<float*>(kept.Of((parts - 1) * buffers[2].bytes)) : nullptr;
  threads.Share(n, [&](int64_t part, int64_t first, int64_t last) {
    Problem some = p;
    some.x[0] = some.y[0] = last - first;
    some.one_thread = true;
    Buffers share = buffers;
    for (size_t i = 0; i < 3; ++i) {
      if (i != (sums ? 2 : 1)) share[i].data += buffers[i].bytes / n * first;
    }
    if (sums && part > 0) share[2].data = reinterpret_cast<char*>(others + (part - 1) * kernel);
    Run(*Find(some, Make), 1, share);
  });
  for (int64_t part = 1; sums && part < parts; ++part) {
    const float* const other = others + (part - 1) * kernel;
    for (int64_t i = 0; i < kernel; ++i) sum[i] += other[i];
  }
}

// Whether the threads' shares of n are about the same.
bool Even(int64_t n, int64_t threads) { return n % threads == 0 || n >= 8 * threads; }

// `count` convolutions by all threads. They share the convolutions, or else the batch, unless that is small beside the
// kernel, which each of them reorders or, a gradient, sums for itself. What is left goes to OpenMP's threads.
void Compute(const Problem& p, const Threads& threads, int64_t count, const Buffers& buffers) {
  if (Even(count, threads.count())) {
    Problem alone = p;
    alone.one_thread = true;
    threads.Share(count, [&](int64_t, int64_t first, int64_t last) {
      Buffers share = buffers;
      for (Buffer& buffer : share) buffer.data += first * buffer.step;
      Run(*Find(alone, Make), last - first, share);
    });
    return;
  }
  const size_t kernel = buffers[p.map == kWgrad ? 2 : 1].bytes;
  const size_t images = buffers[0].bytes + buffers[p.map == kWgrad ? 1 : 2].bytes;
  const bool sums_bfloat16 = p.map == kWgrad && p.result_bytes == 2;
  if (!Even(p.x[0], threads.count()) || kernel * threads.count() > images || sums_bfloat16) {
    Run(*Find(p, Make), count, buffers);
    return;
  }
  for (int64_t convolution = 0; convolution < count; ++convolution) {
    Buffers one = buffers;
    for (Buffer& buffer : one) buffer.data += convolution * buffer.step;
    RunParts(p, threads, one);
  }
}

using Ints = ffi::Span<const int64_t>;

Dims Vector(Ints values) { return Dims(values.begin(), values.end()); }

ffi::Error Convolve(ffi::ThreadPool pool, ffi::AnyBuffer first, ffi::AnyBuffer second,
                    ffi::Result<ffi::AnyBuffer> result, int64_t map, Ints stride, Ints low, Ints high, Ints dilation,
                    int64_t groups) {
  if (first.element_count() == 0 || second.element_count() == 0) {  // vmap over no examples, say
    std::memset(result->untyped_data(), 0, result->size_bytes());
    return ffi::Error::Success();
  }
  const ffi::AnyBuffer* arrays[] = {&first, &second, &*result};
  const size_t rank = stride.size() + 2;
  Dims shapes[3];
  Buffers buffers;
  int64_t count = 1;
  for (size_t i = 0; i < 3; ++i) {
    const Ints dims = arrays[i]->dimensions();
    const size_t leading = dims.size() - rank;
    if (leading > 1) return ffi::Error::InvalidArgument("oneDNN: an array of the wrong rank");
    shapes[i].assign(dims.begin() + leading, dims.end());
    const size_t bytes = arrays[i]->size_bytes() / (leading ? dims[0] : 1);
    buffers[i] = {static_cast<char*>(arrays[i]->untyped_data()), bytes, leading ? bytes : 0};
    if (leading) count = dims[0];
  }
  Problem p{static_cast<Map>(map),
            static_cast<int64_t>(ffi::ByteWidth(first.element_type())),
            static_cast<int64_t>(ffi::ByteWidth(result->element_type())),
            groups, {}, {}, {}, Vector(stride), Vector(low), Vector(high), Vector(dilation)};
  p.x = shapes[map == kDgrad ? 2 : 0];
  p.kernel = shapes[map == kWgrad ? 2 : 1];
  p.y = shapes[map == kFprop ? 2 : map == kDgrad ? 0 : 1];
  try {
    Compute(p, Threads(pool), count, buffers);
  } catch (const std::exception& error) {
    return ffi::Error::Internal(std::string("oneDNN: ") + error.what() + ", in " + Text(p));
  }
  return ffi::Error::Success();
}

}  // namespace

// What oneDNN would compute a problem with, or an empty string where it can't.
EXPORT const char* jaxcnn_onednn_implementation(int64_t map, int64_t operand_bytes, int64_t result_bytes,
                                                int64_t groups, int64_t axes, const int64_t* x, const int64_t* kernel,
                                                const int64_t* y, const int64_t* stride, const int64_t* low,
                                                const int64_t* high, const int64_t* dilation) {
  static thread_local std::string name;
  const auto shape = [axes](const int64_t* dims) { return Dims(dims, dims + axes + 2); };
  const auto each = [axes](const int64_t* numbers) { return Dims(numbers, numbers + axes); };
  try {
    name = Describe({static_cast<Map>(map), operand_bytes, result_bytes, groups, shape(x), shape(kernel), shape(y),
                     each(stride), each(low), each(high), each(dilation)})
               .impl_info_str();
  } catch (const std::exception&) {
    name.clear();
  }
  return name.c_str();
}

EXPORT int64_t jaxcnn_onednn_version() { return dnnl_version()->major * 1000 + dnnl_version()->minor; }

// The version of XLA's FFI that the handler speaks.
EXPORT int64_t jaxcnn_onednn_ffi_version() { return XLA_FFI_API_MAJOR * 1000 + XLA_FFI_API_MINOR; }

EXPORT bool jaxcnn_amd() { return __builtin_cpu_is("amd"); }

EXPORT XLA_FFI_Error* jaxcnn_onednn_convolve(XLA_FFI_CallFrame* frame) {
  static auto* handler = ffi::Ffi::Bind()
                             .Ctx<ffi::ThreadPool>()
                             .Arg<ffi::AnyBuffer>()
                             .Arg<ffi::AnyBuffer>()
                             .Ret<ffi::AnyBuffer>()
                             .Attr<int64_t>("map")
                             .Attr<Ints>("stride")
                             .Attr<Ints>("low")
                             .Attr<Ints>("high")
                             .Attr<Ints>("dilation")
                             .Attr<int64_t>("groups")
                             .To(Convolve)
                             .release();
  return handler->Call(frame);
}
