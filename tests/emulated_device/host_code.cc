#include "host_code.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <boost/context/fiber.hpp>
#include <boost/context/pooled_fixedsize_stack.hpp>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>

#include "qfw/denormals.h"
#include "qfw/random.h"

namespace emulated {
namespace {

namespace fs = std::filesystem;
namespace context = boost::context;

constexpr unsigned warp_size = 32;
constexpr std::size_t stack_bytes = 32768;

fs::path cache_folder() {
  const char* chosen = std::getenv("QFW_EMULATED_CODE");
  return chosen != nullptr ? chosen : QFW_EMULATED_CODE_FOLDER;
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("emulated device: cannot read " + file.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string unique(const fs::path& file) {
  static std::atomic<int> number = 0;
  return fmt::format("{}.{}.{}", file.string(), getpid(), number++);
}

void write(const fs::path& file, std::string_view text) {
  std::ofstream out(file, std::ios::binary);
  out << text;
  if (!out.flush()) throw std::runtime_error("emulated device: cannot write " + file.string());
}

/// A device refuses accesses that are not aligned; host_cuda.h has what is called then.
constexpr std::string_view options =
    "-std=c++20 -O1 -w -ffp-contract=off -fno-math-errno -fPIC -fsanitize=alignment -fno-sanitize-recover=alignment "
    "-static-libubsan";

/// `arguments` besides those that all code is compiled with. Throws with what the compiler says.
void call_compiler(const std::string& arguments, const std::string& source) {
  const std::string log = unique(source + ".log");
  const std::string command =
      fmt::format("'{}' {} -I '{}' {} > '{}' 2>&1", QFW_HOST_COMPILER, options, QFW_EMULATED_HEADERS, arguments, log);
  const int status = std::system(command.c_str());
  const std::string said = text_of(log);
  fs::remove(log);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw std::runtime_error(fmt::format("emulated device: {} does not compile:\n{}", source, said));
  }
}

/// What all code begins with, as a header that is compiled once: most of the time of a compilation is its own.
fs::path compiled_headers(std::string_view headers) {
  std::string text = fmt::format("// {}, {}\n#include \"host_cuda.h\"\n{}\n", QFW_HOST_COMPILER_VERSION, options, headers);
  std::string all = text;
  for (const char* header : {"host_cuda.h", "host_thread.h"}) all += text_of(fs::path(QFW_EMULATED_HEADERS) / header);
  const fs::path folder = cache_folder() / fmt::format("headers-{:016x}", qfw::hash_of(all)), header = folder / "all.h";
  if (fs::exists(header)) return header;
  const fs::path mine = unique(folder);
  fs::create_directories(mine);
  write(mine / "all.h", text);
  call_compiler(fmt::format("-x c++-header '{0}/all.h' -o '{0}/all.h.gch'", mine.string()), (mine / "all.h").string());
  std::error_code taken;
  fs::rename(mine, folder, taken);
  if (taken) fs::remove_all(mine);  // another process was faster
  return header;
}

/// Files appear by rename: several processes may compile the same.
fs::path compiled(std::string_view headers, const std::string& text) {
  const fs::path header = compiled_headers(headers);
  const std::string key = fmt::format("// {}\n{}", header.string(), text);
  const fs::path library = cache_folder() / fmt::format("{:016x}.so", qfw::hash_of(key));
  if (fs::exists(library)) return library;
  const std::string mine = unique(library);
  write(mine + ".cc", text);
  call_compiler(fmt::format("-include '{0}' -shared '{1}.cc' -o '{1}.so'", header.string(), mine), mine + ".cc");
  fs::rename(mine + ".so", library);
  fs::rename(mine + ".cc", fs::path(library).replace_extension(".cc"));
  return library;
}

/// A copy that was asked for and has not landed.
struct Copy {
  void* to;
  int count;
  std::array<unsigned char, 16> bytes;
};

struct Fiber {
  context::fiber fiber;
  Barrier waits = Barrier::none;
  bool done = false;
  std::deque<std::vector<Copy>> copies;  ///< groups, the last one open
};

/// The block that runs on this thread of the host.
struct Block {
  HostThread thread;
  std::vector<Fiber> fibers;
  std::vector<std::array<unsigned long long[16], warp_size>> slots;  ///< by warp
  unsigned current = 0;
  context::fiber back;
};
thread_local Block* running = nullptr;

void enter(Block& block, unsigned index) {
  const Dimensions extent = block.thread.block_extent;
  block.current = index;
  block.thread.thread = {index % extent.x, index / extent.x % extent.y, index / extent.x / extent.y};
  block.thread.lane = index % warp_size;
  block.thread.slots = block.slots.empty() ? nullptr : block.slots[index / warp_size].data();
}

void wait(Barrier barrier) {
  Block& block = *running;
  if (block.fibers.empty()) throw std::runtime_error("emulated device: a thread waits in a launch without barriers");
  const unsigned index = block.current;
  block.fibers[index].waits = barrier;
  block.back = std::move(block.back).resume();
  enter(block, index);
}

[[noreturn]] void misaligned(unsigned long address) {
  throw std::runtime_error(fmt::format("emulated device: an access at {:#x} is not aligned to its type", address));
}

void copy(void* to, const void* from, int bytes, bool inside) {
  const auto aligned = [bytes](const void* p) {
    return reinterpret_cast<std::uintptr_t>(p) % static_cast<unsigned>(bytes) == 0;
  };
  if (!aligned(to) || (inside && !aligned(from)))
    throw std::runtime_error(fmt::format("emulated device: cp.async of {} bytes is not aligned", bytes));
  auto& groups = running->fibers[running->current].copies;
  if (groups.empty()) groups.emplace_back();
  Copy copy{to, bytes, {}};
  if (inside) std::memcpy(copy.bytes.data(), from, static_cast<std::size_t>(bytes));
  groups.back().push_back(copy);
}

void commit() {
  auto& groups = running->fibers[running->current].copies;
  if (groups.empty()) groups.emplace_back();
  groups.emplace_back();
}

void wait_group(int n) {
  auto& groups = running->fibers[running->current].copies;
  for (; static_cast<int>(groups.size()) > n + 1; groups.pop_front()) {
    for (const Copy& copy : groups.front()) std::memcpy(copy.to, copy.bytes.data(), static_cast<std::size_t>(copy.count));
  }
}

/// One block's threads as fibers.
class BlockRun {
 public:
  BlockRun(Block& block, HostCode::Kernel kernel, void** arguments, unsigned threads) : block_(block), threads_(threads) {
    thread_local context::pooled_fixedsize_stack stacks(stack_bytes);
    block.fibers.clear();
    block.fibers.resize(threads);
    block.slots.resize((threads + warp_size - 1) / warp_size);
    for (unsigned t = 0; t < threads; ++t) {
      block.fibers[t].fiber = context::fiber(std::allocator_arg, stacks, [this, kernel, arguments, t](context::fiber&& back) {
        block_.back = std::move(back);
        try {
          kernel(arguments);
        } catch (const context::detail::forced_unwind&) {
          throw;  // the block is given up
        } catch (...) {
          error_ = std::current_exception();
        }
        block_.fibers[t].done = true;
        return std::move(block_.back);
      });
    }
  }

  void run(Schedule schedule) {
    for (bool moved = true; moved;) {
      moved = false;
      if (schedule != Schedule::in_step) moved = run_warps_ahead(schedule == Schedule::last_ahead);
      for (unsigned t = 0; t < threads_; ++t) moved = resume(t) || moved;
      for (unsigned first = 0; first < threads_; first += warp_size)
        moved = release(Barrier::warp, first, warp_end(first)) || moved;
      moved = release(Barrier::block, 0, threads_) || moved;
    }
    for (const Fiber& fiber : block_.fibers) {
      if (!fiber.done) throw std::runtime_error("emulated device: threads of a block wait at different barriers");
    }
  }

 private:
  unsigned warp_end(unsigned first) const { return std::min(first + warp_size, threads_); }

  bool run_warps_ahead(bool from_last) {
    bool moved = false;
    const unsigned warps = (threads_ + warp_size - 1) / warp_size;
    for (unsigned k = 0; k < warps; ++k) {
      const unsigned first = (from_last ? warps - 1 - k : k) * warp_size;
      for (bool more = true; more; moved = moved || more) {
        more = false;
        const unsigned end = warp_end(first);
        for (unsigned t = first; t < end; ++t) more = resume(from_last ? first + end - 1 - t : t) || more;
        more = release(Barrier::warp, first, warp_end(first)) || more;
      }
    }
    return moved;
  }

  bool resume(unsigned t) {
    Fiber& fiber = block_.fibers[t];
    if (fiber.done || fiber.waits != Barrier::none) return false;
    enter(block_, t);
    fiber.fiber = std::move(fiber.fiber).resume();
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    return true;
  }

  /// Lets threads [first, end) go on if all that are not done wait there.
  bool release(Barrier barrier, unsigned first, unsigned end) {
    bool any = false;
    for (unsigned t = first; t < end; ++t) {
      const Fiber& fiber = block_.fibers[t];
      if (fiber.done) continue;
      if (fiber.waits != barrier) return false;
      any = true;
    }
    for (unsigned t = first; t < end && any; ++t) block_.fibers[t].waits = Barrier::none;
    return any;
  }

  Block& block_;
  unsigned threads_;
  std::exception_ptr error_;
};

}  // namespace

HostCode HostCode::compile(std::string_view headers, std::span<const qfw::cuda::KernelSource> sources) {
  std::string text;
  for (const auto& source : sources) {
    text += fmt::format(
        "{0}\nextern \"C\" void {1}_on_host(void** arguments) {{ emulated::call(&{1}, arguments); }}\n"
        "extern \"C\" int {1}_sizes(unsigned long* to) {{ return emulated::sizes(&{1}, to); }}\n",
        source.text, source.name);
  }
  static std::mutex mutex;
  static std::map<std::string, void*> open;
  const std::lock_guard lock(mutex);
  const fs::path file = compiled(headers, text);
  void*& library = open[file.string()];
  if (library == nullptr) library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(fmt::format("emulated device: {}", dlerror()));
  HostCode code;
  code.library_ = library;
  code.bind_ = reinterpret_cast<void (*)(HostThread*)>(code.find("emulated_bind"));
  return code;
}

void* HostCode::find(const std::string& symbol) const {
  void* found = dlsym(library_, symbol.c_str());
  if (found == nullptr) throw std::runtime_error("emulated device: compiled code has no " + symbol);
  return found;
}

HostCode::Kernel HostCode::kernel(const std::string& name) const { return reinterpret_cast<Kernel>(find(name + "_on_host")); }

std::vector<std::size_t> HostCode::parameters(const std::string& name) const {
  std::array<unsigned long, 512> sizes{};
  const int count = reinterpret_cast<int (*)(unsigned long*)>(find(name + "_sizes"))(sizes.data());
  return {sizes.begin(), sizes.begin() + count};
}

void run_grid(const HostCode& code, HostCode::Kernel kernel, const qfw::cuda::LaunchShape& shape, void** arguments,
              Schedule schedule) {
  const qfw::FlushDenormals flush;
  Block block;
  std::vector<unsigned char> shared(shape.shared_bytes + 16);
  block.thread.block_extent = {shape.block[0], shape.block[1], shape.block[2]};
  block.thread.grid_extent = {shape.grid[0], shape.grid[1], shape.grid[2]};
  block.thread.shared = shared.data() + (16 - reinterpret_cast<std::uintptr_t>(shared.data()) % 16) % 16;
  block.thread.wait = wait;
  block.thread.misaligned = misaligned;
  block.thread.copy = copy;
  block.thread.commit = commit;
  block.thread.wait_group = wait_group;
  const unsigned threads = shape.block[0] * shape.block[1] * shape.block[2];
  const std::size_t blocks = std::size_t{shape.grid[0]} * shape.grid[1] * shape.grid[2];
  Block* const before = std::exchange(running, &block);
  code.bind(&block.thread);
  try {
    for (std::size_t i = 0; i < blocks; ++i) {
      const std::size_t b = schedule == Schedule::last_ahead ? blocks - 1 - i : i;
      block.thread.block = {static_cast<unsigned>(b % shape.grid[0]), static_cast<unsigned>(b / shape.grid[0] % shape.grid[1]),
                            static_cast<unsigned>(b / shape.grid[0] / shape.grid[1])};
      std::ranges::fill(shared, 0xa5);
      if (shape.barriers) {
        BlockRun(block, kernel, arguments, threads).run(schedule);
      } else {
        for (unsigned t = 0; t < threads; ++t) {
          enter(block, schedule == Schedule::last_ahead ? threads - 1 - t : t);
          kernel(arguments);
        }
      }
    }
  } catch (...) {
    running = before;
    throw;
  }
  running = before;
}

}  // namespace emulated
