#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include "io/checkpoint_folder.h"
#include "qfw/error.h"
#include "qfw/format.h"
#include "recipe/sections.h"
#include "recipe/source.h"
#include "reference.h"
#include "util/nearest.h"
#include "verbs.h"
#include "viewer/run_document.h"

/// The words that may stand where a shell asks: the scripts of `qfw completion` call this.
namespace qfw {
namespace {

namespace fs = std::filesystem;

/// Whole words that begin with what was typed. One that ends with =, . or / may go on.
class Candidates {
 public:
  explicit Candidates(std::string typed) : typed_(std::move(typed)) {}

  void add(std::string word) {
    if (word.starts_with(typed_)) words_.insert(std::move(word));
  }
  void print() const {
    for (const std::string& word : words_) fmt::print("{}\n", word);
  }
  const std::string& typed() const { return typed_; }

 private:
  std::string typed_;
  std::set<std::string> words_;
};

enum class Files { recipes, folders, runs, checkpoints, all };

bool is_offered(const fs::path& file, Files files) {
  const std::string name = file.filename().string();
  if (files == Files::recipes) return name.ends_with(".ini");
  if (files == Files::checkpoints) return name == "best.h5" || checkpoint_step(file);
  return files == Files::all;
}

/// Below a run there is no other one.
bool is_entered(const fs::path& folder, Files files, bool in_run) {
  if (!in_run || (files != Files::runs && files != Files::checkpoints)) return true;
  return files == Files::checkpoints && folder.filename() == "checkpoints";
}

/// Paths that begin with what stands in the typed word behind `before`.
void add_paths(Candidates& candidates, const std::string& before, Files files) {
  const std::string typed = candidates.typed().substr(before.size());
  const std::size_t slash = typed.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : typed.substr(0, slash + 1);
  const bool hidden = typed.substr(folder.size()).starts_with('.');
  std::error_code error;
  const fs::path place = folder.empty() ? fs::path(".") : expand_home(folder);
  const bool in_run = viewer::RunReader::is_run(place);
  fs::directory_iterator it(place, error);
  for (const fs::directory_iterator end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with('.') && !hidden) continue;
    std::error_code ignored;
    if (fs::is_directory(it->path(), ignored)) {
      if (is_entered(it->path(), files, in_run)) candidates.add(before + folder + name + "/");
    } else if (is_offered(it->path(), files)) {
      candidates.add(before + folder + name);
    }
  }
}

class Completer {
 public:
  Completer(std::vector<std::string> before, Candidates& candidates, const Catalog& catalog)
      : before_(std::move(before)), candidates_(candidates), catalog_(catalog) {}

  void run() {
    const auto verb_word = std::ranges::find_if(before_, [](const std::string& word) { return !word.starts_with("-"); });
    if (verb_word == before_.end()) return first_words();
    const auto found = std::ranges::find(verbs(), *verb_word, &Verb::name);
    if (found == verbs().end() || found->hidden) return;
    verb_ = &*found;
    for (auto word = verb_word + 1; word != before_.end(); ++word) {
      const Verb::Option* option = option_called(*word);
      if (option != nullptr && !option->value.empty() && !option->may_stand_alone) {
        if (word + 1 == before_.end()) return option_value(*option, "");
        ++word;  // its value
      } else if (!word->starts_with("-")) {
        positional_.push_back(*word);
      }
    }
    const std::string& typed = candidates_.typed();
    if (!typed.starts_with("-")) return argument();
    if (const std::size_t equals = typed.find('='); equals != std::string::npos) {
      value(typed.substr(2, equals - 2), typed.substr(0, equals + 1));
    } else {
      options();
    }
  }

 private:
  const Verb::Option* option_called(std::string_view word) const {
    if (!word.starts_with("--")) return nullptr;
    const auto found = std::ranges::find(verb_->options, word.substr(2), &Verb::Option::name);
    return found == verb_->options.end() ? nullptr : &*found;
  }

  void first_words() {
    for (const Verb& verb : verbs()) {
      if (!verb.hidden) candidates_.add(verb.name);
    }
    if (!candidates_.typed().starts_with("-")) return;
    for (const char* option : {"--help", "--version", "--plugin-dir="}) candidates_.add(option);
    if (candidates_.typed().starts_with("--plugin-dir=")) add_paths(candidates_, "--plugin-dir=", Files::folders);
  }

