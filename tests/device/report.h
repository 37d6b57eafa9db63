#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>

namespace device_check {

/// What was found of a device, a line for each thing:
///   name: ok | WRONG found, expected | number unit | left out, why
class Report {
 public:
  explicit Report(std::ostream& out) : out_(out) {}

  void ok(std::string_view name, std::string_view note = {});
  void wrong(std::string_view name, std::string_view found, std::string_view expected);
  void number(std::string_view name, double value, std::string_view unit);
  void left_out(std::string_view name, std::string_view why);

  int wrongs() const { return wrongs_; }

 private:
  void say(std::string_view name, std::string_view what);

  std::ostream& out_;
  int wrongs_ = 0;
};

/// "0x3f800000"
std::string hex(std::uint32_t bits);
/// With its bits: "1 (0x3f800000)"
std::string text_of(float value);

}  // namespace device_check
