#include "read_metadata.h"

#include <fmt/format.h>

#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>

#include "qfw/error.h"
#include "read_refuse.h"

namespace qfw::onnx {

namespace {

namespace json = boost::json;

/// The text with each number as a string: Boost's parser rounds some of them twice.
std::string numbers_as_strings(std::string_view text) {
  std::string result;
  bool in_string = false, in_number = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool digit =
        !in_string && ((c >= '0' && c <= '9') || c == '-' || (in_number && (c == '+' || c == '.' || c == 'e' || c == 'E')));
    if (digit != in_number) result += '"';
    in_number = digit;
    result += c;
    if (in_string && c == '\\' && i + 1 < text.size()) {
      result += text[++i];
    } else if (c == '"') {
      in_string = !in_string;
    }
  }
  if (in_number) result += '"';
  return result;
}

/// An entry of the metadata that is JSON.
class Entry {
 public:
  Entry(std::string name, std::string_view text) : name_(std::move(name)) {
    json::error_code error;
    value_ = json::parse(numbers_as_strings(text), error);
    if (error) wrong("it is no JSON: " + error.message());
  }

  [[noreturn]] void wrong(const std::string& what) const { refuse(what, "metadata " + name_, "the file is damaged"); }

  const json::value& value() const { return value_; }
  const json::array& array(const json::value& value) const {
    if (!value.is_array()) wrong("a list is expected");
    return value.get_array();
  }
  const json::object& object() const {
    if (!value_.is_object()) wrong("an object is expected");
    return value_.get_object();
  }
  std::string text(const json::value& value) const {
    if (!value.is_string()) wrong("a text is expected");
    return {value.get_string().data(), value.get_string().size()};
  }
  double number(const json::value& value) const {
    const std::string digits = text(value);
    double result = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), result);
    if (error != std::errc() || end != digits.data() + digits.size() || !std::isfinite(result)) {
      wrong(fmt::format("{} is no number", quoted(digits)));
    }
    return result;
  }
  int whole(const json::value& value) const {
    const double result = number(value);
    if (result != std::floor(result) || std::fabs(result) > 1 << 24) wrong(fmt::format("{} is no size", result));
    return static_cast<int>(result);
  }
  std::vector<double> numbers(const json::value& value) const {
    std::vector<double> result;
    if (!value.is_array()) return {number(value)};
    for (const json::value& each : value.get_array()) result.push_back(number(each));
    return result;
  }

 private:
  std::string name_;
  json::value value_;
};

template <class Choice, std::size_t n>
Choice choice(const Entry& entry, const json::value& value, const std::array<Choice, n>& all) {
  const std::string word = entry.text(value);
  for (const Choice each : all) {
    if (word == image::name_of(each)) return each;
  }
  entry.wrong(fmt::format("{} is none of the words that are known", quoted(word)));
}

image::Preparation preparation_of(const Entry& entry) {
  using Fit = image::Preparation::Fit;
  using Filter = image::Preparation::Filter;
  constexpr std::array fits = {Fit::exact, Fit::centre_square, Fit::shorter_side};
  constexpr std::array filters = {Filter::bicubic, Filter::bilinear_reduced, Filter::bicubic_reduced};
  image::Preparation result;
  std::size_t known = 0;
  for (const auto& [key, value] : entry.object()) {
    ++known;
    if (key == "height") {
      result.height = entry.whole(value);
    } else if (key == "width") {
      result.width = entry.whole(value);
    } else if (key == "channels") {
      result.channels = entry.whole(value);
    } else if (key == "margin") {
      result.margin = entry.whole(value);
    } else if (key == "fit") {
      result.fit = choice(entry, value, fits);
    } else if (key == "filter") {
      result.filter = choice(entry, value, filters);
    } else if (key == "bgr") {
      if (!value.is_bool()) entry.wrong("bgr is true or false");
      result.bgr = value.get_bool();
    } else if (key == "mean") {
      result.mean = entry.numbers(value);
    } else if (key == "stddev") {
      result.stddev = entry.numbers(value);
    } else {
      // What an older reader does not know it cannot do.
      entry.wrong(fmt::format("{} is not known here", quoted({key.data(), key.size()})));
    }
  }
  if (known != 9) entry.wrong(fmt::format("{} of 9 settings are there", known));
  try {
    image::check(result);
  } catch (const Error& error) {
    entry.wrong(error.what());
  }
  return result;
}

std::vector<std::string> labels_of(const Entry& entry) {
  std::vector<std::string> labels;
  for (const json::value& label : entry.array(entry.value())) labels.push_back(entry.text(label));
  return labels;
}

Grid grid_of(const Entry& entry, double low, double high) {
  const bool halves =
      low * 2 == std::floor(low * 2) && high * 2 == std::floor(high * 2) && high - low == std::floor(high - low);
  if (!halves || low < -256 || high > 256 || low > high) entry.wrong(fmt::format("codes from {} to {}", low, high));
  return {static_cast<float>(low), static_cast<float>(high)};
}

std::map<std::string, std::pair<Grid, Grid>> grids_of(const Entry& entry) {
  std::map<std::string, std::pair<Grid, Grid>> grids;
  for (const auto& [site, value] : entry.object()) {
    const std::vector<double> ends = entry.numbers(value);
    if (ends.size() != 4) entry.wrong(fmt::format("{} has {} numbers, not 4", quoted({site.data(), site.size()}), ends.size()));
    grids[{site.data(), site.size()}] = {grid_of(entry, ends[0], ends[1]), grid_of(entry, ends[2], ends[3])};
  }
  return grids;
}

}  // namespace

Metadata metadata_of(const pb::ModelProto& model) {
  std::map<std::string, std::string> texts;
  for (const pb::StringStringEntryProto& entry : model.metadata_props()) {
    if (!texts.emplace(entry.key(), entry.value()).second) refuse("metadata " + quoted(entry.key()) + " are there twice");
  }
  if (!texts.contains("qfw.form")) {
    refuse(fmt::format("the file is not one of qfw's: its metadata say no qfw.form; its producer is {}",
                       quoted(model.producer_name())));
  }
  Metadata result{.form = texts["qfw.form"],
                  .guarantee = texts["qfw.guarantee"],
                  .version = texts["qfw.version"],
                  .recipe = texts["qfw.recipe"],
                  .checkpoint = texts["qfw.checkpoint"],
                  .phase = texts["qfw.phase"]};
  if (texts.contains("qfw.step")) {
    const std::string& text = texts["qfw.step"];
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result.step);
    if (error != std::errc() || end != text.data() + text.size() || result.step < 0)
      refuse("it is no number", "metadata qfw.step");
  }
  if (texts.contains("qfw.preparation"))
    result.preparation = preparation_of(Entry("qfw.preparation", texts["qfw.preparation"]));
  if (texts.contains("qfw.labels")) result.labels = labels_of(Entry("qfw.labels", texts["qfw.labels"]));
  if (texts.contains("qfw.grids")) result.grids = grids_of(Entry("qfw.grids", texts["qfw.grids"]));
  return result;
}

}  // namespace qfw::onnx
