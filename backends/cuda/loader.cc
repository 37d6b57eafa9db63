#include "loader.h"

#include "code_dump.h"
#include "qfw/error.h"
#include "qfw/lowering/dump.h"

namespace qfw::cuda {

Loader::Handle Loader::ask(KernelSource source) {
  const auto [at, is_new] = entries_.try_emplace(source.name);
  Entry& entry = at->second;
  if (is_new) {
    entry = {std::move(source.text), std::move(source.about), std::make_shared<std::shared_ptr<Function>>()};
    asked_.push_back(at->first);
  } else if (entry.text != source.text) {
    fail(Error::Category::internal, "cuda", "two kernels are called " + source.name);
  }
  return entry.function;
}

void Loader::load() {
  std::erase_if(asked_, [&](const std::string& name) {
    const auto at = entries_.find(name);
    const bool is_wanted = at->second.function.use_count() > 1;
    if (!is_wanted) entries_.erase(at);
    return !is_wanted;
  });
  std::vector<KernelSource> sources;
  sources.reserve(asked_.size());
  for (const std::string& name : asked_) sources.push_back({name, entries_.at(name).text, entries_.at(name).about});
  std::vector<std::shared_ptr<Function>> functions = device_.load(sources);
  for (std::size_t i = 0; i < functions.size(); ++i) {
    if (lowering::is_dumped("code")) dump_code(sources[i], *functions[i]);
    *entries_.at(asked_[i]).function = std::move(functions[i]);
  }
  asked_.clear();
}

}  // namespace qfw::cuda
