#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "conformance/data.h"
#include "qfw/backend.h"

namespace qfw::conformance {

/// A case as a finished graph and its data.
struct Prepared {
  Graph graph;
  std::vector<Tensor> feeds;          ///< in the order of Graph::inputs
  std::vector<Tensor> variables;      ///< of Graph::variables
  std::vector<Tolerance> tolerances;  ///< of Graph::fetches
};
Prepared prepare(const Case& one);

/// One backend with the graph compiled.
class Subject {
 public:
  Subject(const std::string& backend, const Graph& graph, int replicas);
  ~Subject();

  const std::string& unsupported() const { return unsupported_; }  ///< why it cannot run the graph; empty: it can

  struct Results {
    std::vector<Tensor> fetches, variables;
  };
  Results run(const Prepared& prepared, int steps);

 private:
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Communicator> replicas_;
  std::unique_ptr<Executable> executable_;
  std::string unsupported_;
};

/// A backend of its own, with its default options.
std::unique_ptr<Backend> make_backend(const std::string& name);

/// Why there is no such plugin, empty if there is one. Throws if there is but it cannot be used.
std::string missing(const std::string& backend);

}  // namespace qfw::conformance
