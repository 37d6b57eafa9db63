#include "notes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>

#include "names.h"

namespace qfw::image_folder {

namespace {

std::int64_t sum_of(const Counts& counts) {
  std::int64_t sum = 0;
  for (const auto& [extension, count] : counts) sum += count;
  return sum;
}

/// "7 .bmp, 2 without an extension"
std::string text_of(const Counts& counts) {
  std::vector<std::string> parts;
  for (const auto& [extension, count] : counts)
    parts.push_back(extension.empty() ? fmt::format("{} without an extension", count)
                                      : fmt::format("{} .{}", count, extension));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::vector<std::string> classes_without_pictures(const Listing& listing, const std::vector<std::string>& class_names) {
  std::vector<bool> has(class_names.size());
  for (const Listing::File& file : listing.files) has[static_cast<std::size_t>(file.label)] = true;
  std::vector<std::string> without;
  for (std::size_t i = 0; i < has.size(); ++i) {
    if (!has[i]) without.push_back(class_names[i]);
  }
  return without;
}

}  // namespace

std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t shown = 5;
  const auto first = std::span(names).first(std::min(names.size(), shown));
  std::string text = fmt::format("{}", fmt::join(first, ", "));
  if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

std::vector<std::string> notes_of(const Listing& listing, const std::filesystem::path& split,
                                  const std::vector<std::string>& class_names) {
  std::vector<std::string> notes;
  const std::string folder = split.string();
  if (const std::int64_t unread = sum_of(listing.unread); unread > 0) {
    notes.push_back(fmt::format("{} of {} files in {} are not read, as they are none of {} by name: {}; read are {}", unread,
                                unread + sum_of(listing.read), folder, read_forms, text_of(listing.unread),
                                text_of(listing.read)));
  }
  const std::vector<std::string> without = classes_without_pictures(listing, class_names);
  std::vector<std::string> no_class = listing.empty;
  std::erase_if(no_class, [&](const std::string& name) { return std::ranges::find(without, name) != without.end(); });
  if (!no_class.empty())
    notes.push_back(fmt::format("{} of the folders in {} hold no picture that is read, and are no classes: {}", no_class.size(),
                                folder, some_of(no_class)));
  if (!without.empty())
    notes.push_back(fmt::format("{} of {} classes have no picture in {}: {}", without.size(), class_names.size(), folder,
                                some_of(without)));
  if (!listing.beside.empty())
    notes.push_back(fmt::format("{} files in {} lie beside the folders of classes and are not read: {}; the first is {}",
                                sum_of(listing.beside), folder, text_of(listing.beside), listing.first_beside));
  if (!listing.below.empty())
    notes.push_back(
        fmt::format("{} folders in {} hold pictures that are not read, as a list labels those of the folder itself: {}",
                    listing.below.size(), folder, some_of(listing.below)));
  if (!listing.deeper.empty())
    notes.push_back(
        fmt::format("{} of {} classes in {} have their pictures in several folders below their own, each of which counts "
                    "as the class: {}",
                    listing.deeper.size(), class_names.size(), folder, some_of(listing.deeper)));
  return notes;
}

}  // namespace qfw::image_folder
