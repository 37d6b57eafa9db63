// sample_run FOLDER [small|resnet50] [KEY=VALUE]...: a run folder of a training that never was, for tests of what shows runs.
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <functional>
#include <map>
#include <string_view>

#include "sample_run/sample_run.h"

int main(int count, char** words) try {
  using qfw::test::SampleRun;
  if (count < 2) {
    fmt::print(stderr, "usage: sample_run FOLDER [small|resnet50] [KEY=VALUE]...\n");
    return 2;
  }
  SampleRun run;
  const std::map<std::string_view, std::function<void(const std::string&)>> keys = {
      {"description", [&](const std::string& value) { run.description = value; }},
      {"state", [&](const std::string& value) { run.state = value; }},
      {"error", [&](const std::string& value) { run.error = value; }},
      {"class", [&](const std::string& value) { run.class_names.front() = value; }},
      {"steps", [&](const std::string& value) { run.steps = std::stoll(value); }},
      {"bits", [&](const std::string& value) { run.weight_bits = run.act_bits = std::stoi(value); }},
      {"accuracy", [&](const std::string& value) { run.accuracy = std::stod(value); }},
      {"speed", [&](const std::string& value) { run.images_per_second = std::stod(value); }},
      {"seed", [&](const std::string& value) { run.seed = static_cast<unsigned>(std::stoul(value)); }},
  };
  for (int i = 2; i < count; ++i) {
    const std::string_view word = words[i];
    const std::size_t equals = word.find('=');
    if (word == "resnet50") run = SampleRun::resnet50();
    if (equals != word.npos) keys.at(word.substr(0, equals))(std::string(word.substr(equals + 1)));
  }
  qfw::test::write_sample_run(run, words[1]);
} catch (const std::exception& error) {
  fmt::print(stderr, "sample_run: {}\n", error.what());
  return 1;
}
