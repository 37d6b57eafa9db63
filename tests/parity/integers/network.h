#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "run/session.h"

namespace qfw::parity {

/// A quantized network to evaluate, all of whose sites are integer.
struct Network {
  std::string name, recipe;
  std::int64_t images = 2;
};

const std::vector<Network>& networks();
const Network& network(std::string_view name);  ///< throws for a name that is not there

std::unique_ptr<Session> session_of(const Network& network, const std::string& backend, int threads);
/// Evaluates random images with random weights, batch norms and bounds, which depend on names only.
std::vector<float> logits_of(const Network& network, Session& session);
inline std::vector<float> logits_of(const Network& network, const std::string& backend, int threads) {
  return logits_of(network, *session_of(network, backend, threads));
}

void save(const std::vector<float>& values, const std::filesystem::path& file);
std::vector<float> load(const std::filesystem::path& file);

}  // namespace qfw::parity
