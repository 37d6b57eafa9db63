#include "io/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "io/checkpoint_header.h"
#include "io/checkpoint_version_1.h"
#include "io/hdf5.h"
#include "qfw/atomic_file.h"
#include "qfw/confined.h"
#include "qfw/regular_file.h"

namespace qfw {
namespace {

namespace fs = std::filesystem;

constexpr const char* format_name = "qfw checkpoint";
constexpr const char* misfit = "it belongs to another model or quantizer";

std::vector<CheckpointVariable> sorted(std::vector<CheckpointVariable> variables) {
  std::sort(variables.begin(), variables.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return variables;
}

hdf5::Handle open_group(hid_t file, const char* name, const hdf5::Place& place) {
  return hdf5::checked(H5Gopen2(file, name, H5P_DEFAULT), H5Gclose, "open the group", place);
}

std::vector<std::string> attribute_names(hid_t object, const hdf5::Place& place) {
  std::vector<std::string> names;
  const auto collect = [](hid_t, const char* name, const H5A_info_t*, void* to) -> herr_t {
    static_cast<std::vector<std::string>*>(to)->emplace_back(name);
    return 0;
  };
  hdf5::check(H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &names), "list attributes", place);
  return names;
}

std::vector<std::string> link_names(hid_t group, const hdf5::Place& place) {
  std::vector<std::string> names;
  const auto collect = [](hid_t, const char* name, const H5L_info_t*, void* to) -> herr_t {
    static_cast<std::vector<std::string>*>(to)->emplace_back(name);
    return 0;
  };
  hdf5::check(H5Lvisit(group, H5_INDEX_NAME, H5_ITER_INC, collect, &names), "list variables", place);
  return names;
}

/// What was among the metrics before it had a place of its own.
void take_from_metrics(CheckpointInfo& info) {
  if (info.metrics.erase("warm_start") > 0) info.warm_start = true;
  const auto seed = info.metrics.find("seed");
  if (seed == info.metrics.end()) return;
  constexpr double exact = 9007199254740992;  // 2^53: a larger one was not kept exactly, which is as if it had not been kept
  if (std::abs(seed->second) < exact) info.seed = static_cast<std::int64_t>(seed->second);
  info.metrics.erase(seed);
}

[[noreturn]] void refuse(const fs::path& path, CheckpointError::Kind kind, const std::string& what, const std::string& remedy) {
  throw CheckpointError(kind, fmt::format("[checkpoint] cannot use {}: {}; {}", path.string(), what, remedy));
}

std::vector<std::byte> bytes_of(const fs::path& path) try {
  const RegularFile file(path, "make it readable, or take it away to go on from an older one");
  std::vector<std::byte> bytes(file.size());
  file.read(0, bytes);
  return bytes;
} catch (const Error& error) {
  throw CheckpointError(CheckpointError::Kind::unreadable, error.what());
}

/// Makes `image` the whole file, with room for its header.
void fill(Hdf5Memory& image, const fs::path& path, const CheckpointInfo& info, std::span<const CheckpointVariable> unsorted,
          const ReadVariable& read) {
  const auto variables = sorted({unsorted.begin(), unsorted.end()});
  const hdf5::Place place{path, {}};
  const hdf5::Lock lock;
  hdf5::Handle file = hdf5::create_file(image, place, checkpoint_header_bytes);
  {
    hdf5::write_attribute(file.get(), "format", std::string(format_name), place);
    hdf5::write_attribute(file.get(), "version", std::int64_t{checkpoint_version}, place);
    hdf5::write_attribute(file.get(), "step", info.step, place);
    hdf5::write_attribute(file.get(), "data_epoch", info.data_epoch, place);
    hdf5::write_attribute(file.get(), "data_step", info.data_step, place);
    hdf5::write_attribute(file.get(), "recipe", info.recipe, place);
    if (!info.data.empty()) hdf5::write_attribute(file.get(), "data", info.data, place);
    if (info.warm_start) hdf5::write_attribute(file.get(), "warm_start", std::int64_t{1}, place);
    if (info.seed) hdf5::write_attribute(file.get(), "seed", *info.seed, place);
    const auto metrics = hdf5::create_group(file.get(), "metrics", place);
    for (const auto& [name, value] : info.metrics) hdf5::write_attribute(metrics.get(), name.c_str(), value, place);

    const auto group = hdf5::create_group(file.get(), "variables", place);
    std::vector<std::byte> bytes;
    for (const auto& variable : variables) {
      const hdf5::Place here{path, variable.name};
      bytes.resize(variable.type.bytes());
      read(variable.name, HostTensor{variable.type, bytes});
      const auto data_set = hdf5::create_data_set(group.get(), variable.name, variable.type, here);
      hdf5::write(data_set.get(), HostTensor{variable.type, bytes}, here);
    }
  }
  hdf5::finish_file(file, image, place);
}

}  // namespace

CheckpointError::CheckpointError(Kind kind, const std::string& message) : Error(Category::data, message), kind_(kind) {}

void save_checkpoint(const fs::path& path, const CheckpointInfo& info, std::span<const CheckpointVariable> variables,
                     const ReadVariable& read) {
  AtomicFile target(path);
  Hdf5Memory image;
  fill(image, path, info, variables, read);
  const auto contents = std::span(image.bytes()).subspan(checkpoint_header_bytes);
  target.write(checkpoint_header(contents));
  target.write(contents);
  target.commit();
}

struct Checkpoint::Impl {
  explicit Impl(const fs::path& path) : path(path), image(bytes_of(path)) {}
  ~Impl() {
    const hdf5::Lock lock;
    group = {};
    file = {};
  }

