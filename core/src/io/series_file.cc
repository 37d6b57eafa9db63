#include "io/series_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>
#include <utility>

#include "io/log.h"
#include "qfw/atomic_file.h"
#include "qfw/error.h"
#include "qfw/regular_file.h"

namespace qfw {

namespace {

constexpr std::string_view header =
    "step,seconds,images_per_second,loss,accuracy,learning_rate,eval_loss,eval_accuracy,eval_top5\n";
constexpr std::size_t columns = 9, most_pending = 1 << 20;
constexpr std::uint64_t most_bytes = std::uint64_t{1} << 30;

/// What of a line decides whether it is kept.
struct Place {
  std::int64_t step = 0;
  double seconds = 0;
  bool evaluation = false;
};

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// A line as add() writes them; none for anything else.
std::optional<Place> place_of(std::string_view line) {
  std::array<std::string_view, columns> cells;
  for (std::size_t i = 0; i < columns; ++i) {
    const std::size_t comma = i + 1 < columns ? line.find(',') : line.size();
    if (comma == std::string_view::npos) return std::nullopt;
    cells[i] = line.substr(0, comma);
    line.remove_prefix(std::min(line.size(), comma + 1));
  }
  const auto step = number_of<std::int64_t>(cells[0]);
  if (!step || *step < 1) return std::nullopt;
  Place place{.step = *step, .evaluation = cells[2].empty()};
  for (std::size_t i = 1; i < columns; ++i) {
    const bool wanted = i == 1 || (i >= 6) == place.evaluation;
    if (!wanted && cells[i].empty()) continue;
    const auto value = number_of<double>(cells[i]);
    if (!wanted || !value || !std::isfinite(*value)) return std::nullopt;
    if (i == 1) place.seconds = *value;
  }
  return place.seconds >= 0 ? std::optional(place) : std::nullopt;
}

std::string text_of(const SeriesFile::Row& row) {
  if (const auto* training = std::get_if<SeriesFile::Training>(&row.values)) {
    return fmt::format("{},{:.3f},{:.1f},{},{},{},,,\n", row.step, row.seconds, training->images_per_second, training->loss,
                       training->accuracy, training->rate);
  }
  const auto& evaluation = std::get<SeriesFile::Evaluation>(row.values);
  return fmt::format("{},{:.3f},,,,,{},{},{}\n", row.step, row.seconds, evaluation.loss, evaluation.accuracy, evaluation.top5);
}

}  // namespace

SeriesFile::SeriesFile(std::filesystem::path path, std::int64_t completed, std::int64_t evaluated) : path_(std::move(path)) {
  // A pipe of that name is not waited for, and no link is followed out of the run's folder.
  descriptor_ = open(path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_writing(path_, errno);
  try {
    keep(completed, evaluated);
  } catch (...) {
    close(descriptor_);
    throw;
  }
}

void SeriesFile::keep(std::int64_t completed, std::int64_t evaluated) {
  std::string all;
  {
    const RegularFile file(path_, "take it away");
    if (file.size() > most_bytes) {
      fail(Error::Category::data, "series", fmt::format("{} has {} bytes", path_.string(), file.size()), {}, "take it away");
    }
    all.resize(static_cast<std::size_t>(file.size()));
    file.read(0, std::as_writable_bytes(std::span(all)));
  }
  const std::string_view text = all, begin = text.substr(0, header.size());
  if (begin != header.substr(0, begin.size()) || (begin.size() < header.size() && begin != text)) {
    fail(Error::Category::data, "series", fmt::format("{} does not begin as a run's series", path_.string()), {},
         "take it away");
  }
  std::size_t end = begin.size() < header.size() ? 0 : header.size();
  Place last_training, last_evaluation;
  for (std::size_t line = 2; end > 0 && end < text.size(); ++line) {
    const std::size_t stop = text.find('\n', end);
    if (stop == std::string_view::npos) break;  // half a line
    const auto place = place_of(text.substr(end, stop - end));
    const std::int64_t before = std::max(last_training.step, last_evaluation.step);
    if (!place || place->step < before || place->step <= (place->evaluation ? last_evaluation : last_training).step) {
      logger().warn("line {} of {} is none of a run's series; it and what follows is cut off", line, path_.string());
      break;
    }
    if (place->step > (place->evaluation ? evaluated : completed)) break;
    (place->evaluation ? last_evaluation : last_training) = *place;
    seconds_ = place->seconds;
    end = stop + 1;
  }
  if (end < text.size() && ftruncate(descriptor_, static_cast<off_t>(end)) != 0) fail_writing(path_, errno);
  end_ = end;
  if (end == 0) pending_ = header;
  write();
}

SeriesFile::~SeriesFile() {
  write();
  if (const std::uint64_t lost = dropped_ + pending_.size(); lost > 0) {
    logger().warn("{} lacks {} bytes that could not be written", path_.string(), lost);
  }
  close(descriptor_);
}

void SeriesFile::add(const Row& row) {
  pending_ += text_of(row);
  write();
}

/// Curves are not worth a training.
void SeriesFile::write() {
  for (std::size_t done = 0; done < pending_.size();) {
    const ssize_t wrote = pwrite(descriptor_, pending_.data() + done, pending_.size() - done, static_cast<off_t>(end_ + done));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      if (!std::exchange(failing_, true)) {
        logger().warn("cannot write {}: {}; training goes on, and what is missing there is written when that is possible",
                      path_.string(), std::strerror(wrote < 0 ? errno : ENOSPC));
      }
      if (end_ > 0 && pending_.size() > most_pending) dropped_ += std::exchange(pending_, {}).size();
      return;
    }
    done += static_cast<std::size_t>(wrote);
  }
  end_ += pending_.size();
  pending_.clear();
  failing_ = false;
}

/// The file of a run that a power cut ends may lack lines; it never has others. So a disk that cannot sync is left alone.
void SeriesFile::sync() { fdatasync(descriptor_); }

}  // namespace qfw
