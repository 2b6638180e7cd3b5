// Convolution's three linear maps over oneDNN 3, as XLA FFI handlers. The Python side is onednn.py.
//
// Arrays are XLA's own: images (n, *spatial, channels), kernels (*window, in / groups, out), row-major. A leading axis
// on any of them makes a batch of convolutions, each with its own images or kernel; one without it serves them all.

#include "onednn.h"
#include "threads.h"

#include <algorithm>
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
  std::vector<std::tuple<memory::desc, memory::desc, dnnl::reorder>> slices;  // the same of a kernel, some outputs each
};

struct Convolution {
  dnnl::primitive_desc_base desc;
  dnnl::primitive primitive;
  std::vector<Array> arrays;
  size_t scratch;  // bytes that the primitive works in
  bool clear;      // whether they must be zero
  bool slow;       // plain loops, for what no fast implementation takes
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

// How a kernel is reordered in slices of its outputs, none of which cuts one of the blocks that it is reordered to.
decltype(Array::slices) Slices(const memory::desc& from, const memory::desc& to, int64_t groups) {
  constexpr int64_t kSlices = 8;
  decltype(Array::slices) slices;
  Dims dims = from.get_dims(), offsets(dims.size());
  const int64_t axis = groups > 1 ? 1 : 0, outs = dims[axis];
  int64_t block = 1;
  for (int i = 0; i < to.get_inner_nblks(); ++i) block *= to.get_inner_idxs()[i] == axis ? to.get_inner_blks()[i] : 1;
  const int64_t step = (outs + kSlices * block - 1) / (kSlices * block) * block;
  for (; offsets[axis] < outs; offsets[axis] += step) {
    dims[axis] = std::min(step, outs - offsets[axis]);
    const memory::desc plain = from.submemory_desc(dims, offsets), wanted = to.submemory_desc(dims, offsets);
    slices.emplace_back(plain, wanted, dnnl::reorder(dnnl::reorder::primitive_desc(Engine(), plain, Engine(), wanted)));
  }
  return slices;
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
  made.slow = std::strncmp(made.desc.impl_info_str(), "ref", 3) == 0;
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
      if (i == 1 && is_kernel) array.slices = Slices(from, to, p.groups);
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
  bool reordered = false;  // whether it lies there as the primitive wants it
};
using Buffers = std::array<Buffer, 3>;

// `count` convolutions, one after the other.
void Run(const Convolution& c, int64_t count, const Buffers& buffers) {
  dnnl::stream stream(Engine());
  size_t bytes = Aligned(c.scratch), at = bytes;
  for (const Array& array : c.arrays) bytes += array.reorder ? Aligned(array.wanted.get_size()) : 0;
  const Borrowed borrowed(bytes);
  char* const scratch = borrowed.data();
  std::unordered_map<int, memory> arguments;
  std::vector<memory> plain;
  arguments[DNNL_ARG_SCRATCHPAD] = memory(c.desc.scratchpad_desc(), Engine(), scratch);
  bool reorders[3];
  for (size_t i = 0; i < 3; ++i) {
    const Array& array = c.arrays[i];
    reorders[i] = array.reorder && !buffers[i].reordered;
    plain.emplace_back(buffers[i].reordered ? array.wanted : array.plain, Engine(), buffers[i].data);
    arguments[array.argument] = reorders[i] ? memory(array.wanted, Engine(), scratch + at) : plain[i];
    at += reorders[i] ? Aligned(array.wanted.get_size()) : 0;
  }
  for (int64_t convolution = 0; convolution < count; ++convolution) {
    for (size_t i = 0; i < 3; ++i) {
      plain[i].set_data_handle(buffers[i].data + convolution * buffers[i].step);
      const bool fresh = convolution == 0 || buffers[i].step > 0;
      if (i < 2 && reorders[i] && fresh) c.arrays[i].reorder.execute(stream, plain[i], arguments[c.arrays[i].argument]);
    }
    if (c.clear) std::memset(scratch, 0, c.scratch);
    c.primitive.execute(stream, arguments);
    if (reorders[2]) c.arrays[2].reorder.execute(stream, arguments[c.arrays[2].argument], plain[2]);
  }
  stream.wait();
}

// A convolution that one thread computes of a larger one, and where its images begin in the larger one's.
struct Part {
  Problem problem;
  int64_t x = 0, y = 0;  // entries of the images that lie before
};

// The entries of an array along its axes from `first` on.
int64_t Volume(const Dims& dims, size_t first) {
  int64_t product = 1;
  for (size_t i = first; i < dims.size(); ++i) product *= dims[i];
  return product;
}

// Parts with a share of the first n images each.
std::vector<Part> Batches(const Problem& p, int64_t n, int64_t count) {
  std::vector<Part> parts;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t first = n * i / count, last = n * (i + 1) / count;
    Part part{p, first * Volume(p.x, 1), first * Volume(p.y, 1)};
    part.problem.x[0] = part.problem.y[0] = last - first;
    part.problem.one_thread = true;
    parts.push_back(part);
  }
  return parts;
}