  /// What the verb's own line of usage says stands at this place.
  void argument() {
    if (verb_->name == "describe") return described();
    std::string left = verb_->positional;
    std::string place;
    for (std::size_t i = 0; i <= positional_.size(); ++i) {
      left.erase(0, std::min(left.find_first_not_of(" "), left.size()));
      place = left.substr(0, left.find(' '));
      left.erase(0, place.size());
      if (place.empty()) return;
      if (place.ends_with("...") || place.ends_with("...]")) break;
    }
    std::erase_if(place, [](char c) { return c == '[' || c == ']'; });
    if (place.ends_with("...")) place.resize(place.size() - 3);
    for (std::size_t begin = 0; begin < place.size();) {
      const std::size_t end = std::min(place.find('|', begin), place.size());
      one_of(place.substr(begin, end - begin));
      begin = end + 1;
    }
  }

  /// `print` is itself; RECIPE, FILE.h5 and the like stand for others.
  void one_of(const std::string& word) {
    const auto paths = [&](Files files) { add_paths(candidates_, "", files); };
    if (word.find_first_not_of("abcdefghijklmnopqrstuvwxyz") == std::string::npos) return candidates_.add(word);
    if (word == "VERB") return first_words();
    if (word == "ACTION") return actions_of(positional_.front());
    if (word == "RECIPE") return paths(Files::recipes);
    if (word == "RUN" || word == "FOLDER") return paths(Files::runs);
    if (word == "CHECKPOINT") return paths(Files::checkpoints);
    if (word.starts_with("FILE") || word.starts_with("MODEL") || word == "PICTURE") return paths(Files::all);
    if (word != "KIND") return;
    for (const std::string& kind : catalog_.kinds()) candidates_.add(kind);
  }

  /// What may stand behind `help VERB`.
  void actions_of(const std::string& verb) {
    const auto found = std::ranges::find(verbs(), verb, &Verb::name);
    if (found == verbs().end()) return;
    const std::string place = found->positional.substr(0, found->positional.find(' '));
    if (place.find_first_not_of("abcdefghijklmnopqrstuvwxyz|") != std::string::npos) return;
    for (std::size_t begin = 0; begin < place.size();) {
      const std::size_t end = std::min(place.find('|', begin), place.size());
      candidates_.add(place.substr(begin, end - begin));
      begin = end + 1;
    }
  }

  void described() {
    const std::vector<std::string> names = reference_names(catalog_);
    if (positional_.empty()) {
      for (const std::string& name : names) candidates_.add(name);
      for (const auto key : recipe::top_keys) candidates_.add(std::string(key));
      keys_of_typed_section("", "");
      return;
    }
    if (positional_.size() != 1 || std::ranges::find(names, positional_[0]) == names.end()) return;
    const SectionReference section = reference_of(positional_[0], catalog_, Opening::no);
    for (const auto& plugin : section.plugins) candidates_.add(plugin.name);
    if (section.has_plugins) return;
    for (const Option& key : section.keys) candidates_.add(key.name);
  }

  /// `--train.` and what may follow it. Plugins are opened for the keys of a section that was typed to its dot.
  void keys_of_typed_section(const std::string& dashes, const std::string& end) {
    const std::string typed = candidates_.typed().substr(std::min(dashes.size(), candidates_.typed().size()));
    const std::size_t dot = typed.rfind('.');
    if (dot == std::string::npos) return;
    const std::string section = typed.substr(0, dot);
    const bool layers = section.starts_with(recipe::layer_prefix);
    const auto names = reference_names(catalog_);
    if (!layers && std::ranges::find(names, section) == names.end()) return;
    const SectionReference reference = reference_of(layers ? "quantizer" : section, catalog_, Opening::yes);
    const auto add = [&](const Option& option) { candidates_.add(dashes + section + "." + option.name + end); };
    if (!layers) std::ranges::for_each(reference.keys, add);
    for (const auto& plugin : reference.plugins) std::ranges::for_each(plugin.options, add);
  }

  void options() {
    for (const Verb::Option& option : verb_->options) {
      if (option.value.empty() || option.may_stand_alone) candidates_.add("--" + option.name);
      if (!option.value.empty()) candidates_.add("--" + option.name + "=");
    }
    candidates_.add("--help");
    candidates_.add("--plugin-dir=");
    if (!verb_->takes_overrides) return;
    for (const auto key : recipe::top_keys) candidates_.add("--" + std::string(key) + "=");
    for (const std::string& section : recipe::section_names()) {
      if (candidates_.typed() != "--" + section + ".") candidates_.add("--" + section + ".");  // else its keys
    }
    candidates_.add("--layer:");
    if (verb_->name == "data") candidates_.add("--writer.");
    keys_of_typed_section("--", "=");
  }

