#pragma once

#include <boost/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "positions.h"

namespace qfw::aqt {

/// A value as recipes write it (`none` for null), and where in the file it stood.
struct Item {
  std::string value, origin;
};

/// Errors of a file, so that all of them can be told at once: the first few, and how many more.
class Problems {
 public:
  explicit Problems(Positions positions);
  /// Of what stands at a path, empty for the whole: "line 3, column 5: PATH WHAT".
  void add(const std::string& path, const std::string& what);
  void raise() const;  ///< Error::Category::usage, if there are any

 private:
  void list(const std::string& text);

  Positions positions_;
  std::string told_;
  std::size_t count_ = 0;
};

/// A JSON object whose every key must be asked for: what is left over is unknown, and an error. One that is absent has no keys.
class Object {
 public:
  enum class Type { boolean, integer, number, text };

  /// `value` null or absent: an object without keys; of another type: an error.
  Object(const boost::json::value* value, std::string path, Problems& problems);

  bool present() const { return object_ != nullptr; }
  std::string path(std::string_view key) const;
  Problems& problems() const { return *problems_; }

  const boost::json::value* find(std::string_view key);
  Object object(std::string_view key) { return Object(find(key), path(key), *problems_); }
  Item scalar(std::string_view key, Type type, bool nullable, Item fallback);
  /// A key of other models: any of the values may stand there, and nothing else.
  void neutral(std::string_view key, std::initializer_list<boost::json::value> values);
  /// A sparsity object, accepted if it asks for none.
  void no_sparsity(std::string_view key);
  void ignore(std::string_view key) { find(key); }

  /// Reports the keys nobody asked for.
  void finish();

 private:
  const boost::json::object* object_ = nullptr;
  std::string path_;
  Problems* problems_;
  std::set<std::string, std::less<>> asked_;
};

/// 6 for 6.0: numbers as recipes write them.
std::string number_text(double number);

}  // namespace qfw::aqt
