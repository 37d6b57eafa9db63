#include "io/row_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "io/log.h"
#include "qfw/atomic_file.h"
#include "qfw/error.h"
#include "qfw/regular_file.h"
#include "util/counted.h"

namespace qfw {

namespace {

constexpr std::size_t most_pending = 1 << 20;
constexpr std::uint64_t most_bytes = std::uint64_t{1} << 30;

std::string text_of(const std::filesystem::path& path) {
  const RegularFile file(path, "take it away");
  if (file.size() > most_bytes) {
    fail(Error::Category::data, "run", fmt::format("{} has {}", path.string(), counted(file.size(), "byte")), {},
         "take it away");
  }
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  file.read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

}  // namespace

RowFile::RowFile(std::filesystem::path path, const Kind& kind, const std::function<Line(std::string_view)>& judge)
    : path_(std::move(path)) {
  // A pipe of that name is not waited for, and no link is followed out of the run's folder.
  descriptor_ = open(path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_writing(path_, errno);
  try {
    keep(kind, judge);
  } catch (...) {
    close(descriptor_);
    throw;
  }
}

void RowFile::keep(const Kind& kind, const std::function<Line(std::string_view)>& judge) {
  const std::string all = text_of(path_);
  const std::string_view text = all, begin = text.substr(0, kind.header.size());
  if (begin != kind.header.substr(0, begin.size()) || (begin.size() < kind.header.size() && begin != text)) {
    fail(Error::Category::data, "run", fmt::format("{} does not begin as {}", path_.string(), kind.name), {}, "take it away");
  }
  std::size_t end = begin.size() < kind.header.size() ? 0 : kind.header.size();
  for (std::size_t line = 2; end > 0 && end < text.size(); ++line) {
    const std::size_t stop = text.find('\n', end);
    if (stop == std::string_view::npos) break;  // half a line
    const Line judged = judge(text.substr(end, stop - end));
    if (judged == Line::none) {
      logger().warn("line {} of {} is none of {}; it and what follows is cut off", line, path_.string(), kind.name);
    }
    if (judged != Line::keep) break;
    end = stop + 1;
  }
  if (end < text.size() && ftruncate(descriptor_, static_cast<off_t>(end)) != 0) fail_writing(path_, errno);
  end_ = end;
  if (end == 0) pending_ = kind.header;
  write();
}

RowFile::~RowFile() {
  write();
  if (const std::uint64_t lost = dropped_ + pending_.size(); lost > 0) {
    logger().warn("{} lacks {} that could not be written", path_.string(), counted(lost, "byte"));
  }
  close(descriptor_);
}

void RowFile::add(std::string_view lines) {
  pending_ += lines;
  write();
}

/// Curves are not worth a training.
void RowFile::write() {
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
void RowFile::sync() { fdatasync(descriptor_); }

}  // namespace qfw