  void value(const std::string& name, const std::string& before) {
    if (name == "plugin-dir") return add_paths(candidates_, before, Files::folders);
    if (const Verb::Option* option = option_called("--" + name)) return option_value(*option, before);
    if (!verb_->takes_overrides) return;
    const std::size_t dot = name.rfind('.');
    std::string section = dot == std::string::npos ? "" : name.substr(0, dot);
    if (section.starts_with(recipe::layer_prefix)) section = "quantizer";
    const std::string key = dot == std::string::npos ? name : name.substr(dot + 1);
    const auto names = reference_names(catalog_);
    if (!section.empty() && std::ranges::find(names, section) == names.end()) return;
    for (const KeyReference& each : key_references(section, key, catalog_)) key_value(each.option, before);
    if (key == "base_config_format") {
      for (const std::string& format : catalog_.names("format")) candidates_.add(before + format);
    }
  }

  void key_value(const Option& option, const std::string& before) {
    if (option.type == Option::Type::boolean) {
      candidates_.add(before + "true");
      candidates_.add(before + "false");
    }
    for (const std::string& choice : option.choices) candidates_.add(before + choice);
    if (option.nullable) candidates_.add(before + "none");
    if (option.name == "dir" || option.name.ends_with("_dir")) add_paths(candidates_, before, Files::folders);
    if (option.name.ends_with("_filename") || option.name.ends_with("_labels")) add_paths(candidates_, before, Files::all);
  }

  void option_value(const Verb::Option& option, const std::string& before) {
    if (option.name == "format") return plugins("format", before);
    if (option.name == "to" && verb_->name == "data") return plugins("writer", before);
    if (verb_->name == "hparams" && (option.name == "to" || option.name == "form")) return forms(option.name == "to", before);
    if (option.value == "KEY") return settings(before);
    if (option.may_stand_alone) return candidates_.add(before + option.value);
    const bool path = option.value.starts_with("FILE") || option.value == "PATH" || option.value == "DIR";
    if (path) add_paths(candidates_, before, option.value == "DIR" ? Files::folders : Files::all);
  }

  void plugins(std::string_view kind, const std::string& before) {
    for (const std::string& name : catalog_.names(kind)) candidates_.add(before + name);
  }

  void forms(bool recipe_too, const std::string& before) {
    if (recipe_too) candidates_.add(before + "recipe");
    for (const auto& form : catalog_.get<Format>(recipe::default_format).make({})->forms()) candidates_.add(before + form.name);
  }

  void settings(const std::string& before) {
    for (const std::string& section : recipe::section_names()) {
      candidates_.add(before + section);
      for (const Option& key : reference_of(section, catalog_, Opening::no).keys)
        candidates_.add(before + section + "." + key.name);
    }
  }

  std::vector<std::string> before_, positional_;
  Candidates& candidates_;
  const Catalog& catalog_;
  const Verb* verb_ = nullptr;
};

/// Folders of --plugin-dir that stand among the words, which they are taken out of.
std::vector<fs::path> take_plugin_folders(std::vector<std::string>& words) {
  constexpr std::string_view option = "--plugin-dir";
  std::vector<fs::path> folders;
  for (auto word = words.begin(); word != words.end();) {
    if (word->starts_with(std::string(option) + "=")) {
      folders.push_back(expand_home(word->substr(option.size() + 1)));
      word = words.erase(word);
    } else if (*word == option && word + 1 != words.end()) {
      folders.push_back(expand_home(*(word + 1)));
      word = words.erase(word, word + 2);
    } else {
      ++word;
    }
  }
  return folders;
}

int run(const Arguments& arguments, const Catalog& given) {
  std::vector<std::string> words = arguments.positional;
  Candidates candidates(words.empty() ? "" : words.back());
  if (!words.empty()) words.pop_back();
  const std::vector<fs::path> folders = take_plugin_folders(words);
  try {
    if (folders.empty()) {
      Completer(words, candidates, given).run();
    } else {
      const Catalog catalog(plugin_folders(folders));
      Completer(words, candidates, catalog).run();
    }
  } catch (const Error&) {  // a plugin that cannot be opened has no words; a shell could not show why
  }
  candidates.print();
  return 0;
}

}  // namespace

Verb complete_verb() {
  Verb verb;
  verb.name = "complete";
  verb.positional = "-- WORD...";
  verb.max_positional = 10000;
  verb.summary = "the words that may stand in place of the last one, for shells";
  verb.hidden = true;
  verb.run = run;
  return verb;
}

}  // namespace qfw
