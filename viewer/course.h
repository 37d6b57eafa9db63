#pragma once

#include <array>
#include <boost/json/object.hpp>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace qfw::viewer {

/// Quantities over steps, in bounded memory however many rows there are: beyond `most_points` neighbours become one point, with
/// the mean, least and greatest value of its rows. So no spike is lost, and with few rows each is a point.
class Course {
 public:
  static constexpr std::size_t most_columns = 5;

  Course(std::span<const std::string_view> columns, std::size_t most_points);

  void clear();
  /// Steps rise; false, and nothing is added, for one that does not. A value that is NaN is none.
  bool add(double step, std::span<const double> values);

  std::uint64_t rows() const { return rows_; }
  double last_step() const { return points_.empty() ? -1 : points_.back().last_step; }
  /// Another one whenever points that were given before are no longer the first ones.
  std::uint64_t generation() const { return generation_; }
  /// Points that will stay as they are, until the next generation.
  std::size_t settled() const;

  /// The points from number `from` on: {"from", "rows", "stride", "step": [], "mean": {column: []}, "low", "high"}; without
  /// `low` and `high` (null) where each row is a point.
  boost::json::object since(std::size_t from) const;

 private:
  struct Value {
    double sum = 0, low = 0, high = 0;
    std::uint32_t count = 0;

    void add(const Value& other);
  };
  struct Point {
    double first_step = 0, last_step = 0;
    std::uint64_t rows = 0;
    std::array<Value, most_columns> values;

    void add(const Point& next);
  };

  void halve();

  std::vector<std::string_view> columns_;
  std::size_t most_points_;
  std::vector<Point> points_;
  std::uint64_t rows_ = 0, stride_ = 1, generation_ = 0;
};

}  // namespace qfw::viewer
