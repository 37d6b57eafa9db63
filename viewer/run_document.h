#pragma once

#include <array>
#include <boost/json/object.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "viewer/conform.h"
#include "viewer/folder_faults.h"
#include "viewer/folder_files.h"
#include "viewer/layer_course.h"
#include "viewer/life.h"
#include "viewer/series_course.h"

namespace qfw::viewer {

/// What a reader of a document already has, so that it is sent what is new only.
struct Cursor {
  static constexpr std::size_t files = 6;

  std::uint64_t reader = 0;  ///< number of the RunReader; 0: it has nothing
  std::uint64_t training_generation = 0, training = 0, evaluation_generation = 0, evaluations = 0;
  std::uint64_t layer_generation = 0, layers = 0, layer_rows = 0;
  std::array<std::uint64_t, files> revisions{};  ///< of the files that are sent whole

  std::string text() const;
  /// None for a text that is no cursor's.
  static std::optional<Cursor> parse(std::string_view text);
};

/// One run folder as one JSON document for the page: report, comparison and watcher alike. What is missing, damaged or too
/// large is named in the document and no error, and memory and document are bounded whatever the folder holds. docs/report.md
/// has the document's form. One thread at a time.
class RunReader {
 public:
  explicit RunReader(std::filesystem::path folder);

  const std::filesystem::path& folder() const { return folder_.path(); }
  /// Whether the folder holds something that a run leaves, links aside; also without a refresh.
  static bool is_run(const std::filesystem::path& folder);

  /// Looks at the folder; files are read where they changed.
  void refresh();
  boost::json::object document() const { return changes_since({}); }
  /// What is wrong with the folder's files, each named once: "series.csv: it is empty".
  std::vector<std::string> problems() const;
  /// The document without the parts that a reader with this cursor has; `cursor` in it is the next one.
  boost::json::object changes_since(const Cursor& cursor) const;

 private:
  /// A file that is read and sent whole.
  struct Whole {
    std::string_view name;  ///< of the file
    std::string_view part;  ///< of the document
    std::uint64_t most_bytes;
    boost::json::value (*parse)(const std::string& text, std::vector<std::string>& faults);
    std::optional<FileMark> mark{};
    boost::json::value content{};
    std::string problem{};
    std::uint64_t revision = 1;
  };
  /// What became of a file that is followed.
  struct Followed {
    std::optional<FileMark> mark;
    std::string problem, ending;
  };

  std::string problem_of(const Followed& file) const;
  void refresh(Whole& file);
  template <class Course>
  void refresh(Course& course, Followed& file);
  const boost::json::object* object_in(std::string_view part) const;
  boost::json::array files() const;
  boost::json::object state() const;

  std::uint64_t number_;
  Folder folder_;
  std::array<Whole, Cursor::files> whole_;
  SeriesCourse series_;
  LayerCourse layers_;
  Followed series_file_, layers_file_;
  Life life_;
  std::vector<NamedFault> others_;  ///< of files that are no part of a document
};

}  // namespace qfw::viewer
