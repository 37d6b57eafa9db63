#include "runtime.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "qfw/error.h"

namespace qfw::onnxruntime {

/// The entries of the table that are used, by their places in it. A status is null, or an error to be released.
struct Functions {
  using Status = void*;

  const char* (*error_message)(const void* status);
  Status (*create_environment)(int severity, const char* name, void** environment);
  Status (*create_session)(const void* environment, const void* bytes, std::size_t size, const void* options, void** session);
  Status (*run)(void* session, const void* run_options, const char* const* input_names, const void* const* inputs,
                std::size_t input_count, const char* const* output_names, std::size_t output_count, void** outputs);
  Status (*create_options)(void** options);
  Status (*set_severity)(void* options, int severity);
  Status (*set_level)(void* options, int level);
  Status (*set_threads)(void* options, int threads);
  Status (*set_threads_between)(void* options, int threads);
  Status (*count[2])(const void* session, std::size_t* count);  // of inputs, of outputs
  Status (*type_of[2])(const void* session, std::size_t index, void** type);
  Status (*name_of[2])(const void* session, std::size_t index, void* allocator, char** name);
  Status (*create_tensor)(const void* memory, void* data, std::size_t bytes, const std::int64_t* shape, std::size_t rank,
                          int element, void** value);
  Status (*data_of)(void* value, void** data);
  Status (*tensor_type)(const void* type, const void** tensor);  // a view of it; null: it is no tensor
  Status (*element_of)(const void* tensor, int* element);
  Status (*rank_of)(const void* tensor, std::size_t* rank);
  Status (*extents_of)(const void* tensor, std::int64_t* extents, std::size_t rank);
  Status (*tensor_of)(const void* value, void** tensor);
  Status (*create_memory)(int allocator, int kind, void** memory);
  Status (*free)(void* allocator, void* pointer);
  Status (*allocator)(void** allocator);
  void (*release_environment)(void*);
  void (*release_status)(void*);
  void (*release_memory)(void*);
  void (*release_session)(void*);
  void (*release_value)(void*);
  void (*release_type)(void*);
  void (*release_tensor)(void*);
  void (*release_options)(void*);
  Status (*metadata_of)(const void* session, void** metadata);
  Status (*look_up)(const void* metadata, void* allocator, const char* key, char** value);
  void (*release_metadata)(void*);
  Status (*configure)(void* options, const char* key, const char* value);

  explicit Functions(const void* const* table) {
    const auto bind = [&]<class F>(F*& to, int place) { to = reinterpret_cast<F*>(const_cast<void*>(table[place])); };
    bind(error_message, 2);
    bind(create_environment, 3);
    bind(create_session, 8);
    bind(run, 9);
    bind(create_options, 10);
    bind(set_severity, 22);
    bind(set_level, 23);
    bind(set_threads, 24);
    bind(set_threads_between, 25);
    bind(count[0], 30);
    bind(count[1], 31);
    bind(type_of[0], 33);
    bind(type_of[1], 34);
    bind(name_of[0], 36);
    bind(name_of[1], 37);
    bind(create_tensor, 49);
    bind(data_of, 51);
    bind(tensor_type, 55);
    bind(element_of, 60);
    bind(rank_of, 61);
    bind(extents_of, 62);
    bind(tensor_of, 65);
    bind(create_memory, 69);
    bind(free, 76);
    bind(allocator, 78);
    bind(release_environment, 92);
    bind(release_status, 93);
    bind(release_memory, 94);
    bind(release_session, 95);
    bind(release_value, 96);
    bind(release_type, 98);
    bind(release_tensor, 99);
    bind(release_options, 100);
    bind(metadata_of, 111);
    bind(look_up, 116);
    bind(release_metadata, 118);
    bind(configure, 130);
  }
};

namespace {

constexpr int severity_fatal = 4;  // what goes wrong comes back as a status; nothing is to be written on stderr beside it

int number_of(const std::string& level) {
  if (level == "disable_all") return 0;
  if (level == "basic") return 1;
  return level == "extended" ? 2 : 99;
}

/// Releases what a function of the API made when the scope ends.
class Guarded {
 public:
  explicit Guarded(void (*release)(void*)) : release_(release) {}
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() {
    if (object != nullptr) release_(object);
  }
  void* object = nullptr;

