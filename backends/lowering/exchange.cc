#include "qfw/lowering/exchange.h"

#include <fmt/format.h>

#include "qfw/error.h"

namespace qfw::lowering {

Exchange::Exchange(const Graph& graph, std::string backend) : backend_(std::move(backend)) {
  for (const Input& input : graph.inputs) inputs_.emplace_back(input.name, input.type);
  for (const Fetch& fetch : graph.fetches) fetches_.emplace_back(fetch.name, graph.type(fetch.use));
}

void Exchange::check(std::span<const HostView> feeds, std::span<const HostTensor> fetches) const {
  check_counts(feeds.size(), fetches.size());
  for (std::size_t i = 0; i < feeds.size(); ++i) check("input", i, inputs_[i], feeds[i].type, feeds[i].bytes.size());
  for (std::size_t i = 0; i < fetches.size(); ++i) check("fetch", i, fetches_[i], fetches[i].type, fetches[i].bytes.size());
}

void Exchange::check_known(std::span<const HostView> feeds) const {
  check_counts(feeds.size(), fetches_.size());
  for (std::size_t i = 0; i < feeds.size(); ++i) {
    if (!feeds[i].bytes.empty()) check("input", i, inputs_[i], feeds[i].type, feeds[i].bytes.size());
  }
}

void Exchange::check_counts(std::size_t feeds, std::size_t fetches) const {
  if (feeds == inputs_.size() && fetches == fetches_.size()) return;
  fail(Error::Category::usage, backend_.c_str(),
       fmt::format("the graph has {} inputs and {} fetches, found {} feeds and {} places to fetch to", inputs_.size(),
                   fetches_.size(), feeds, fetches),
       {}, "pass one tensor for each");
}

void Exchange::check(const char* what, std::size_t index, const Named& asked, const TensorType& found,
                     std::size_t bytes) const {
  if (found == asked.second && bytes == asked.second.bytes()) return;
  fail(Error::Category::usage, backend_.c_str(),
       fmt::format("{} {} is {}, found {} in {} bytes", what, index, asked.second.str(), found.str(), bytes), asked.first,
       "pass tensors of the graph's own types");
}

}  // namespace qfw::lowering
