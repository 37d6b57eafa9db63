#pragma once

#include <span>
#include <string_view>

/// The files of viewer/page and chart.js, put into the program when it is built (embed.cmake).
namespace qfw::viewer {

struct Asset {
  std::string_view name;
  std::string_view text;
  std::string_view sha256;  ///< of `text`, hexadecimal
};

std::string_view frame();  ///< page.html, with places for the rest
std::span<const Asset> styles();
std::span<const Asset> scripts();  ///< in the order in which they are to run

}  // namespace qfw::viewer
