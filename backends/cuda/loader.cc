#include "loader.h"

#include "qfw/error.h"

namespace qfw::cuda {

Loader::Handle Loader::ask(KernelSource source) {
  const auto [at, is_new] = entries_.try_emplace(source.name);
  Entry& entry = at->second;
  if (is_new) {
    entry = {std::move(source.text), std::make_shared<std::shared_ptr<Function>>()};
    asked_.push_back(at->first);
  } else if (entry.text != source.text) {
    fail(Error::Category::internal, "cuda", "two kernels are called " + source.name);
  }
  return entry.function;
}

void Loader::load() {
  std::vector<KernelSource> sources;
  sources.reserve(asked_.size());
  for (const std::string& name : asked_) sources.push_back({name, entries_.at(name).text});
  std::vector<std::shared_ptr<Function>> functions = device_.load(sources);
  for (std::size_t i = 0; i < functions.size(); ++i) *entries_.at(asked_[i]).function = std::move(functions[i]);
  asked_.clear();
}

}  // namespace qfw::cuda
