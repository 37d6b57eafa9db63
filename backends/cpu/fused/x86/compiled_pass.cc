#include "compiled_pass.h"

#include <fmt/format.h>
#include <unistd.h>
#include <xxhash.h>

#include <cstdio>
#include <map>
#include <mutex>
#include <system_error>

#include "qfw/lowering/dump.h"

namespace qfw::cpu::x86 {
namespace {

/// What QFW_DUMP=code shows: the pass, and its code as binutils disassemble it, if they are there.
void dump(const std::string& name, const std::string& text, std::span<const std::byte> code) {
  fmt::print(stderr, "{}: {} bytes\n{}\n", name, code.size(), text);
  char path[] = "/tmp/qfw_code_XXXXXX";
  const int file = mkstemp(path);
  if (file < 0) return;
  const bool written = write(file, code.data(), code.size()) == static_cast<ssize_t>(code.size());
  close(file);
  const std::string command =
      fmt::format("objdump -D -b binary -m i386:x86-64 -M intel --no-show-raw-insn {} 2> /dev/null", path);
  if (std::FILE* listing = written ? popen(command.c_str(), "r") : nullptr) {
    char line[256];
    while (std::fgets(line, sizeof line, listing) != nullptr) std::fputs(line, stderr);
    pclose(listing);
  }
  unlink(path);
}

}  // namespace

std::shared_ptr<const CompiledPass> CompiledPass::of(const Passes& passes, Level level, std::string& why) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<const CompiledPass>> known;
  const std::string text = fmt::format("{}\n{}", name_of(level), passes.whole.text());
  const std::lock_guard lock(mutex);
  std::weak_ptr<const CompiledPass>& place = known[text];
  if (auto compiled = place.lock()) return compiled;
  const std::string name = fmt::format("fused_{:016x}", XXH3_64bits(text.data(), text.size()));
  try {
    auto compiled = std::make_shared<const CompiledPass>(passes, level, name);
    if (lowering::is_dumped("code")) dump(name, text, compiled->pages_->bytes());
    place = compiled;
    return compiled;
  } catch (const OutOfRegisters&) {
    why = "too many values at once";
  } catch (const Xbyak::Error& error) {  // longer than there is room for
    why = error.what();
  } catch (const std::system_error& error) {
    why = error.what();
  }
  known.erase(text);
  return nullptr;
}

CompiledPass::CompiledPass(const Passes& passes, Level level, const std::string& name) : name_(name) {
  const std::unique_ptr<Vectors> vectors = Vectors::make(level);
  entries_ = emit(passes, *vectors);
  vectors->ready();
  pages_ = std::make_unique<CodePages>(std::as_bytes(std::span(vectors->getCode(), vectors->getSize())), name);
}

}  // namespace qfw::cpu::x86