// Parts of image n with some of its rows each: of y, or of x where that is the result, and of the other what they meet. The
// padding of a part is what is left of it there. None where that can't be said so.
std::vector<Part> Rows(const Problem& p, int64_t n, int64_t count) {
  std::vector<Part> parts;
  const int64_t low = p.low[0], stride = p.stride[0], reach = (p.kernel[0] - 1) * p.dilation[0];
  const auto cut = [&](int64_t i) {
    const int64_t rows = p.map == kDgrad ? p.x[1] : p.y[1], row = rows * i / count;
    return p.map == kDgrad ? std::min((row + low + stride - 1) / stride * stride - low, rows) : row;  // in y's steps
  };
  for (int64_t i = 0; i < count; ++i) {
    int64_t x = 0, x_end = p.x[1], y = 0, y_end = p.y[1];
    if (p.map == kDgrad) {
      x = i == 0 ? 0 : cut(i), x_end = i + 1 == count ? p.x[1] : cut(i + 1);
      y = (std::max(x + low - reach, int64_t{0}) + stride - 1) / stride;
      y_end = std::min(y_end, (x_end - 1 + low) / stride + 1);
    } else {
      y = cut(i), y_end = cut(i + 1);
      x = std::max(y * stride - low, int64_t{0});
      x_end = std::min(x_end, (y_end - 1) * stride - low + reach + 1);
    }
    Part part{p, n * Volume(p.x, 1) + x * Volume(p.x, 2), n * Volume(p.y, 1) + y * Volume(p.y, 2)};
    Problem& some = part.problem;
    some.x[0] = some.y[0] = 1;
    some.x[1] = x_end - x;
    some.y[1] = y_end - y;
    some.low[0] = x + low - y * stride;
    some.high[0] = std::max((y_end - 1) * stride - low + reach + 1 - x_end, int64_t{0});  // a stride may leave rows over
    some.one_thread = true;
    if (some.x[1] < 1 || some.y[1] < 1 || some.low[0] < 0) return {};
    parts.push_back(std::move(part));
  }
  return parts;
}

// Has all threads reorder a kernel, each some of its outputs.
void Reorder(const Array& kernel, const Threads& threads, char* data, char* to) {
  threads.Each(kernel.slices.size(), [&](int64_t i) {
    const auto& [from_desc, to_desc, reorder] = kernel.slices[i];
    dnnl::stream stream(Engine());
    memory from(from_desc, Engine(), data), wanted(to_desc, Engine(), to);
    reorder.execute(stream, from, wanted);
    stream.wait();
  });
}

