#include "run/same_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstring>
#include <iterator>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "io/checkpoint_folder.h"
#include "io/json.h"
#include "io/log.h"
#include "qfw/error.h"
#include "recipe/gather.h"
#include "util/text.h"

namespace qfw {

namespace {

/// "section.key" -> value of resolved recipe text, which has one key a line below its section header.
std::map<std::string, std::string> keys_of(std::string_view text) {
  std::map<std::string, std::string> keys;
  std::string section;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.starts_with('[')) {
      section = std::string(line.substr(1, line.rfind(']') - 1));
    } else if (const std::size_t equals = line.find(" = "); equals != std::string_view::npos && !line.starts_with('#')) {
      keys[section.empty() ? std::string(line.substr(0, equals)) : section + "." + std::string(line.substr(0, equals))] =
          std::string(line.substr(equals + 3));
    }
  }
  return keys;
}

/// Of keys, those that decide nothing about the values that training arrives at, at most about their last bits, or that mend
/// what stopped it.
bool may_differ(std::string_view key, std::string_view before, std::string_view after) {
  if (key == "dataset.cache") return before != "disk" && after != "disk";  // that one keeps smaller pictures

  if (key == "description") return true;
  if (key == "backend.compute") return false;
  for (const std::string_view section :
       {"train.epochs", "train.steps", "train.early_stop_steps", "train.recompute", "train.memory_limit_mib", "eval.",
        "checkpoint.", "metrics.", "backend.", "dataset.workers", "dataset.prefetch", "dataset.data_dir", "dataset.cache_mib",
        "dataset.cache_dir", "dataset.validation_split", "dataset.on_corrupt", "dataset.max_corrupt",
        "dataset.validation_labels", "dataset.index_dir"}) {
    if (key.starts_with(section)) return true;
  }
  return false;
}

struct Difference {
  std::string key, before, after;

  std::string str() const { return fmt::format("{} was {}, is {}", key, before, after); }
  bool is_name() const { return key.ends_with(".name"); }
  std::string section() const { return key.substr(0, key.rfind('.')); }
};

/// Of keys that may differ, and of others.
struct Differences {
  std::vector<Difference> harmless, decisive;
};

constexpr const char* absent = "absent";

/// Where another plugin was chosen, options that it does not have, or that nobody set, go without saying.
void leave_out_consequences(std::vector<Difference>& differences, const std::set<std::string>& defaults) {
  std::set<std::string> changed;
  for (const Difference& each : differences) {
    if (each.is_name()) changed.insert(each.section());
  }
  std::erase_if(differences, [&](const Difference& each) {
    if (each.is_name() || !changed.contains(each.section())) return false;
    return each.after == absent || defaults.contains(each.key);
  });
  std::stable_partition(differences.begin(), differences.end(), [](const Difference& each) { return each.is_name(); });
}

Differences differences(std::string_view checkpoint_recipe, const Recipe& recipe) {
  auto then = keys_of(checkpoint_recipe);
  const auto now = keys_of(recipe.text(false));
  std::erase_if(then, [](const auto& key) { return key.first.starts_with("run."); });
  std::set<std::string> defaults;
  for (const Recipe::Row& row : recipe.table()) {
    const std::string key = row.section + "." + row.key;
    const auto known = now.find(key);
    if (!row.is_default || known == now.end() || row.section.starts_with("layer:")) continue;
    defaults.insert(key);
    then.insert(*known);
  }
  Differences found;
  const auto value = [](const auto& keys, const std::string& key) {
    const auto found = keys.find(key);
    return found == keys.end() ? std::string(absent) : found->second;
  };
  const auto compare = [&](const std::string& key) {
    const Difference difference{key, value(then, key), value(now, key)};
    if (difference.before == difference.after) return;
    (may_differ(key, difference.before, difference.after) ? found.harmless : found.decisive).push_back(difference);
  };
  for (const auto& [key, unused] : then) compare(key);
  for (const auto& [key, unused] : now) {
    if (!then.contains(key)) compare(key);
  }
  leave_out_consequences(found.decisive, defaults);
  return found;
}

std::string listed(const std::vector<Difference>& differences) {
  constexpr std::size_t told = 4;
  std::string text;
  for (std::size_t i = 0; i < std::min(told, differences.size()); ++i) text += (i == 0 ? "" : "; ") + differences[i].str();
  return differences.size() > told ? fmt::format("{}; and {} more", text, differences.size() - told) : text;
}

