#include "viewer/conform.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <optional>

#include "io/json.h"
#include "viewer/folder_files.h"

namespace qfw::viewer {

namespace {

namespace json = boost::json;

constexpr std::size_t most_faults = 20;
constexpr std::size_t most_records = 4096;  // an empty one becomes as many nulls as it has keys
constexpr std::string_view picture_prefix = "data:image/png;base64,";

std::string_view words_of(Field::Type type) {
  switch (type) {
    case Field::Type::text:
      return "a text";
    case Field::Type::number:
      return "a finite number";
    case Field::Type::flag:
      return "true or false";
    case Field::Type::texts:
      return "a list of texts";
    case Field::Type::numbers:
      return "a list of numbers";
    case Field::Type::matrix:
      return "a matrix of numbers";
    case Field::Type::picture:
      return "a PNG as a data: address";
    case Field::Type::record:
      return "an object";
    case Field::Type::records:
      return "a list of objects";
  }
  return "";
}

bool is_number(const json::value& value) {
  return value.is_int64() || value.is_uint64() || (value.is_double() && std::isfinite(value.get_double()));
}
bool is_text(const json::value& value) { return value.is_string(); }
bool is_number_or_null(const json::value& value) { return value.is_null() || is_number(value); }

template <class Predicate>
bool all(const json::value& value, Predicate predicate) {
  return value.is_array() && std::ranges::all_of(value.get_array(), predicate);
}

bool is_matrix(const json::value& value) {
  if (!all(value, [](const json::value& row) { return all(row, is_number); })) return false;
  const json::array& rows = value.get_array();
  return std::ranges::all_of(rows, [&](const json::value& row) { return row.get_array().size() == rows.size(); });
}

bool is_picture(const json::value& value) {
  if (!value.is_string()) return false;
  std::string_view text = value.get_string();
  if (!text.starts_with(picture_prefix)) return false;
  text.remove_prefix(picture_prefix.size());
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
  return text.find_first_not_of(letters) == std::string_view::npos;
}

bool has_type(const json::value& value, Field::Type type) {
  switch (type) {
    case Field::Type::text:
      return is_text(value);
    case Field::Type::number:
      return is_number(value);
    case Field::Type::flag:
      return value.is_bool();
    case Field::Type::texts:
      return all(value, is_text);
    case Field::Type::numbers:
      return all(value, is_number_or_null);
    case Field::Type::matrix:
      return is_matrix(value);
    case Field::Type::picture:
      return is_picture(value);
    case Field::Type::record:
      return value.is_object();
    case Field::Type::records:
      return all(value, [](const json::value& item) { return item.is_object(); });
  }
  return false;
}

class Conformer {
 public:
  explicit Conformer(std::vector<std::string>& faults) : faults_(faults) {}

  json::object object(const json::object& from, std::span<const Field> fields, const std::string& where) {
    json::object result;
    for (const Field& field : fields) {
      const json::value* value = from.if_contains(field.key);
      result[field.key] = value == nullptr ? json::value(nullptr) : this->value(*value, field, where);
    }
    return result;
  }

 private:
  json::value value(const json::value& from, const Field& field, const std::string& where) {
    if (from.is_null()) return nullptr;
    const std::string name = where + std::string(field.key);
    if (!has_type(from, field.type)) {
      if (faults_.size() < most_faults) faults_.push_back(fmt::format("{} is not {}", name, words_of(field.type)));
      return nullptr;
    }
    if (field.type == Field::Type::record) return object(from.get_object(), field.fields, name + ".");
    if (field.type != Field::Type::records) return from;
    json::array result;
    const std::size_t count = from.get_array().size();
    if (count > most_records && faults_.size() < most_faults)
      faults_.push_back(fmt::format("{} has {} records; the first {} are read", name, count, most_records));
    for (std::size_t i = 0; i < std::min(count, most_records); ++i) {
      result.push_back(object(from.get_array()[i].get_object(), field.fields, fmt::format("{}[{}].", name, i)));
    }
    return result;
  }

  std::vector<std::string>& faults_;
};

}  // namespace

json::object conform(const json::value& value, std::span<const Field> fields, std::vector<std::string>& faults) {
  static const json::object nothing;
  if (!value.is_object()) faults.push_back("it holds no object");
  return Conformer(faults).object(value.is_object() ? value.get_object() : nothing, fields, "");
}

json::value parse_json(const std::string& text) {
  std::string fault;
  json::value value = json_of(text, fault);
  if (!fault.empty()) throw FileProblem(fault);
  return value;
}

}  // namespace qfw::viewer
