#include "viewer/course.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <stdexcept>

namespace qfw::viewer {

namespace {

namespace json = boost::json;

/// Of a mean: more digits than a curve can show would only make the page larger.
double rounded(double value) {
  const std::string text = fmt::format("{:.7g}", value);
  double result = value;
  std::from_chars(text.data(), text.data() + text.size(), result);
  return result;
}

}  // namespace

void Course::Value::add(const Value& other) {
  if (other.count == 0) return;
  low = count == 0 ? other.low : std::min(low, other.low);
  high = count == 0 ? other.high : std::max(high, other.high);
  sum += other.sum;
  count += other.count;
}

void Course::Point::add(const Point& next) {
  last_step = next.last_step;
  rows += next.rows;
  for (std::size_t i = 0; i < values.size(); ++i) values[i].add(next.values[i]);
}

Course::Course(std::span<const std::string_view> columns, std::size_t most_points)
    : columns_(columns.begin(), columns.end()), most_points_(most_points) {
  if (columns.size() > most_columns) throw std::logic_error("too many columns for a course");
}

void Course::clear() {
  points_.clear();
  rows_ = 0;
  stride_ = 1;
  ++generation_;
}

bool Course::add(double step, std::span<const double> values) {
  if (!std::isfinite(step) || step <= last_step()) return false;
  Point point{.first_step = step, .last_step = step, .rows = 1};
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const double value = values[i];
    if (std::isfinite(value)) point.values[i] = {.sum = value, .low = value, .high = value, .count = 1};
  }
  ++rows_;
  if (!points_.empty() && points_.back().rows < stride_) {
    points_.back().add(point);
  } else {
    points_.push_back(point);
    if (points_.size() > most_points_) halve();
  }
  return true;
}

void Course::halve() {
  std::vector<Point> fewer;
  for (std::size_t i = 0; i < points_.size(); i += 2) {
    fewer.push_back(points_[i]);
    if (i + 1 < points_.size()) fewer.back().add(points_[i + 1]);
  }
  points_ = std::move(fewer);
  stride_ *= 2;
  ++generation_;
}

std::size_t Course::settled() const {
  const bool open = !points_.empty() && points_.back().rows < stride_;
  return points_.size() - (open ? 1 : 0);
}

json::object Course::since(std::size_t from) const {
  json::object result{{"from", from}, {"rows", rows_}, {"stride", stride_}};
  const std::span<const Point> points = std::span(points_).subspan(std::min(from, points_.size()));
  json::array steps;
  for (const Point& point : points) {
    const double middle = (point.first_step + point.last_step) / 2;
    const bool whole = middle == std::floor(middle) && std::abs(middle) < 1e15;
    steps.push_back(whole ? json::value(static_cast<std::int64_t>(middle)) : json::value(middle));
  }
  result["step"] = std::move(steps);
  const auto table = [&](auto value_of) {
    json::object columns;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      json::array values;
      for (const Point& point : points) {
        const Value& value = point.values[i];
        values.push_back(value.count == 0 ? json::value(nullptr) : json::value(value_of(value)));
      }
      columns[columns_[i]] = std::move(values);
    }
    return columns;
  };
  result["mean"] = table([](const Value& value) { return value.count == 1 ? value.sum : rounded(value.sum / value.count); });
  const bool thinned = stride_ > 1;
  result["low"] = thinned ? json::value(table([](const Value& value) { return value.low; })) : json::value(nullptr);
  result["high"] = thinned ? json::value(table([](const Value& value) { return value.high; })) : json::value(nullptr);
  return result;
}

}  // namespace qfw::viewer
