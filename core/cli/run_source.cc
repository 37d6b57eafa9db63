#include "run_source.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include "io/checkpoint_folder.h"
#include "io/open_fault.h"
#include "io/tensor_file.h"
#include "qfw/error.h"

namespace qfw {

namespace {

namespace fs = std::filesystem;

/// Whether anything has that name, a link to nowhere too: reading it says what is wrong.
bool is_there(const fs::path& path) {
  std::error_code error;
  const fs::file_type type = fs::symlink_status(path, error).type();
  if (type != fs::file_type::none) return type != fs::file_type::not_found;
  fail(Error::Category::data, "run", fmt::format("cannot look for {}: {}", path.string(), error.message()), {},
       "make the folders of its path accessible to this user");
}

/// What neither a folder nor a file can be found behind.
void check_is_there(const fs::path& given) {
  constexpr const char* remedy = "name a run folder, or a checkpoint file in one";
  if (!is_there(given)) fail(Error::Category::usage, "run", "there is nothing at this path", given.string(), remedy);
  std::error_code error;
  const fs::file_type type = fs::status(given, error).type();
  if (type == fs::file_type::directory || type == fs::file_type::regular) return;
  fail(Error::Category::usage, "run", "this is no run: " + open_fault(given, error.value()), given.string(), remedy);
}

}  // namespace

void check_accessible(const fs::path& folder, std::string_view tag) {
  if (access(folder.c_str(), R_OK | X_OK) == 0 || errno != EACCES) return;
  fail(Error::Category::data, tag, "this user may not look into the folder", folder.string(), "make it readable");
}

RunSource find_run(const fs::path& given) {
  check_is_there(given);
  std::error_code unseen;
  if (fs::is_regular_file(given, unseen)) {
    const auto folder = fs::absolute(given).parent_path();
    for (const auto& candidate : {folder, folder.parent_path()}) {
      if (is_there(candidate / "recipe.ini")) return {candidate / "recipe.ini", given, std::make_unique<Checkpoint>(given)};
    }
    fail(Error::Category::usage, "run", "there is no recipe.ini beside the checkpoint or above it", given.string(),
         "name a file inside a run folder");
  }
  if (!is_there(given / "recipe.ini")) {
    fail(Error::Category::usage, "run", "this is no run folder: it has no recipe.ini", given.string(),
         "name a folder that `qfw run` made");
  }
  const auto checkpoints = checkpoints_in(given / "checkpoints");
  if (checkpoints.empty())
    fail(Error::Category::data, "run", "the run has no checkpoint yet", given.string(),
         "let `qfw run` reach one, or stop it with Ctrl-C");
  return {given / "recipe.ini", checkpoints.back(), open_checkpoint_of_run(checkpoints.back())};
}

namespace {

bool is_run(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder / "recipe.ini", error)) return false;
  return fs::exists(folder / "checkpoints", error) || fs::exists(folder / "status.json", error) ||
         fs::exists(folder / "report.json", error);
}

/// Whether what is there may be replaced by such a file.
bool is_of_kind(const fs::path& file, OutputKind kind) {
  switch (kind) {
    case OutputKind::weights:
      return has_format(file, weights_format);
    case OutputKind::logits:
      return has_format(file, logits_format);
    case OutputKind::json:
      break;
    case OutputKind::any:
      return true;
  }
  std::ifstream stream(file, std::ios::binary);
  const int first = stream.get();
  return first == '{' || first == '[';
}

const char* name_of(OutputKind kind) {
  switch (kind) {
    case OutputKind::weights:
      return "file of weights that qfw wrote";
    case OutputKind::logits:
      return "file of logits that qfw wrote";
    default:
      return "JSON";
  }
}

}  // namespace

void check_output(const fs::path& target, OutputKind kind) {
  std::error_code error;
  const fs::path file = fs::weakly_canonical(target, error), folder = file.parent_path();
  const bool exists = fs::exists(fs::symlink_status(file, error));
  const bool among_checkpoints = folder.filename() == "checkpoints" && is_run(folder.parent_path());
  if (among_checkpoints || (exists && is_run(folder))) {
    fail(Error::Category::usage, "output", "this would replace a file of a run", target.string(), "choose another name");
  }
  if (exists && access(file.c_str(), W_OK) != 0 && errno == EACCES) {
    fail(Error::Category::usage, "output", "there is a file of that name that this user may not write", target.string(),
         "choose another name, or take the protection away");
  }
  if (!fs::is_regular_file(file, error) || is_of_kind(file, kind)) return;  // what is no file the writer refuses itself
  fail(Error::Category::usage, "output", fmt::format("there is a file of that name that is no {}", name_of(kind)),
       target.string(), "move it away, or choose another name");
}

}  // namespace qfw
