#include "qfw/registry.h"

#include <fmt/format.h>

#include <charconv>

#include "plugin/declarations.h"
#include "qfw/error.h"
#include "util/nearest.h"

namespace qfw {

FactoryBase::~FactoryBase() = default;

Registry::Registry() = default;
Registry::~Registry() = default;

void Registry::add(std::unique_ptr<FactoryBase> factory) {
  for (const auto& other : factories_) {
    if (other->kind == factory->kind && same_name(other->name, factory->name)) {
      fail(Error::Category::plugin, "registry", fmt::format("{}:{} is registered twice", factory->kind, factory->name), {},
           "give each factory its own name");
    }
  }
  check_declarations(*factory);
  factories_.push_back(std::move(factory));
}

namespace {

const char* name_of(Option::Type type) {
  switch (type) {
    case Option::Type::boolean:
      return "true or false";
    case Option::Type::integer:
      return "a whole number";
    case Option::Type::number:
      return "a number";
    case Option::Type::text:
      return "a text";
    case Option::Type::integers:
      return "whole numbers";
    case Option::Type::numbers:
      return "numbers";
  }
  return "?";
}

/// `value` as the alternative that the option's member is set from; monostate stands for `none`.
OptionValue fitting(const Option& option, const OptionValue& value) {
  const auto type = static_cast<std::size_t>(option.type);
  if (value.index() == type || (value.index() == 0 && option.nullable)) return value;
  if (option.type == Option::Type::number && std::holds_alternative<std::int64_t>(value)) {
    return static_cast<double>(std::get<std::int64_t>(value));
  }
  if (option.type == Option::Type::numbers && std::holds_alternative<std::vector<std::int64_t>>(value)) {
    const auto& whole = std::get<std::vector<std::int64_t>>(value);
    return std::vector<double>(whole.begin(), whole.end());
  }
  if (option.or_number && (std::holds_alternative<std::int64_t>(value) || std::holds_alternative<double>(value))) {
    return to_string(value);
  }
  fail(Error::Category::usage, "option",
       fmt::format("{} is {}, not '{}'", option.name, name_of(option.type), to_string(value)));
}

std::string number_text(auto value) {
  std::array<char, 32> text;  // the longest shortest double has 24 characters
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return std::string(text.data(), end);
}

template <class T>
std::string list_text(const std::vector<T>& values) {
  std::string text;
  for (const T value : values) text += (text.empty() ? "" : ",") + number_text(value);
  return text;
}

}  // namespace

void apply(const std::vector<Option>& options, const std::vector<std::pair<std::string, OptionValue>>& settings, void* target) {
  for (const auto& [name, value] : settings) {
    const Option* found = nullptr;
    for (const Option& option : options) {
      if (option.name == name) found = &option;
    }
    if (found == nullptr) {
      std::vector<std::string> known;
      for (const Option& option : options) known.push_back(option.name);
      fail(Error::Category::usage, "option", fmt::format("there is no option '{}'", name), {}, did_you_mean(name, known));
    }
    found->set(target, fitting(*found, value));
  }
}

std::string to_string(const OptionValue& value) {
  struct Writer {
    std::string operator()(std::monostate) const { return "none"; }
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    std::string operator()(std::int64_t number) const { return number_text(number); }
    std::string operator()(double number) const { return number_text(number); }
    std::string operator()(const std::string& text) const { return text; }
    std::string operator()(const std::vector<std::int64_t>& list) const { return list_text(list); }
    std::string operator()(const std::vector<double>& list) const { return list_text(list); }
  };
  return std::visit(Writer{}, value);
}

}  // namespace qfw
