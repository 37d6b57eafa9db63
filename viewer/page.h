#pragma once

#include <boost/json/array.hpp>
#include <filesystem>
#include <string>
#include <string_view>

namespace qfw::viewer {

/// A page of a document (or of several, side by side) that needs nothing but a browser: no other file, no network.
std::string report_page(const boost::json::array& documents);

/// The page that fetches its document from the server that it came from, again and again.
std::string live_page(std::string_view title);
/// The page of a folder of runs, which leads to theirs.
std::string list_page(std::string_view title);

/// What scripts and styles such a page admits: its own, by their digests. Data from runs can add none.
std::string content_security_policy(bool live);

/// Whether it is a page of qfw's, to its end.
bool is_whole_page(const std::filesystem::path& file);

/// By rename; a file that is there and is no page of qfw's is not replaced (Error::Category::usage).
void write_page(const std::filesystem::path& file, std::string_view page);

}  // namespace qfw::viewer
