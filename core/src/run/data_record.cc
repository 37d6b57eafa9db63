#include "run/data_record.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sstream>
#include <vector>

#include "io/log.h"
#include "qfw/error.h"
#include "qfw/random.h"
#include "run/same_run.h"
#include "util/counted.h"

namespace qfw {

namespace {

struct Record {
  std::int64_t classes = 0;
  std::uint64_t names = 0;
  struct Split {
    std::string name;
    std::int64_t examples = 0;
    std::uint64_t content = 0;
  };
  Split train, validation;

  std::string text() const {
    return fmt::format("{} {:016x}\n{} {:016x} {}\n{} {:016x} {}\n", classes, names, train.examples, train.content, train.name,
                       validation.examples, validation.content, validation.name);
  }

  /// Text that is none of ours gives a record of no classes.
  static Record parse(std::string_view text) {
    Record record;
    std::istringstream stream{std::string(text)};
    stream >> record.classes >> std::hex >> record.names;
    for (Split* split : {&record.train, &record.validation}) {
      stream >> std::dec >> split->examples >> std::hex >> split->content >> std::ws;
      std::getline(stream, split->name);
    }
    return record;
  }
};

}  // namespace

std::string data_record(Session& session) {
  const auto split_of = [&](const std::string& split) {
    const Dataset& dataset = session.dataset(split);
    return Record::Split{split, dataset.size(split), dataset.identity(split).content};
  };
  Record record{.train = split_of(session.train_split()), .validation = split_of(session.validation_split())};
  const Dataset& dataset = session.dataset(session.train_split());
  record.classes = dataset.classes();
  std::string names;
  for (std::int64_t label = 0; label < record.classes; ++label) names += dataset.class_name(label) + '\n';
  record.names = hash_of(names);
  return record.text();
}

void check_same_data(std::string_view recorded, std::string_view found, const Recipe& recipe,
                     const std::filesystem::path& checkpoint) {
  if (recorded.empty()) return;  // written before there were records
  const Record then = Record::parse(recorded), now = Record::parse(found);
  if (then.classes != now.classes) {
    fail(Error::Category::usage, "resume",
         fmt::format("the run was trained on {}, the data set has {}", counted(then.classes, "class", "classes"), now.classes),
         checkpoint.string(), "restore the data, or for a run of its own add " + own_folder_option(recipe, {"data"}));
  }
  std::vector<std::string> differing;
  if (then.names != now.names) differing.emplace_back("class names or their order");
  const auto compare = [&](const Record::Split& before, const Record::Split& after) {
    if (before.name != after.name) return;  // chosen by the recipe, which is compared by itself
    if (before.examples != after.examples) {
      differing.push_back(
          fmt::format("split {} had {}, has {}", after.name, counted(before.examples, "image"), after.examples));
    } else if (before.content != after.content) {
      differing.push_back(fmt::format("names, sizes or labels of the images of split {}", after.name));
    }
  };
  compare(then.train, now.train);
  compare(then.validation, now.validation);
  if (differing.empty()) return;
  logger().warn("the data have changed since this run began: {} ({}); what was trained so far was trained on the others",
                fmt::join(differing, "; "), checkpoint.string());
}

}  // namespace qfw
