#include "checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "qfw/error.h"

namespace qfw::hdf5_dataset {

namespace {

[[noreturn]] void refuse(const std::string& what, const std::string& place, std::string_view remedy) {
  fail(Error::Category::data, tag, what, place, remedy);
}

bool is_channels(std::int64_t extent) { return extent == 1 || extent == 3; }

void check_images(const Shape& shape, const std::string& place) {
  constexpr const char* expected = "store images as [N, H, W, C] with 1 or 3 channels";
  if (shape.rank() == 3)
    refuse(fmt::format("its shape is {}, without an axis of channels", shape.str()), place,
           "store gray images as [N, H, W, 1]");
  if (shape.rank() != 4) refuse(fmt::format("its shape is {}", shape.str()), place, expected);
  if (shape[1] == 0 || shape[2] == 0)
    refuse(fmt::format("its shape is {}: images without pixels", shape.str()), place, expected);
  if (is_channels(shape[3])) return;
  if (shape[3] == 4)
    refuse(fmt::format("its shape is {}: 4 channels, the last may be transparency", shape.str()), place,
           "store the first 3 channels only");
  const bool first = is_channels(shape[1]) || shape[1] == 4;
  refuse(fmt::format("its shape is {}: {} channels{}", shape.str(), shape[3], first ? ", or channels first, [N, C, H, W]" : ""),
         place, first ? "transpose it to [N, H, W, C]" : expected);
}

void check_encoded(const SplitLayout& split) {
  const ArrayLayout& bytes = split.pictures;
  if (bytes.shape.rank() != 1)
    refuse(fmt::format("its shape is {}, expected [N]", bytes.shape.str()), bytes.place,
           "store the pictures' bytes one after the other");
  const auto& offsets = split.offsets;
  if (offsets.empty() || offsets.front() < 0 || !std::ranges::is_sorted(offsets) || offsets.back() > bytes.shape.count()) {
    refuse(fmt::format("the offsets do not rise from 0 or more to at most {}, the number of bytes", bytes.shape.count()),
           bytes.place, "offsets [N + 1] say where each picture begins, the last one where they end");
  }
}

void check_counts(const SplitLayout& split, const std::string& place) {
  const std::size_t pictures = split.encoded ? split.offsets.size() - 1 : static_cast<std::size_t>(split.pictures.shape[0]);
  constexpr const char* remedy = "store one for each picture, in the same order";
  if (split.count() != pictures) refuse(fmt::format("{} labels for {} pictures", split.count(), pictures), place, remedy);
  if (!split.names.empty() && split.names.size() != pictures)
    refuse(fmt::format("{} names for {} pictures", split.names.size(), pictures), place, remedy);
}

/// A split without labels has -1 for every example.
bool is_unlabelled(const SplitLayout& split) {
  return std::ranges::all_of(split.labels, [](std::int64_t label) { return label == unlabelled; });
}

void refuse_label(const FileLayout& layout, std::int64_t label, const std::string& why, const std::string& path) {
  for (const SplitLayout& split : layout.splits) {
    const auto found = std::ranges::find(split.labels, label);
    if (found == split.labels.end()) continue;
    refuse(fmt::format("label {} of example {}: {}", label, found - split.labels.begin(), why),
           fmt::format("{}: {}/labels", path, split.name),
           "mend the label, or list a name for every class in class_names, strings in the root");
  }
}

/// A few classes may have no example; one label far from all others, or more classes empty than not, is a slip.
std::optional<std::int64_t> stray(const std::set<std::int64_t>& labels) {
  const auto present = static_cast<std::int64_t>(labels.size());
  if (present < 2) return labels.empty() || *labels.begin() == 0 ? std::optional<std::int64_t>() : *labels.begin();
  const std::int64_t largest = *labels.rbegin(), absent = largest + 1 - present;
  const bool alone = *std::next(labels.rbegin()) == present - 2;  // the others are 0, 1, ... without a gap
  return absent > present || (alone && absent >= 2) ? std::optional(largest) : std::nullopt;
}

void check_labels(const FileLayout& layout, const std::string& path) {
  const auto named = static_cast<std::int64_t>(layout.class_names.size());
  std::set<std::int64_t> seen;
  for (const SplitLayout& split : layout.splits) {
    if (is_unlabelled(split)) continue;
    seen.insert(split.labels.begin(), split.labels.end());
  }
  if (seen.empty()) return;
  if (*seen.begin() < 0)
    refuse_label(layout, *seen.begin(), "labels are 0 or more; -1 throughout stands for a split without labels", path);
  if (named > 0) {
    if (*seen.rbegin() >= named) refuse_label(layout, *seen.rbegin(), fmt::format("there are {} class names", named), path);
  } else if (const auto label = stray(seen)) {
    refuse_label(layout, *label,
                 fmt::format("there would be {} classes, of which {} have examples", *seen.rbegin() + 1, seen.size()), path);
  }
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80                   ? 1
                               : lead >= 0xc2 && lead < 0xe0 ? 2
                               : lead >= 0xe0 && lead < 0xf0 ? 3
                               : lead >= 0xf0 && lead < 0xf5 ? 4
                                                             : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

void check_class_names(const std::vector<std::string>& names, const std::string& path) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!is_utf8(names[i]))
      refuse(fmt::format("the name of class {} is not valid UTF-8", i), path + ": class_names", "store names as UTF-8");
  }
}

}  // namespace

void check(const FileLayout& layout, const std::string& path) {
  check_class_names(layout.class_names, path);
  for (const SplitLayout& split : layout.splits) {
    if (split.encoded) {
      check_encoded(split);
    } else {
      check_images(split.pictures.shape, split.pictures.place);
    }
    check_counts(split, fmt::format("{}: {}", path, split.name));
  }
  check_labels(layout, path);
  if (classes_of(layout) == 0) refuse("there is not one labelled example", path, "store images and labels");
}

std::int64_t classes_of(const FileLayout& layout) {
  if (!layout.class_names.empty()) return static_cast<std::int64_t>(layout.class_names.size());
  std::int64_t largest = -1;
  for (const SplitLayout& split : layout.splits) {
    for (const std::int64_t label : split.labels) largest = std::max(largest, label);
  }
  return largest + 1;
}

}  // namespace qfw::hdf5_dataset
