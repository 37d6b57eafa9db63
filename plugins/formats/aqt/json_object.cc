#include "json_object.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "qfw/error.h"

namespace qfw::aqt {
namespace {

namespace json = boost::json;

constexpr std::size_t most_told = 8;

const char* name_of(Object::Type type) {
  switch (type) {
    case Object::Type::boolean:
      return "true or false";
    case Object::Type::integer:
      return "an integer";
    case Object::Type::number:
      return "a number";
    case Object::Type::text:
      return "a text";
  }
  return "";
}

/// Empty if the value has another type.
std::string text_of(const json::value& value, Object::Type type) {
  switch (type) {
    case Object::Type::boolean:
      return value.is_bool() ? (value.get_bool() ? "true" : "false") : "";
    case Object::Type::integer:
      if (value.is_int64()) return fmt::to_string(value.get_int64());
      return value.is_uint64() ? fmt::to_string(value.get_uint64()) : "";
    case Object::Type::number:
      return value.is_number() && std::isfinite(value.to_number<double>()) ? number_text(value.to_number<double>()) : "";
    case Object::Type::text:
      return value.is_string() ? std::string(value.get_string()) : "";
  }
  return "";
}

/// At most some fifty characters, as an object may stand where a number should.
std::string shown(const json::value& value) {
  const std::string text = value.is_double() ? number_text(value.get_double()) : json::serialize(value);
  constexpr std::size_t most = 50;
  return text.size() > most ? text.substr(0, most) + "..." : text;
}

bool equal(const json::value& a, const json::value& b) {
  return a.is_number() && b.is_number() ? a.to_number<double>() == b.to_number<double>() : a == b;
}

}  // namespace

std::string number_text(double number) {
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof text, number).ptr);
}

Problems::Problems(Positions positions) : positions_(std::move(positions)) {
  for (const auto& [path, offset] : positions_.repeated())
    list(fmt::format("{}: {} is given twice", positions_.at(offset), path));
}

void Problems::list(const std::string& text) {
  if (++count_ > most_told) return;
  told_ += (told_.empty() ? "" : "; ") + text;
}

void Problems::add(const std::string& path, const std::string& what) {
  const std::string position = positions_.of(path);
  list(fmt::format("{}{}{} {}", position, position.empty() ? "" : ": ", path.empty() ? "the file" : path, what));
}

void Problems::raise() const {
  if (count_ == 0) return;
  const std::string rest = count_ > most_told ? fmt::format("; and {} more of the kind", count_ - most_told) : "";
  fail(Error::Category::usage, "aqt", told_ + rest);
}

Object::Object(const json::value* value, std::string path, Problems& problems) : path_(std::move(path)), problems_(&problems) {
  if (value == nullptr || value->is_null()) return;
  if (value->is_object()) {
    object_ = &value->get_object();
  } else {
    problems.add(path_, "is not an object");
  }
}

std::string Object::path(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

const json::value* Object::find(std::string_view key) {
  asked_.emplace(key);
  return object_ == nullptr ? nullptr : object_->if_contains(key);
}

Item Object::scalar(std::string_view key, Type type, bool nullable, Item fallback) {
  const json::value* value = find(key);
  if (value == nullptr) return fallback;
  if (value->is_null() && nullable) return {"none", path(key)};
  std::string text = text_of(*value, type);
  if (text.empty()) {
    problems_->add(path(key), fmt::format("is {}, not {}{}", shown(*value), name_of(type), nullable ? " or null" : ""));
    return fallback;
  }
  return {std::move(text), path(key)};
}

void Object::neutral(std::string_view key, std::initializer_list<json::value> values) {
  const json::value* found = find(key);
  if (found == nullptr) return;
  for (const json::value& value : values) {
    if (equal(*found, value)) return;
  }
  std::vector<std::string> allowed;
  for (const json::value& value : values) allowed.push_back(shown(value));
  problems_->add(path(key), fmt::format("is {}; only {} is supported", shown(*found), fmt::join(allowed, " or ")));
}

void Object::no_sparsity(std::string_view key) {
  Object sparsity = object(key);
  sparsity.neutral("prune_rate", {nullptr});
  for (const char* other :
       {"type", "order", "absolute", "smallest", "structure_decay", "mask_decay_weight", "sparse_ste", "sparse_ste_weight"}) {
    sparsity.ignore(other);
  }
  sparsity.finish();
}

void Object::finish() {
  if (object_ == nullptr) return;
  for (const auto& [key, value] : *object_) {
    if (asked_.contains(std::string_view(key))) continue;
    problems_->add(path(key), fmt::format("is an unknown key; known here: {}", fmt::join(asked_, ", ")));
  }
}

}  // namespace qfw::aqt
