#include "labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "files.h"

namespace qfw::image_folder {

namespace {

/// All labels of a list under one meaning, as far as they have one.
struct Reading {
  std::vector<std::int64_t> labels;  ///< -1: none
  const LabelList::Row* first_bad = nullptr;
  bool holds() const { return first_bad == nullptr; }
};

template <class Find>
Reading read_as(const LabelList& list, Find find) {
  Reading reading;
  for (const LabelList::Row& row : list.rows) {
    reading.labels.push_back(find(row.label));
    if (reading.labels.back() < 0 && reading.holds()) reading.first_bad = &row;
  }
  return reading;
}

Reading read_names(const LabelList& list, const std::vector<std::string>& class_names) {
  std::map<std::string_view, std::int64_t> numbers;
  for (const std::string& name : class_names) numbers.emplace(name, static_cast<std::int64_t>(numbers.size()));
  return read_as(list, [&](const std::string& label) {
    const auto found = numbers.find(label);
    return found == numbers.end() ? -1 : found->second;
  });
}

Reading read_places(const LabelList& list, std::int64_t classes) {
  return read_as(list, [&](const std::string& label) -> std::int64_t {
    const auto number = number_of(label);
    return number && *number >= 0 && *number < classes ? *number : -1;
  });
}

[[noreturn]] void ambiguous(const LabelList& list, const Reading& names, const Reading& places,
                            const std::vector<std::string>& class_names) {
  const auto at = static_cast<std::size_t>(std::ranges::mismatch(names.labels, places.labels).in1 - names.labels.begin());
  bad_list(list, list.rows[at].number,
           fmt::format(
               "the list is ambiguous: its labels can be names of classes, or places in the sorted list of them from 0; \"{}\" "
               "is class {} by name and class {} by place",
               list.rows[at].text, class_names[static_cast<std::size_t>(names.labels[at])],
               class_names[static_cast<std::size_t>(places.labels[at])]),
           "set dataset.validation_labels_are = names or places");
}

/// The reading that gets further is what was meant.
[[noreturn]] void unreadable(const LabelList& list, const Reading& names, const Reading& places, std::size_t classes,
                             Meaning meaning) {
  const auto number = [](const Reading& reading) { return reading.first_bad != nullptr ? reading.first_bad->number : 0; };
  const bool as_places = meaning == Meaning::places || (meaning == Meaning::automatic && number_of(list.rows[0].label) &&
                                                        number(places) >= number(names));
  const LabelList::Row& row = as_places ? *places.first_bad : *names.first_bad;
  if (!as_places) {
    bad_list(list, row.number, fmt::format("\"{}\" is not the name of a class, in \"{}\"", row.label, row.text),
             "labels are the names of class folders, all of them, or numbers from 0, all of them");
  }
  if (!number_of(row.label)) {
    bad_list(list, row.number, fmt::format("\"{}\" is no number, in \"{}\"", row.label, row.text),
             "write all labels as names of classes, or all as numbers from 0");
  }
  bad_list(list, row.number, fmt::format("label {} of {} classes, which count from 0, in \"{}\"", row.label, classes, row.text),
           "the numbers are places in the sorted list of classes; ImageNet's own ground truth file counts otherwise");
}

std::vector<std::int64_t> labels_of(const LabelList& list, const std::vector<std::string>& class_names, Meaning meaning) {
  const Reading names = read_names(list, class_names),
                places = read_places(list, static_cast<std::int64_t>(class_names.size()));
  const bool by_name = meaning != Meaning::places && names.holds(), by_place = meaning != Meaning::names && places.holds();
  if (by_name && by_place && names.labels != places.labels) ambiguous(list, names, places, class_names);
  if (!by_name && !by_place) unreadable(list, names, places, class_names.size(), meaning);
  return by_name ? names.labels : places.labels;
}

}  // namespace

void label_files(Listing& listing, const LabelList& list, const std::vector<std::string>& class_names, Meaning meaning) {
  const std::vector<std::int64_t> labels = labels_of(list, class_names, meaning);
  std::vector<bool> labelled(listing.files.size());
  for (std::size_t i = 0; i < list.rows.size(); ++i) {
    const std::size_t file = list.rows[i].file.value_or(i);
    if (labelled[file])
      bad_list(list, list.rows[i].number, fmt::format("{} has a label already", listing.files[file].name),
               "remove one of them");
    labelled[file] = true;
    listing.files[file].label = labels[i];
  }
  if (const auto missing = std::ranges::find(labelled, false); missing != labelled.end()) {
    bad_list(list, 0,
             fmt::format("{} has no label", listing.path(static_cast<std::size_t>(missing - labelled.begin())).string()),
             "add a line for it, or remove the file");
  }
}

std::vector<std::string> classes_of(const LabelList& list) {
  constexpr std::int64_t most = 1 << 20;  // a list of one line must not ask for all memory
  std::set<std::string> names;
  std::int64_t largest = -1;
  bool numbers = true;
  for (const LabelList::Row& row : list.rows) {
    names.insert(row.label);
    const auto number = number_of(row.label);
    numbers = numbers && number && *number >= 0;
    if (!numbers) continue;
    if (*number >= most)
      bad_list(list, row.number,
               fmt::format("label {}, and no folders of classes; numbers up to {} are taken", *number, most - 1),
               "number the classes from 0, or give them names");
    largest = std::max(largest, *number);
  }
  if (!numbers) return {names.begin(), names.end()};
  std::vector<std::string> all;
  for (std::int64_t i = 0; i <= largest; ++i) all.push_back(std::to_string(i));
  return all;
}

}  // namespace qfw::image_folder