// One convolution in parts, by all threads; kernel gradients are summed in the parts' order. A kernel that is large
// beside the images is reordered once.
void RunParts(const Problem& p, const std::vector<Part>& parts, const Threads& threads, Buffers buffers) {
  const bool sums = p.map == kWgrad;
  std::optional<Borrowed> reordered;
  if (!sums && buffers[1].bytes * parts.size() > buffers[0].bytes + buffers[2].bytes) {
    const auto first = Find(parts[0].problem, Make);
    const Array& kernel = first->arrays[1];
    const bool shared = std::all_of(parts.begin(), parts.end(), [&](const Part& part) {
      return Find(part.problem, Make)->arrays[1].wanted == kernel.wanted;
    });
    if (kernel.reorder && shared) {
      reordered.emplace(kernel.wanted.get_size());
      Reorder(kernel, threads, buffers[1].data, reordered->data());
      buffers[1].data = reordered->data();
      buffers[1].reordered = true;
    }
  }
  const int64_t kernel = buffers[2].bytes / sizeof(float);
  const Borrowed borrowed(sums ? (parts.size() - 1) * buffers[2].bytes : 0);
  float* const sum = reinterpret_cast<float*>(buffers[2].data);
  float* const others = reinterpret_cast<float*>(borrowed.data());
  threads.Each(parts.size(), [&](int64_t i) {
    const auto& [some, x, y] = parts[i];
    const int64_t before[3][3] = {{x, 0, y}, {y, 0, x}, {x, y, 0}};
    Buffers share = buffers;
    for (size_t j = 0; j < 3; ++j) share[j].data += before[p.map][j] * (j == 2 ? p.result_bytes : p.operand_bytes);
    if (sums && i > 0) share[2].data = reinterpret_cast<char*>(others + (i - 1) * kernel);
    Run(*Find(some, Make), 1, share);
  });
  for (size_t part = 1; sums && part < parts.size(); ++part) {
    const float* const other = others + (part - 1) * kernel;
    for (int64_t i = 0; i < kernel; ++i) sum[i] += other[i];
  }
}

// Whether the threads' shares of n are about the same.
bool Even(int64_t n, int64_t threads) { return n % threads == 0 || n >= 8 * threads; }

// What the threads share of one convolution: whole images, and rows of those that are left over. None where these make no
// parts that are worth it.
std::vector<Part> Parts(const Problem& p, int64_t threads, const Buffers& buffers) {
  constexpr int64_t kFew = 500'000;  // products, which one thread makes while another would wake up
  const int64_t n = p.x[0];
  const size_t kernel = buffers[p.map == kWgrad ? 2 : 1].bytes;
  const size_t images = buffers[0].bytes + buffers[p.map == kWgrad ? 1 : 2].bytes;
  if (threads == 1 || Volume(p.y, 0) * (Volume(p.kernel, 0) / p.kernel.back()) < kFew) return Batches(p, n, 1);
  if (p.map == kWgrad && (kernel * threads > images || p.result_bytes == 2)) return {};  // each thread would sum all of it
  if (Even(n, threads)) return Batches(p, n, threads);
  const int64_t whole = n / threads * threads;
  auto parts = Batches(p, whole, whole ? threads : 0);
  for (int64_t image = whole; image < n; ++image) {
    const auto rows = Rows(p, image, threads);
    if (rows.empty()) return {};
    parts.insert(parts.end(), rows.begin(), rows.end());
  }
  return parts;
}

// `count` convolutions by all threads, which share the convolutions, or else each one's parts. OpenMP's threads compute
// what has none.
void Compute(const Problem& p, const Threads& threads, int64_t count, const Buffers& buffers) {
  if (count > 1 && Even(count, threads.count())) {
    Problem alone = p;
    alone.one_thread = true;
    threads.Share(count, [&](int64_t, int64_t first, int64_t last) {
      Buffers share = buffers;
      for (Buffer& buffer : share) buffer.data += first * buffer.step;
      Run(*Find(alone, Make), last - first, share);
    });
    return;
  }
  const auto parts = Parts(p, threads.count(), buffers);
  const bool slow = std::any_of(parts.begin(), parts.end(), [](const Part& part) { return Find(part.problem, Make)->slow; });
  if (parts.empty() || slow) {
    Run(*Find(p, Make), count, buffers);
    return;
  }
  for (int64_t convolution = 0; convolution < count; ++convolution) {
    Buffers one = buffers;
    for (Buffer& buffer : one) buffer.data += convolution * buffer.step;
    RunParts(p, parts, threads, one);
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

// The instructions that oneDNN uses, as dnnl_cpu_isa_t numbers them.
EXPORT int32_t jaxcnn_onednn_isa() { return dnnl_get_effective_cpu_isa(); }

EXPORT int64_t jaxcnn_kept() { return Kept(); }

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
