#include "run/idle_overrides.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string_view>

#include "io/log.h"
#include "qfw/error.h"
#include "recipe/sections.h"
#include "recipe/value.h"

namespace qfw {

namespace {

constexpr std::string_view command_line = "command line";

/// An override taken apart, as recipes are read: the last dot ends the section.
struct Key {
  std::string section, key;

  explicit Key(std::string_view text) {
    if (text.starts_with("--")) text.remove_prefix(2);
    text = text.substr(0, text.find('='));
    while (text.ends_with(' ')) text.remove_suffix(1);
    const std::size_t dot = text.rfind('.');
    key = text.substr(dot == std::string_view::npos ? 0 : dot + 1);
    if (dot != std::string_view::npos) section = text.substr(0, dot);
  }
  std::string str() const { return section.empty() ? key : section + "." + key; }
  bool operator==(const Key&) const = default;
};

std::string value_of(std::string_view text) {
  const std::size_t equals = text.find('=');
  return std::string(equals == std::string_view::npos ? "" : text.substr(equals + 1));
}

/// What the plugin of a section has for an option where nobody says anything; empty: it has no such option, or takes it from
/// elsewhere.
std::string default_of(const FactoryBase& factory, std::string_view key) {
  const auto option = std::ranges::find(factory.options, key, &Option::name);
  if (option == factory.options.end() || !option->inherits.empty()) return {};
  return recipe::write_value(*option, option->default_value);
}

class Comparison {
 public:
  Comparison(const Session& session, std::int64_t completed, std::filesystem::path file, std::vector<std::string> overrides,
             const Catalog& catalog)
      : session_(session), completed_(completed), file_(std::move(file)), overrides_(std::move(overrides)), catalog_(catalog) {}

  std::vector<IdleOverride> run() {
    std::vector<IdleOverride> idle;
    for (std::size_t i = 0; i < overrides_.size(); ++i) {
      try {
        IdleOverride each{.text = overrides_[i], .why = {}};
        each.why = why_idle(i, each.same);
        if (!each.why.empty()) idle.push_back(std::move(each));
      } catch (const Error&) {  // without it the recipe is none: it changes something
      }
    }
    return idle;
  }

 private:
  /// Empty: it is not, or that cannot be told.
  std::string why_idle(std::size_t number, bool& same) {
    const Key key(overrides_[number]);
    for (std::size_t later = number + 1; later < overrides_.size(); ++later) {
      if (Key(overrides_[later]) == key) return fmt::format("--{} follows, and the last one wins", overrides_[later]);
    }
    std::vector<std::string> others = overrides_;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(number));
    const Recipe without = read(others);
    same = without.text() == session_.recipe().text();
    if (same) return where_from(key, without);
    const std::string& section = key.section;
    if (section == "augment") return prepares_alike(without) ? "pictures of evaluations are prepared the same way" : "";
    if (section == "eval" && key.key != "examples" && key.key != "batch_size")
      return "it is about the evaluations of a run that trains";
    constexpr std::string_view of_the_graph[] = {"model",     "quantizer",  "train",   "schedule",
                                                 "optimizer", "checkpoint", "metrics", "run"};
    const bool of_layers = section.starts_with(recipe::layer_prefix);
    if (!of_layers && key.str() != "description" && std::ranges::find(of_the_graph, section) == std::end(of_the_graph))
      return {};
    if (graph_of(without) != graph()) return {};
    if (section == "quantizer" || section == "model" || of_layers) return what_wins(key, value_of(overrides_[number]), without);
    return section == "train" || section == "schedule" || section == "optimizer"
               ? "it is about training, and evaluations under it are the same"
               : "evaluations do not depend on it";
  }

  /// What gives a key its value where the override is left out.
  std::string where_from(const Key& key, const Recipe& without) const {
    for (const Recipe::Row& row : without.table()) {
      if (row.section != key.section || row.key != key.key || row.origin.starts_with(file_.string())) continue;
      if (row.origin != "default") return fmt::format("it has that value without it ({})", row.origin);
      const auto kind = std::ranges::find(recipe::section_kinds(), key.section, &recipe::SectionKind::name);
      const bool plugins = kind != recipe::section_kinds().end() && kind->plugin && key.key != "name";
      return plugins ? fmt::format("that is the default of {} {}", key.section, without.name(key.section))
                     : std::string("that is the default");
    }
    return fmt::format("{} has that value without it", file_.string());
  }

