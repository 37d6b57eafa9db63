#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "qfw/export.h"

namespace qfw {

/// monostate is `none`, for options that may be left without a value.
using OptionValue =
    std::variant<std::monostate, bool, std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>>;

/// What a recipe may set: shown by `qfw describe`, checked before any work starts.
struct Option {
  std::string name, doc;
  /// Alternative of OptionValue. Lists are written `2,2`.
  enum class Type { boolean = 1, integer, number, text, integers, numbers } type{};
  bool nullable = false;  ///< may be `none`
  OptionValue default_value;
  double min = -std::numeric_limits<double>::infinity(), max = std::numeric_limits<double>::infinity();
  double above = -std::numeric_limits<double>::infinity();  ///< where no number is the smallest one allowed: a learning rate
  std::vector<std::string> choices;  ///< of a text; empty: any
  bool or_number = false;            ///< a text that may also be a number within min and max: `none`, `auto` or 6.0
  std::string inherits;              ///< "schedule.num_epochs": where the value comes from if the recipe is silent
  std::string replaces;              ///< another option that this one, set by a later source, takes back: `stages`, `depth`
  bool unused = false;               ///< taken only so that a recipe can switch plugins by one line; said where it is set
  std::function<void(void* options, const OptionValue& value)> set;
};

/// Limits of a declaration (inclusive but for `above`), and what it inherits; see Option. Checked when the plugin registers:
/// each option has a name of its own (letters, digits, _) that the core has not taken, and a doc; the default is among what is
/// allowed.
struct Allowed {
  double min = -std::numeric_limits<double>::infinity(), max = std::numeric_limits<double>::infinity();
  double above = -std::numeric_limits<double>::infinity();
  std::vector<std::string> choices{};
  bool or_number = false;
  std::string inherits{};
  std::string replaces{};
  bool unused = false;
};

/// Declares the options of a plugin by binding names to the members of a plain struct, whose values are the defaults:
///
///   struct Options {
///     int bits = 4;
///     static void declare(qfw::Declare<Options>& option) {
///       option("bits", &Options::bits, "precision of both operands", {.min = 2, .max = 8});
///     }
///   };
template <class Struct>
class Declare {
 public:
  explicit Declare(Struct defaults = {}) : defaults_(std::move(defaults)) {}

  /// Member is bool, an integer, a floating-point number, std::string, a std::vector of numbers, or std::optional of one of
  /// these.
  template <class Base, class Member>
    requires std::derived_from<Struct, Base>
  void operator()(std::string name, Member Base::*member, std::string doc, Allowed allowed = {}) {
    using Bare = typename Unwrap<Member>::type;
    using Wide = typename Widen<Bare>::type;
    constexpr bool nullable = Unwrap<Member>::optional;
    if constexpr (std::is_integral_v<Bare>) {  // never beyond what the member can hold
      allowed.min = std::max(allowed.min, static_cast<double>(std::numeric_limits<Bare>::min()));
      allowed.max = std::min(allowed.max, static_cast<double>(std::numeric_limits<Bare>::max()));
    }
    Option option;
    option.name = std::move(name);
    option.doc = std::move(doc);
    option.type = static_cast<Option::Type>(OptionValue(Wide{}).index());
    option.nullable = nullable;
    option.min = allowed.min;
    option.max = allowed.max;
    option.above = allowed.above;
    option.choices = std::move(allowed.choices);
    option.inherits = std::move(allowed.inherits);
    option.or_number = allowed.or_number;
    option.replaces = std::move(allowed.replaces);
    option.unused = allowed.unused;

    const Member& initial = defaults_.*member;
    if constexpr (nullable) {
      if (initial) option.default_value = convert<Wide>(*initial);
    } else {
      option.default_value = convert<Wide>(initial);
    }
    option.set = [member](void* options, const OptionValue& value) {
      Member& target = static_cast<Struct*>(options)->*member;
      if (const Wide* given = std::get_if<Wide>(&value)) {
        target = convert<Bare>(*given);
      } else if constexpr (nullable) {
        target.reset();
      }
    };
    options_.push_back(std::move(option));
  }

  std::vector<Option> take() { return std::move(options_); }

 private:
  template <class T>
  struct Unwrap {
    using type = T;
    static constexpr bool optional = false;
  };
  template <class T>
  struct Unwrap<std::optional<T>> {
    using type = T;
    static constexpr bool optional = true;
  };
  template <class T>
  struct Widen {
    using type = std::conditional_t<std::is_same_v<T, bool> || std::is_same_v<T, std::string>, T,
                                    std::conditional_t<std::is_integral_v<T>, std::int64_t, double>>;
  };
  template <class T>
  struct Widen<std::vector<T>> {
    using type = std::vector<typename Widen<T>::type>;
  };
  template <class To, class From>
  static To convert(const From& from) {
    if constexpr (std::is_arithmetic_v<To> || std::is_same_v<To, std::string>) {
      return static_cast<To>(from);
    } else {
      return To(from.begin(), from.end());
    }
  }

  Struct defaults_;
  std::vector<Option> options_;
};

/// The options of `defaults`' type, with its values as defaults.
template <class Struct>
std::vector<Option> options_of(const Struct& defaults = {}) {
  Declare<Struct> declare(defaults);
  Struct::declare(declare);
  return declare.take();
}

/// Sets the members of the struct behind `target` that `settings` names. Throws for a name not among `options`.
QFW_API void apply(const std::vector<Option>& options, const std::vector<std::pair<std::string, OptionValue>>& settings,
                   void* target);

/// As recipes write it: `true`, `4`, `0.1`, `none`, `2,2`. Numbers print in the shortest form that reads back as the same.
QFW_API std::string to_string(const OptionValue& value);

}  // namespace qfw
