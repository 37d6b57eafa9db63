#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "qfw/error.h"
#include "util/nearest.h"
#include "verbs.h"

namespace qfw {
namespace {

/// Words are cut at = and : by readline; the program gets whole ones, and what is cut off is left out of its answers.
constexpr std::string_view bash =
    R"script(# Completion of qfw for bash: eval "$(qfw completion bash)", or keep it in a file,
# ~/.local/share/bash-completion/completions/qfw.
_qfw() {
  local -a words=() answers=()
  local i word glued=0 program=${COMP_WORDS[0]/#\~/$HOME}
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if ((${#words[@]})) && { ((glued)) || [[ $word == [=:]* ]]; }; then
      words[${#words[@]} - 1]+=$word
    else
      words+=("$word")
    fi
    glued=0
    [[ $word == [=:]* ]] && glued=1
  done
  ((${#words[@]})) || words=("")
  local typed=${words[${#words[@]} - 1]}
  mapfile -t answers < <("$program" complete -- "${words[@]}" 2> /dev/null)
  local cut=${typed%"${typed##*[=:]}"}
  COMPREPLY=()
  for word in "${answers[@]}"; do
    COMPREPLY+=("$(printf '%q' "${word#"$cut"}")")
  done
  if ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} == *[=./:] ]]; then
    compopt -o nospace 2> /dev/null
  fi
}
complete -F _qfw qfw
)script";

constexpr std::string_view zsh = R"script(#compdef qfw
# Completion of qfw for zsh: eval "$(qfw completion zsh)", or store it as _qfw in a folder of $fpath. It starts the
# completion system, compinit, where nobody has.
_qfw() {
  local -a answers
  answers=("${(@f)$("${(Q)words[1]/#\~/$HOME}" complete -- "${(@Q)words[2,CURRENT]}" 2> /dev/null)}")
  compadd -S '' -- ${(M)answers:#*[=./:]}
  compadd -- ${answers:#*[=./:]}
}
if [[ ${funcstack[1]} == _qfw ]]; then
  _qfw "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
  compdef _qfw qfw
fi
)script";

constexpr std::string_view fish =
    R"script(# Completion of qfw for fish: qfw completion fish | source, or store it as ~/.config/fish/completions/qfw.fish.
function __qfw_answers
    set -l words (commandline -opc)
    set -l program (string replace -r '^~' $HOME -- $words[1])
    $program complete -- $words[2..-1] (commandline -ct) 2> /dev/null
end
complete -c qfw -f -a '(__qfw_answers)'
)script";

struct Shell {
  std::string_view name, script;
};
constexpr std::array shells = {Shell{"bash", bash}, Shell{"zsh", zsh}, Shell{"fish", fish}};

int run(const Arguments& arguments, const Catalog&) {
  const std::string& name = arguments.positional[0];
  const auto shell = std::ranges::find(shells, name, &Shell::name);
  if (shell == shells.end()) {
    const std::vector<std::string> known = {"bash", "zsh", "fish"};
    const std::string guess = did_you_mean(name, known);
    fail(Error::Category::usage, "completion", fmt::format("there is no script for '{}'", name), {},
         (guess.empty() ? "" : guess + " ") + "shells are: bash, zsh, fish");
  }
  fmt::print("{}", shell->script);
  return 0;
}

}  // namespace

Verb completion_verb() {
  return {.name = "completion",
          .positional = "bash|zsh|fish",
          .min_positional = 1,
          .max_positional = 1,
          .summary = "a script that completes verbs, options, keys and their values in a shell",
          .doc =
              "  eval \"$(qfw completion bash)\"       # in ~/.bashrc\n"
              "  eval \"$(qfw completion zsh)\"        # in ~/.zshrc\n"
              "  qfw completion fish | source        # in ~/.config/fish/config.fish",
          .run = run};
}

}  // namespace qfw