/// `none`, `seed-5`, `init_conv-weight_prec-2`.
std::string word_for(const Difference& difference) {
  if (difference.is_name()) return difference.after;
  std::string key = difference.key;
  if (key.starts_with("layer:")) {
    key.erase(0, std::string_view("layer:").size());
  } else if (const std::size_t dot = key.rfind('.'); dot != std::string::npos) {
    key.erase(0, dot + 1);
  }
  return difference.after == absent ? "no-" + key : key + "-" + difference.after;
}

/// In a file's name, and untouched by shells.
std::string safe(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
    if (plain) {
      result += c;
    } else if (!result.empty() && result.back() != '-') {
      result += '-';
    }
  }
  while (result.ends_with('-') || result.ends_with('.')) result.pop_back();
  return result;
}

std::string in_shell(const std::string& word) {
  constexpr const char* plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=,:@%+";
  if (word.find_first_not_of(plain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

/// The name of another plugin stands for its options, too. Names come first.
std::vector<std::string> words_for(const std::vector<Difference>& differences) {
  std::vector<std::string> words;
  std::set<std::string> changed;
  for (const Difference& each : differences) {
    if (each.is_name()) changed.insert(each.section());
    if (each.is_name() || !changed.contains(each.section())) words.push_back(word_for(each));
  }
  return words;
}

/// What setup.json, written at the last start, says of the recipe's file.
std::string file_of_last_start(const std::filesystem::path& folder) try {
  const auto setup = read_json(folder / "setup.json");
  return std::string(setup.at("recipe").as_string());
} catch (const std::exception&) {  // a run of an earlier version has none
  return {};
}

}  // namespace

std::string own_folder_option(const Recipe& recipe, const std::vector<std::string>& words) {
  namespace fs = std::filesystem;
  constexpr std::size_t longest_suffix = 40, longest_stem = 150, most_words = 3;
  fs::path folder = recipe.run_dir().lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  if (folder.empty() || folder == "." || folder.filename() == "..") folder = fs::absolute(folder).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  std::string suffix;
  for (std::size_t i = 0; i < std::min(most_words, words.size()); ++i) {
    const std::string next = safe(words[i]);
    if (!next.empty() && (suffix.empty() || suffix.size() + next.size() < longest_suffix)) suffix += "-" + next;
  }
  suffix = suffix.empty() ? "-other" : suffix.substr(0, longest_suffix);
  const std::string stem = folder.filename().string().substr(0, longest_stem) + suffix;
  fs::path free = folder.parent_path() / stem;
  std::error_code error;
  for (int number = 2; fs::exists(fs::symlink_status(free, error)); ++number) {
    free = folder.parent_path() / fmt::format("{}-{}", stem, number);
  }
  return in_shell("--run.dir=" + free.string());
}

std::vector<std::string> check_same_run(std::string_view checkpoint_recipe, const Recipe& recipe,
                                        const std::filesystem::path& checkpoint) {
  const Differences found = differences(checkpoint_recipe, recipe);
  if (!found.decisive.empty()) {
    fail(Error::Category::usage, "resume", fmt::format("the run was started with another recipe: {}", listed(found.decisive)),
         checkpoint.string(), "for a run of its own add " + own_folder_option(recipe, words_for(found.decisive)));
  }
  std::vector<std::string> others;
  for (const Difference& each : found.harmless) others.push_back(each.str());
  return others;
}

void say_if_of_another_file(const std::filesystem::path& folder, const Recipe& recipe) {
  namespace fs = std::filesystem;
  const std::string before = file_of_last_start(folder);
  std::error_code error;
  if (!recipe.run().dir.empty() || before.empty() || !fs::exists(before, error)) return;
  if (fs::equivalent(before, recipe.label(), error) || error) return;
  if (fs::equivalent(folder / "recipe.ini", recipe.label(), error)) return;
  logger().warn("{} goes on with the run of {}, which has the same name and settings; for a run of its own add {}",
                recipe.label(), before, own_folder_option(recipe, {}));
}

void say_where_older_run_is(const Recipe& recipe) {
  namespace fs = std::filesystem;
  const fs::path folder = recipe.run_dir(), older = fs::path("runs") / fs::path(recipe.label()).stem();
  std::error_code error;
  if (!recipe.run().dir.empty() || older == folder || fs::exists(folder, error)) return;
  if (!file_of_last_start(older).empty()) return;  // of a version that names runs as this one does
  try {
    if (checkpoints_in(older / "checkpoints").empty()) return;
    const std::string then = read_plain_text(older / "recipe.ini", recipe::most_recipe_bytes);
    const auto keys = keys_of(then);
    const auto seed = keys.find("run.seed");
    if (seed != keys.end() && seed->second != std::to_string(recipe.run().seed)) return;
    if (!differences(then, recipe).decisive.empty()) return;
  } catch (const Error&) {  // no run that could be gone on with
    return;
  }
  logger().warn(
      "{} has a run of this recipe, from before runs were named by the recipe's path; this one begins in {}; to go on with "
      "that one add {}",
      older.string(), folder.string(), in_shell("--run.dir=" + older.string()));
}

void say_how_runs_differ(std::string_view checkpoint_recipe, const Recipe& recipe, const std::filesystem::path& checkpoint) {
  const Differences found = differences(checkpoint_recipe, recipe);
  if (found.decisive.empty()) return;
  logger().warn("the checkpoint was trained under another recipe: {} ({})", listed(found.decisive), checkpoint.string());
}

void check_same_variables(const std::vector<CheckpointVariable>& stored, const std::vector<CheckpointVariable>& wanted,
                          const Recipe& recipe, const std::filesystem::path& checkpoint) {
  const auto texts = [](const std::vector<CheckpointVariable>& all) {
    std::vector<std::string> texts;
    for (const CheckpointVariable& variable : all) texts.push_back(variable.name + " " + variable.type.str());
    std::ranges::sort(texts);
    return texts;
  };
  const auto then = texts(stored), now = texts(wanted);
  std::vector<std::string> extra, missing;
  std::ranges::set_difference(then, now, std::back_inserter(extra));
  std::ranges::set_difference(now, then, std::back_inserter(missing));
  if (extra.empty() && missing.empty()) return;
  const auto first = [](const std::vector<std::string>& all) { return all.empty() ? std::string("nothing") : all.front(); };
  fail(Error::Category::usage, "resume",
       fmt::format("the checkpoint does not fit: {} of its variables differ, it has {} where the model asks for {}",
                   std::max(extra.size(), missing.size()), first(extra), first(missing)),
       checkpoint.string(),
       "use the plugins that it was made with, or for a run of its own add " + own_folder_option(recipe, {}));
}

void refuse_run_without_checkpoint(const std::filesystem::path& folder, const Recipe& recipe) {
  std::string found;
  std::error_code error;
  if (std::filesystem::is_regular_file(folder / "best.h5", error)) found = "best.h5";
  try {
    if (read_json(folder / "report.json").at("status") == "finished") found = "the report of a finished run";
  } catch (const std::exception&) {  // there is none, or none that says so
  }
  if (found.empty()) return;
  fail(Error::Category::usage, "resume",
       fmt::format("there is {}, but no checkpoint to go on from: training anew would replace it", found), folder.string(),
       "for a run of its own add " + own_folder_option(recipe, {"new"}) + ", or remove the folder");
}

void check_same_seed(const std::optional<std::int64_t>& checkpoint_seed, const Recipe& recipe,
                     const std::filesystem::path& checkpoint) {
  const std::int64_t now = recipe.run().seed;
  if (!checkpoint_seed || *checkpoint_seed == now) return;
  fail(Error::Category::usage, "resume",
       fmt::format("the run was started with run.seed = {}, now it is {}", *checkpoint_seed, now),
       checkpoint.parent_path().parent_path().string(),
       "for a run of its own add " + own_folder_option(recipe, {fmt::format("seed-{}", now)}));
}

void check_same_start(Replicas& replicas, std::int64_t step) {
  const auto bytes = std::as_bytes(std::span(&step, 1));
  const auto all = replicas.gather({static_cast<std::size_t>(replicas.count()), {bytes.begin(), bytes.end()}});
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    std::int64_t other = 0;
    std::memcpy(&other, all[rank].data(), std::min(sizeof other, all[rank].size()));
    if (other == step) continue;
    const auto text = [](std::int64_t s) { return s < 0 ? std::string("the beginning") : fmt::format("step {}", s); };
    fail(Error::Category::usage, "resume",
         fmt::format("this process goes on from {}, that of replica {} from {}", text(step), rank, text(other)), {},
         "give all processes the same run folder, on a file system that they share");
  }
}

}  // namespace qfw
