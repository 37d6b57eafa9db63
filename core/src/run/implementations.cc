#include "run/implementations.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <exception>
#include <vector>

#include "io/json.h"
#include "util/counted.h"

namespace qfw {

namespace {

namespace json = boost::json;

constexpr const char* key = "training_steps";

/// Of each kind of task how often each implementation stands.
json::object counts_of(std::span<const Executable::Task> tasks) {
  json::object kinds;
  for (const Executable::Task& task : tasks) {
    if (kinds.find(task.kind) == kinds.end()) kinds[task.kind] = json::object();
    json::value& count = kinds[task.kind].as_object()[task.implementation];
    count = count.is_null() ? 1 : count.as_int64() + 1;
  }
  return kinds;
}

/// Those first that stand otherwise in `other`, if it has the kind.
std::string text_of(const json::value& implementations, const json::value* other) {
  constexpr std::size_t told = 2;
  const json::object& all = implementations.as_object();
  std::vector<const json::key_value_pair*> ordered;
  for (const json::key_value_pair& each : all) ordered.push_back(&each);
  std::stable_partition(ordered.begin(), ordered.end(), [&](const json::key_value_pair* each) {
    const json::value* const same = other == nullptr ? nullptr : other->as_object().if_contains(each->key());
    return same == nullptr || *same != each->value();
  });
  std::string text;
  for (std::size_t i = 0; i < std::min(told, ordered.size()); ++i) {
    const std::string_view name = ordered[i]->key();
    text += fmt::format("{}{} x {}", i == 0 ? "" : ", ", json::serialize(ordered[i]->value()),
                        name.empty() ? "its only way" : name);
  }
  return ordered.size() > told ? fmt::format("{} and {}", text, counted(ordered.size() - told, "other")) : text;
}

/// Kinds that only one of them has differ, too: passes may be fused otherwise.
std::string difference(const json::value& recorded, const json::object& now) try {
  const json::object& before = recorded.at("tasks").as_object();
  std::string first;
  int kinds = 0;
  const auto compare = [&](std::string_view kind, const json::value* then, const json::value* today) {
    if (then != nullptr && today != nullptr && *then == *today) return;
    ++kinds;
    if (!first.empty()) return;
    const std::string none = "nothing";
    first = fmt::format("{} was {}, is {}", kind, then == nullptr ? none : text_of(*then, today),
                        today == nullptr ? none : text_of(*today, then));
  };
  for (const auto& [kind, implementations] : before) compare(kind, &implementations, now.if_contains(kind));
  for (const auto& [kind, implementations] : now) {
    if (!before.contains(kind)) compare(kind, nullptr, &implementations);
  }
  return kinds > 1 ? fmt::format("{}; and {}", first, counted(kinds - 1, "kind of work", "kinds of work")) : first;
} catch (const std::exception&) {  // not as this version writes it
  return {};
}

json::object environment_of(const std::filesystem::path& file) try {
  const json::value value = read_json(file);
  return value.is_object() ? value.get_object() : json::object();
} catch (const std::exception&) {  // missing or damaged
  return {};
}

}  // namespace

json::value recorded_implementations(const std::filesystem::path& environment) {
  const json::object object = environment_of(environment);
  const json::value* const steps = object.if_contains(key);
  return steps != nullptr && steps->is_array() ? *steps : json::array();
}

std::string record_implementations(const std::filesystem::path& environment, std::int64_t step, const std::string& phase,
                                   std::span<const Executable::Task> tasks) {
  json::object object = environment_of(environment);
  json::array steps = recorded_implementations(environment).as_array();
  json::object entry{{"first_step", step}, {"phase", phase}, {"tasks", counts_of(tasks)}};
  std::string differs;
  const auto known = std::ranges::find_if(steps, [&](const json::value& each) {
    return each.is_object() && each.get_object().contains("phase") && each.at("phase") == json::value(phase);
  });
  if (known == steps.end()) {
    steps.push_back(std::move(entry));
  } else {
    differs = difference(*known, entry["tasks"].get_object());
    if (const json::value* first = known->get_object().if_contains("first_step")) entry["first_step"] = *first;
    *known = std::move(entry);
  }
  object[key] = std::move(steps);
  write_json(environment, object);
  if (differs.empty()) return {};
  return fmt::format("phase {} is computed in another way than before, so that last bits may differ: {}", phase, differs);
}

}  // namespace qfw