  /// Of a key that leaves the graph as it is: what else the recipe says that does so.
  std::string what_wins(const Key& key, const std::string& value, const Recipe& without) {
    const std::vector<Recipe::Row> rows = session_.recipe().table();
    std::vector<std::string> layers, names;
    for (const Recipe::Row& row : rows) {
      if (!row.section.starts_with(recipe::layer_prefix) || row.key != key.key || row.origin == command_line) continue;
      layers.push_back(fmt::format("{}.{}={}", row.section, row.key, value));
      names.push_back(fmt::format("[{}] {} = {} ({})", row.section, row.key, row.value, row.origin));
    }
    if (key.section == "quantizer" && !layers.empty() && changes(layers)) {
      return fmt::format("{} win{} over it", fmt::join(names, " and "), names.size() == 1 ? "s" : "");
    }
    if (key.key == "name") {
      const FactoryBase& before = catalog_.find(key.section, without.name(key.section));
      const FactoryBase& after = catalog_.find(key.section, session_.recipe().name(key.section));
      for (const Recipe::Row& row : rows) {
        if (row.section != key.section || row.is_default || row.key == "name" || row.origin == command_line) continue;
        const std::string usual = default_of(after, row.key);
        if (usual.empty() || usual == default_of(before, row.key)) continue;
        if (!changes({fmt::format("{}.{}={}", row.section, row.key, usual)})) continue;
        return fmt::format("{}.{} = {} is spelled out in {} and stays; add --{}.{}={}", row.section, row.key, row.value,
                           row.origin, row.section, row.key, usual);
      }
    }
    return "with the recipe's other settings the network that is evaluated is the same";
  }

  bool changes(const std::vector<std::string>& more) try {
    std::vector<std::string> all = overrides_;
    all.insert(all.end(), more.begin(), more.end());
    return graph_of(read(all)) != graph();
  } catch (const Error&) {
    return false;
  }

  Recipe read(const std::vector<std::string>& overrides) const {
    return Recipe::load(file_, overrides, catalog_, {.dataset_optional = true});
  }

  bool prepares_alike(const Recipe& other) const {
    const auto here = session_.augment().preparation(session_.data().source);
    const auto there = other.make<Augment>()->preparation(session_.data().source);
    return here && there && *here == *there;
  }

  const std::string& graph() {
    if (graph_.empty()) graph_ = graph_of(session_.recipe());
    return graph_;
  }

  std::string graph_of(const Recipe& recipe) const {
    const int replicas = session_.replicas().size();
    const Network network(recipe, recipe.make<Layer>(), session_.data());
    const RunLength length = run_length(recipe, session_.data().train_examples, replicas);
    const Clock clock = clock_at(recipe, length, completed_, false, session_.warm_start());
    return to_string(evaluation_graph(network.describe(recipe, clock, eval_batch_of(recipe, replicas), replicas)));
  }

  const Session& session_;
  std::int64_t completed_;
  std::filesystem::path file_;
  std::vector<std::string> overrides_;
  const Catalog& catalog_;
  std::string graph_;
};

}  // namespace

std::vector<IdleOverride> idle_overrides(const Session& session, std::int64_t completed, const std::filesystem::path& file,
                                         const std::vector<std::string>& overrides, const Catalog& catalog) {
  return Comparison(session, completed, file, overrides, catalog).run();
}

void say_idle_overrides(const Session& session, std::int64_t completed, const std::filesystem::path& file,
                        const std::vector<std::string>& overrides, const Catalog& catalog) {
  if (!session.replicas().leads()) return;
  for (const IdleOverride& each : idle_overrides(session, completed, file, overrides, catalog)) {
    logger().log(each.same ? spdlog::level::info : spdlog::level::warn, "--{} changes nothing: {}", each.text, each.why);
  }
}

std::vector<std::string> defaults_of_named_plugins(const std::filesystem::path& file, const std::vector<std::string>& overrides,
                                                   const Catalog& catalog) {
  std::vector<std::string> defaults;
  std::vector<Key> given;
  for (const std::string& text : overrides) given.emplace_back(text);
  const Recipe recipe = Recipe::load(file, {}, catalog, {.dataset_optional = true});
  for (std::size_t i = 0; i < given.size(); ++i) {
    const auto kind = std::ranges::find(recipe::section_kinds(), given[i].section, &recipe::SectionKind::name);
    if (given[i].key != "name" || kind == recipe::section_kinds().end() || !kind->plugin) continue;
    const FactoryBase& before = catalog.find(kind->name, recipe.name(kind->name));
    const FactoryBase& after = catalog.find(kind->name, value_of(overrides[i]));
    for (const Recipe::Row& row : recipe.table()) {
      if (row.section != kind->name || !row.is_default) continue;
      Key key(row.section + "." + row.key);
      const std::string now = default_of(after, row.key);
      if (now.empty() || now == default_of(before, row.key) || std::ranges::find(given, key) != given.end()) continue;
      defaults.push_back(fmt::format("{}={}", key.str(), now));
    }
  }
  return defaults;
}

}  // namespace qfw
