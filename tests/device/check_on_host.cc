// The same checks of devices that tests have on the host: `--device=emulated`, or one that is not here, `--device=h100`, for
// which their code is compiled (compiling_device.h) and on which all is wrong.
#include "compiling_device.h"
#include "emulated_device.h"
#include "main.h"

int main(int count, char** arguments) {
  const device_check::Effort little{.every = 262147, .whole = false, .timed = false};
  return device_check::run_program(
      {arguments + 1, arguments + count},
      [](const device_check::Chosen& chosen) {
        if (chosen.device.empty() || chosen.device == "emulated") return emulated::make_device();
        return compiling::make_device({.device = compiling::device_called(chosen.device), .plans = chosen.plans});
      },
      little);
}