  fs::path path;
  Hdf5Memory image;
  hdf5::Handle file, group;
  CheckpointInfo info;
  std::vector<CheckpointVariable> variables;

  void open();
  void open_version_1();
  void parse();
  CheckpointContents verified() const;  ///< everything, as its checksum of version 1 says
};

/// Nothing is left to HDF5 but what is certainly as it was written.
void Checkpoint::Impl::open() {
  if (is_checkpoint_version_1(image.bytes())) return open_version_1();
  if (const CheckpointFault fault = fault_of_checkpoint(image.bytes())) {
    refuse(path, fault.other_version ? CheckpointError::Kind::foreign : CheckpointError::Kind::damaged, fault.what,
           fault.remedy);
  }
  parse();
  take_from_metrics(info);
}

/// Here the checksum lies within the HDF5 file and covers what was read from it: the library meets bytes that nothing vouches
/// for. It does so in a child process, and what the child read is taken on in the form of today.
void Checkpoint::Impl::open_version_1() try {
  Confinement limits = confinement_for(RegularFile(path), "checkpoint");
  limits.task = "reading a checkpoint of version 1";
  limits.place = path.string();
  limits.remedy = "use another checkpoint";
  CheckpointContents old = take_contents(run_confined(limits, [this](Answer& answer) {
    try {
      parse();
    } catch (const CheckpointError& error) {  // no checkpoint at all: the category tells the parent
      throw Error(Error::Category::usage, error.what());
    }
    put_contents(answer, verified());
  }));
  take_from_metrics(old.info);  // not before: the old checksum covers them where they were
  image.resize(0);
  fill(image, path, old.info, old.variables, [&](std::string_view name, HostTensor to) {
    const auto found = std::ranges::find(old.variables, name, &CheckpointVariable::name);
    std::ranges::copy(old.values[static_cast<std::size_t>(found - old.variables.begin())], to.bytes.begin());
  });
  parse();
} catch (const Error& error) {
  using Kind = CheckpointError::Kind;
  const auto category = error.category();
  throw CheckpointError(category == Error::Category::usage  ? Kind::foreign
                        : category == Error::Category::data ? Kind::damaged
                                                            : Kind::unreadable,
                        error.what());
}

void Checkpoint::Impl::parse() {
  const hdf5::Place place{path, {}};
  file = hdf5::open_file(image, place);
  std::string format;
  if (H5Aexists(file.get(), "format") > 0) hdf5::read_attribute(file.get(), "format", format, place);
  if (format != format_name) {
    refuse(path, CheckpointError::Kind::foreign,
           fmt::format("its attribute format is \"{}\", expected \"{}\"", format, format_name),
           "give a checkpoint, as qfw writes them");
  }
  hdf5::read_attribute(file.get(), "step", info.step, place);
  hdf5::read_attribute(file.get(), "data_epoch", info.data_epoch, place);
  hdf5::read_attribute(file.get(), "data_step", info.data_step, place);
  hdf5::read_attribute(file.get(), "recipe", info.recipe, place);
  if (H5Aexists(file.get(), "data") > 0) hdf5::read_attribute(file.get(), "data", info.data, place);
  if (H5Aexists(file.get(), "warm_start") > 0) {
    std::int64_t warm_start = 0;
    hdf5::read_attribute(file.get(), "warm_start", warm_start, place);
    info.warm_start = warm_start != 0;
  }
  if (H5Aexists(file.get(), "seed") > 0) hdf5::read_attribute(file.get(), "seed", info.seed.emplace(), place);
  const auto metrics = open_group(file.get(), "metrics", {path, "metrics"});
  for (const auto& name : attribute_names(metrics.get(), place)) {
    hdf5::read_attribute(metrics.get(), name.c_str(), info.metrics[name], {path, "metrics"});
  }

  group = open_group(file.get(), "variables", {path, "variables"});
  for (auto& name : link_names(group.get(), place)) {
    const hdf5::Place here{path, name};
    const auto object = hdf5::checked(H5Oopen(group.get(), name.c_str(), H5P_DEFAULT), H5Oclose, "open the object", here);
    if (H5Iget_type(object.get()) != H5I_DATASET) continue;
    TensorType type = hdf5::type_of(object.get(), here);
    variables.push_back({std::move(name), type});
  }
  variables = sorted(std::move(variables));
}

CheckpointContents Checkpoint::Impl::verified() const {
  CheckpointContents contents{.info = info, .variables = variables, .values = {}};
  for (const auto& variable : variables) {
    const hdf5::Place here{path, variable.name};
    const auto data_set = hdf5::open_data_set(group.get(), variable.name, here);
    // What is not stored cannot be read, so a damaged shape never asks for more memory than the file has.
    if (H5Dget_storage_size(data_set.get()) < variable.type.bytes()) {
      hdf5::failed(fmt::format("read {}: {} bytes are stored", variable.type.str(), H5Dget_storage_size(data_set.get())), here);
    }
    auto& bytes = contents.values.emplace_back(variable.type.bytes());
    hdf5::read(data_set.get(), HostTensor{variable.type, bytes}, here);
  }
  std::uint64_t stored = 0;
  hdf5::read_attribute(file.get(), "checksum", stored, {path, {}});
  if (const std::uint64_t found = sum_of_version_1(contents); found != stored) {
    refuse(path, CheckpointError::Kind::damaged, fmt::format("its checksum is {:08x}, its contents give {:08x}", stored, found),
           "the file is damaged; use another checkpoint");
  }
  return contents;
}

Checkpoint::Checkpoint(const fs::path& path) : impl_(std::make_unique<Impl>(path)) {
  const hdf5::Lock lock;
  impl_->open();
}
Checkpoint::~Checkpoint() = default;

const CheckpointInfo& Checkpoint::info() const { return impl_->info; }
const std::vector<CheckpointVariable>& Checkpoint::variables() const { return impl_->variables; }

void Checkpoint::read(std::string_view name, HostTensor to) const {
  const hdf5::Lock lock;
  const hdf5::Place here{impl_->path, std::string(name)};
  const auto found =
      std::find_if(impl_->variables.begin(), impl_->variables.end(), [&](const auto& v) { return v.name == name; });
  if (found == impl_->variables.end()) {
    refuse(impl_->path, CheckpointError::Kind::misfit, fmt::format("there is no variable {}", name), misfit);
  }
  if (found->type != to.type) {
    refuse(impl_->path, CheckpointError::Kind::misfit,
           fmt::format("variable {} is {}, expected {}", name, found->type.str(), to.type.str()), misfit);
  }
  hdf5::read(hdf5::open_data_set(impl_->group.get(), found->name, here).get(), to, here);
}

}  // namespace qfw