 private:
  void (*release_)(void*);
};

}  // namespace

std::string in_short(std::string_view complaint) {
  constexpr std::size_t most = 240;
  // "/src/graph.cc:1617 void Graph::Resolve(const Options&) This is an invalid model."
  if (const auto file = complaint.find(".cc:"); complaint.starts_with('/') && file != std::string_view::npos) {
    int open = 0;
    for (std::size_t i = complaint.find('(', file); i < complaint.size(); ++i) {
      open += complaint[i] == '(' ? 1 : complaint[i] == ')' ? -1 : 0;
      if (open > 0) continue;
      complaint.remove_prefix(i + 1);
      break;
    }
  }
  const auto begin = complaint.find_first_not_of(" \n");
  complaint.remove_prefix(std::min(begin, complaint.size()));
  std::string text(complaint.substr(0, complaint.find('\n')));
  text.erase(text.find_last_not_of(' ') + 1);
  if (text.size() > most) text.replace(most, text.size() - most, "...");
  return text;
}

Runtime::Runtime(Library library)
    : library_(std::move(library)), functions_(std::make_unique<const Functions>(library_.functions)) {
  check(functions_->create_environment(severity_fatal, "qfw", &environment_), "to start");
}

Runtime::~Runtime() {
  if (environment_ != nullptr) functions_->release_environment(environment_);
}

void Runtime::check(void* status, std::string_view tried) const {
  if (status == nullptr) return;
  std::string reason = in_short(functions_->error_message(status));
  functions_->release_status(status);
  throw Refusal(fmt::format("[onnxruntime] ONNX Runtime {} refuses {}: {} ({})", version(), tried, reason, file()),
                std::move(reason));
}

Session::Session(std::shared_ptr<const Runtime> runtime, std::string_view model, const Treatment& treatment, std::string name)
    : runtime_(std::move(runtime)), name_(std::move(name)) {
  const Functions& api = *runtime_->functions_;
  Guarded options(api.release_options);
  runtime_->check(api.create_options(&options.object), "to make options");
  runtime_->check(api.set_severity(options.object, severity_fatal), "a level of logging");
  runtime_->check(api.set_level(options.object, number_of(treatment.level)), "a level of optimization");
  runtime_->check(api.set_threads(options.object, treatment.threads), "a number of threads");
  runtime_->check(api.set_threads_between(options.object, 1), "a number of threads");
  // Threads that wait sleep, for others use the machine, too. Subnormal numbers stay as ONNX Runtime treats them: as it is
  // where the model will run.
  runtime_->check(api.configure(options.object, "session.intra_op.allow_spinning", "0"), "an option");
  runtime_->check(api.create_session(runtime_->environment_, model.data(), model.size(), options.object, &session_), name_);
  constexpr int arena = 1, default_kind = 0;
  try {
    runtime_->check(api.create_memory(arena, default_kind, &memory_), "memory");
    inputs_ = ports(true);
    outputs_ = ports(false);
  } catch (...) {
    if (memory_ != nullptr) api.release_memory(memory_);
    api.release_session(session_);
    throw;
  }
}

Session::~Session() {
  const Functions& api = *runtime_->functions_;
  release_results();
  if (input_ != nullptr) api.release_value(input_);
  api.release_memory(memory_);
  api.release_session(session_);
}

std::vector<Session::Port> Session::ports(bool inputs) const {
  const Functions& api = *runtime_->functions_;
  const int which = inputs ? 0 : 1;
  std::size_t count = 0;
  void* allocator = nullptr;  // the default one is nobody's
  runtime_->check(api.allocator(&allocator), "memory");
  runtime_->check(api.count[which](session_, &count), "to list inputs and outputs");
  std::vector<Port> ports(count);
  for (std::size_t i = 0; i < count; ++i) {
    char* name = nullptr;
    runtime_->check(api.name_of[which](session_, i, allocator, &name), "to name an input or output");
    ports[i].name = name;
    runtime_->check(api.free(allocator, name), "to free a name");
    Guarded type(api.release_type);
    runtime_->check(api.type_of[which](session_, i, &type.object), "to tell a type");
    const void* tensor = nullptr;
    runtime_->check(api.tensor_type(type.object, &tensor), "to tell a type");
    if (tensor == nullptr) continue;
    int element = 0;
    std::size_t rank = 0;
    runtime_->check(api.element_of(tensor, &element), "to tell a type");
    runtime_->check(api.rank_of(tensor, &rank), "to tell a shape");
    ports[i].shape.resize(rank);
    runtime_->check(api.extents_of(tensor, ports[i].shape.data(), rank), "to tell a shape");
    ports[i].element = element == 1 ? Element::f32 : element == 2 ? Element::u8 : Element::other;
  }
  return ports;
}

std::string Session::metadata(const std::string& key) const {
  const Functions& api = *runtime_->functions_;
  void* allocator = nullptr;
  runtime_->check(api.allocator(&allocator), "memory");
  Guarded metadata(api.release_metadata);
  runtime_->check(api.metadata_of(session_, &metadata.object), "to tell a model's metadata");
  char* value = nullptr;
  runtime_->check(api.look_up(metadata.object, allocator, key.c_str(), &value), "to tell a model's metadata");
  if (value == nullptr) return {};
  std::string text = value;
  runtime_->check(api.free(allocator, value), "to free a text");
  return text;
}

std::span<std::byte> Session::make_input(const std::vector<std::int64_t>& shape) {
  const Functions& api = *runtime_->functions_;
  const Element element = inputs_.at(0).element;
  std::size_t bytes = element == Element::f32 ? sizeof(float) : 1;
  for (const std::int64_t extent : shape) bytes *= static_cast<std::size_t>(extent);
  buffer_.assign(bytes, std::byte{0});
  if (input_ != nullptr) api.release_value(std::exchange(input_, nullptr));
  runtime_->check(
      api.create_tensor(memory_, buffer_.data(), bytes, shape.data(), shape.size(), static_cast<int>(element), &input_),
      "an input");
  return buffer_;
}

void Session::release_results() {
  for (void*& value : values_) {
    if (value != nullptr) runtime_->functions_->release_value(std::exchange(value, nullptr));
  }
}

const std::vector<Session::Result>& Session::run() {
  const Functions& api = *runtime_->functions_;
  release_results();
  values_.assign(asked_.size(), nullptr);
  results_.resize(asked_.size());
  std::vector<const char*> names;
  for (const std::string& output : asked_) names.push_back(output.c_str());
  const char* input_name = inputs_.at(0).name.c_str();
  const void* input = input_;
  runtime_->check(api.run(session_, nullptr, &input_name, &input, 1, names.data(), names.size(), values_.data()),
                  "to run " + name_);
  for (std::size_t i = 0; i < values_.size(); ++i) {
    Guarded tensor(api.release_tensor);
    runtime_->check(api.tensor_of(values_[i], &tensor.object), "to tell a result's type");
    int element = 0;
    std::size_t rank = 0;
    runtime_->check(api.element_of(tensor.object, &element), "to tell a result's type");
    runtime_->check(api.rank_of(tensor.object, &rank), "to tell a result's shape");
    Result& result = results_[i];
    result.shape.resize(rank);
    runtime_->check(api.extents_of(tensor.object, result.shape.data(), rank), "to tell a result's shape");
    if (element != static_cast<int>(Element::f32)) {
      fail(Error::Category::data, "onnxruntime", fmt::format("{} of {} is no tensor of 32-bit floats", asked_[i], name_));
    }
    std::size_t elements = 1;
    for (const std::int64_t extent : result.shape) elements *= static_cast<std::size_t>(extent);
    void* data = nullptr;
    runtime_->check(api.data_of(values_[i], &data), "to give a result");
    result.values = {static_cast<const float*>(data), elements};
  }
  return results_;
}

}  // namespace qfw::onnxruntime
