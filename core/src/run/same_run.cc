#include "run/same_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "io/log.h"
#include "qfw/error.h"

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

/// Of keys, those that decide nothing about the values that training arrives at, or that mend what stopped it.
bool may_differ(std::string_view key, std::string_view before, std::string_view after) {
  if (key == "dataset.cache") return before != "disk" && after != "disk";  // that one keeps smaller pictures

  if (key == "description") return true;
  for (const std::string_view section :
       {"train.epochs", "train.steps", "train.early_stop_steps", "eval.", "checkpoint.", "metrics.", "backend.",
        "dataset.workers", "dataset.prefetch", "dataset.data_dir", "dataset.cache_mib", "dataset.cache_dir",
        "dataset.validation_split", "dataset.on_corrupt", "dataset.max_corrupt", "dataset.validation_labels",
        "dataset.index_dir"}) {
    if (key.starts_with(section)) return true;
  }
  return false;
}

}  // namespace

namespace {

/// "key was THIS, is THAT": of keys that may differ, and of others.
struct Differences {
  std::vector<std::string> harmless, decisive;
};

Differences differences(std::string_view checkpoint_recipe, const Recipe& recipe) {
  auto then = keys_of(checkpoint_recipe);
  const auto now = keys_of(recipe.text(false));
  for (const Recipe::Row& row : recipe.table()) {
    const std::string key = row.section + "." + row.key;
    const auto known = now.find(key);
    if (row.is_default && known != now.end() && !row.section.starts_with("layer:")) then.insert(*known);
  }
  Differences found;
  const auto value = [](const auto& keys, const std::string& key) {
    const auto found = keys.find(key);
    return found == keys.end() ? std::string("absent") : found->second;
  };
  const auto compare = [&](const std::string& key) {
    const std::string before = value(then, key), after = value(now, key);
    if (before == after) return;
    const std::string text = fmt::format("{} was {}, is {}", key, before, after);
    (may_differ(key, before, after) ? found.harmless : found.decisive).push_back(text);
  };
  for (const auto& [key, unused] : then) compare(key);
  for (const auto& [key, unused] : now) {
    if (!then.contains(key)) compare(key);
  }
  return found;
}

}  // namespace

void check_same_run(std::string_view checkpoint_recipe, const Recipe& recipe, const std::filesystem::path& checkpoint) {
  const Differences found = differences(checkpoint_recipe, recipe);
  for (const std::string& text : found.harmless) logger().info("continuing with another setting: {}", text);
  if (!found.decisive.empty()) {
    fail(Error::Category::usage, "resume",
         fmt::format("the run was started with another recipe: {}", fmt::join(found.decisive, "; ")), checkpoint.string(),
         "choose another folder with --run.dir, or restore the recipe");
  }
}

void say_how_runs_differ(std::string_view checkpoint_recipe, const Recipe& recipe, const std::filesystem::path& checkpoint) {
  const Differences found = differences(checkpoint_recipe, recipe);
  if (found.decisive.empty()) return;
  logger().warn("the checkpoint was trained under another recipe: {} ({})", fmt::join(found.decisive, "; "),
                checkpoint.string());
}

void check_same_variables(const std::vector<CheckpointVariable>& stored, const std::vector<CheckpointVariable>& wanted,
                          const std::filesystem::path& checkpoint) {
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
       checkpoint.string(), "use the plugins that it was made with, or choose another folder with --run.dir");
}

void check_same_seed(const std::optional<std::int64_t>& checkpoint_seed, const Recipe& recipe,
                     const std::filesystem::path& checkpoint) {
  const std::int64_t now = recipe.run().seed;
  if (!checkpoint_seed || *checkpoint_seed == now) return;
  fail(Error::Category::usage, "resume",
       fmt::format("the run was started with run.seed = {}, now it is {}", *checkpoint_seed, now),
       checkpoint.parent_path().parent_path().string(), "choose another folder with --run.dir, or restore the seed");
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
