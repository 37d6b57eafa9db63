#pragma once

#include <memory>
#include <string>

#include "code_pages.h"
#include "emitter.h"

namespace qfw::cpu::x86 {

/// The code of a pass. Passes that differ in nothing but extents share one, for as long as any of them lives.
class CompiledPass {
 public:
  /// Null where `why` says what kept it from being compiled. Any thread.
  static std::shared_ptr<const CompiledPass> of(const Passes& passes, Level level, std::string& why);

  CompiledPass(const Passes& passes, Level level, const std::string& name);

  Code whole() const { return pages_->at<Code>(0); }
  Code pivots() const { return pages_->at<Code>(entries_.pivots); }
  const std::string& name() const { return name_; }  ///< the same for the same code

 private:
  std::string name_;
  Entries entries_;
  std::unique_ptr<CodePages> pages_;
};

}  // namespace qfw::cpu::x86
