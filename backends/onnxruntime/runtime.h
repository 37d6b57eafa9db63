#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "library.h"
#include "qfw/error.h"

namespace qfw::onnxruntime {

struct Functions;

/// What ONNX Runtime complains of.
class Refusal final : public Error {
 public:
  Refusal(const std::string& what, std::string reason) : Error(Category::device, what), reason_(std::move(reason)) {}
  const std::string& reason() const { return reason_; }  ///< in its words

 private:
  std::string reason_;
};

/// A complaint of ONNX Runtime's as a message bears it: its first line, without the place in its sources, and not too long.
std::string in_short(std::string_view complaint);

/// ONNX Runtime's C API, and its environment. What it complains of is a Refusal.
class Runtime {
 public:
  explicit Runtime(Library library);
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  ~Runtime();

  const std::string& version() const { return library_.version; }
  const std::string& file() const { return library_.file; }

 private:
  friend class Session;

  /// Throws if a call returned a status, telling what was tried.
  void check(void* status, std::string_view tried) const;

  Library library_;
  std::unique_ptr<const Functions> functions_;
  void* environment_ = nullptr;
};

/// How ONNX Runtime is to treat a model: its words for levels of optimization.
struct Treatment {
  std::string level = "all";  ///< disable_all, basic, extended, all
  int threads = 1;
};

/// A model that is loaded. One thread uses it.
class Session {
 public:
  /// `name` is the model's for messages.
  Session(std::shared_ptr<const Runtime> runtime, std::string_view model, const Treatment& treatment, std::string name);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  enum class Element { f32 = 1, u8 = 2, other = 0 };
  /// An input or output as the model declares it.
  struct Port {
    std::string name;
    Element element{};
    std::vector<std::int64_t> shape;  ///< -1: any extent
  };
  const std::vector<Port>& inputs() const { return inputs_; }
  const std::vector<Port>& outputs() const { return outputs_; }
  const std::string& name() const { return name_; }
  std::string metadata(const std::string& key) const;  ///< empty: it has none

  /// The buffer behind the model's only input, which run() reads: made once, zero.
  std::span<std::byte> make_input(const std::vector<std::int64_t>& shape);
  /// What run() shall give, in that order.
  void ask_for(std::vector<std::string> outputs) { asked_ = std::move(outputs); }

  /// A tensor of floats that run() gave, until the next one.
  struct Result {
    std::vector<std::int64_t> shape;
    std::span<const float> values;
  };
  const std::vector<Result>& run();

 private:
  std::vector<Port> ports(bool inputs) const;
  void release_results();

  std::shared_ptr<const Runtime> runtime_;
  std::string name_;
  void *session_ = nullptr, *memory_ = nullptr, *input_ = nullptr;
  std::vector<Port> inputs_, outputs_;
  std::vector<std::byte> buffer_;
  std::vector<std::string> asked_;
  std::vector<void*> values_;  ///< behind the results
  std::vector<Result> results_;
};

}  // namespace qfw::onnxruntime
