# What shells are told may stand where TAB is pressed. bash is driven as readline does; zsh and fish where they are installed.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
mkdir -p recipes/deep "runs/a run/checkpoints" runs/quick
touch recipes/one.ini recipes/two.ini recipes/notes.txt recipes/deep/three.ini weights.h5

# answers WORD...: what the program answers, on one line.
answers() { "$QFW" complete -- "$@" | paste -sd ' '; }
is() {  # is EXPECTED ACTUAL WHAT
  [ "$1" = "$2" ] || fail "$3: '$2', expected '$1'"
}
has() {  # has WORD ACTUAL WHAT
  grep -qF -- " $1 " <<< " $2 " || fail "$3: no '$1' in '$2'"
}
lacks() { if grep -qF -- " $1 " <<< " $2 "; then fail "$3: '$1' in '$2'"; fi; }

is "run runs" "$(answers ru)" "verbs"
has completion "$(answers '')" "all verbs"
lacks complete "$(answers '')" "hidden verbs"
is "--help --plugin-dir= --version" "$(answers --)" "options before the verb"
is "recipes/deep/ recipes/one.ini recipes/two.ini" "$(answers run recipes/)" "recipes"
is "recipes/deep/three.ini" "$(answers explain recipes/deep/t)" "recipes of a folder"
is "recipes/ runs/" "$(answers run r)" "folders"
is "" "$(answers run recipes/one.ini r)" "a second recipe"
touch runs/quick/{recipe.ini,setup.json,report.html,best.h5} && mkdir runs/quick/checkpoints && touch runs/quick/checkpoints/step_000000020.h5
for verb in watch report; do
  is "runs/a run/ runs/quick/" "$(answers $verb runs/)" "$verb: runs"
  is "" "$(answers $verb w)$(answers $verb runs/quick/)" "$verb: no file, and nothing below a run"
done
for verb in eval export; do
  is "runs/quick/best.h5 runs/quick/checkpoints/" "$(answers $verb runs/quick/)" "$verb: checkpoints of a run"
  is "runs/quick/checkpoints/step_000000020.h5" "$(answers $verb runs/quick/checkpoints/)" "$verb: a checkpoint"
  is "" "$(answers $verb w)" "$verb: no other file"
done
is "weights.h5" "$(answers export runs/quick w)" "a file to be written"
is "recipes/ runs/" "$(answers runs r)" "folders of runs"
is "recipes/deep/ recipes/notes.txt recipes/one.ini recipes/two.ini" "$(answers hparams convert recipes/)" "a recipe or a file"
is "convert" "$(answers help hparams c)$(answers help describe '')" "actions to be helped with"
is "weights.h5" "$(answers import recipes/one.ini w)" "another file"
has --logits= "$(answers eval runs/quick --)" "options of a verb"
has --train. "$(answers eval runs/quick --)" "sections"
lacks --train. "$(answers list --)" "sections where no key may follow"
is "--train.batch_size=" "$(answers run r.ini --train.b)" "a key of the core"
has --train.steps= "$(answers run r.ini --train.)" "keys of a section"
lacks --train. "$(answers run r.ini --train.)" "the section beside its keys"
has --quantizer.weight_prec= "$(answers run r.ini --quantizer.)" "keys of plugins"
has --quantizer.arithmetic= "$(answers run r.ini --quantizer.)" "keys of the core beside plugins"
is "--layer:stage1/**.weight_prec=" "$(answers run r.ini '--layer:stage1/**.weight_p')" "keys of layers"
is "--quantizer.name=weights_and_auto_acts --quantizer.name=weights_and_fixed_acts --quantizer.name=weights_only" \
  "$(answers run r.ini --quantizer.name=w)" "plugins"
is "--quantizer.arithmetic=fake_quant --quantizer.arithmetic=integer" "$(answers run r.ini --quantizer.arithmetic=)" "choices"
is "--optimizer.nesterov=false --optimizer.nesterov=true" "$(answers run r.ini --optimizer.nesterov=)" "booleans"
is "--checkpoint.every_epochs=none" "$(answers run r.ini --checkpoint.every_epochs=)" "none"
is "--run.dir=runs/a run/ --run.dir=runs/quick/" "$(answers run r.ini --run.dir=runs/)" "folders of runs"
is "hdf5" "$(answers describe dataset h)" "plugins of a kind"
is "batch_size" "$(answers describe train b)" "keys of a section without plugins"
is "train.batch_size" "$(answers describe train.b)" "one key"
has base_config_format "$(answers describe b)" "keys outside sections"
is "info" "$(answers data i)" "actions"
is "fish" "$(answers completion f)" "shells"
is "--to=hdf5 --to=image_folder --to=tfds" "$(answers data convert r.ini --to=)" "writers"
is "--form=config --form=hparams" "$(answers hparams print r.ini --form=)" "forms"
is "quantizer" "$(answers list q)" "kinds"
is "eval explain export" "$(answers help e)" "verbs to be helped with"
is "--setting=train.batch_size" "$(answers explain r.ini --setting=train.b)" "settings"
is "weights.h5" "$(answers data show r.ini --output w)" "a value that stands alone"
is "" "$(answers run r.ini --nosuch.key=)$(answers nosuch '')$(answers run r.ini --train.nosuch=)" "nothing for what there is not"
is "--schedule.name=good" "$(answers --plugin-dir="$QFW_BINARY_DIR/tests/plugins/good" run r.ini --schedule.name=g)" "plugins of --plugin-dir"

# bash: COMP_WORDS as readline cuts them, at = and : as well.
mkdir bin && ln -s "$QFW" bin/qfw
PATH=$PWD/bin:$PATH
"$QFW" completion bash > qfw.bash
bash -n qfw.bash
source qfw.bash
complete -p qfw | grep -q "_qfw" || fail "bash does not know the completion"
replies() {  # replies WORD...: the last one is where the cursor is
  COMP_WORDS=("$@")
  COMP_CWORD=$(($# - 1))
  COMPREPLY=()
  _qfw
  printf '%s\n' "${COMPREPLY[@]+"${COMPREPLY[@]}"}" | paste -sd ' '
}
is "run runs" "$(replies qfw ru)" "bash, verbs"
is "recipes/deep/ recipes/one.ini recipes/two.ini" "$(replies qfw run recipes/)" "bash, recipes"
is "--train.batch_size=" "$(replies qfw run r.ini --train.b)" "bash, a key"
is "none" "$(replies qfw run r.ini --quantizer.name = n)" "bash, a value"
is "false true" "$(replies qfw run r.ini --optimizer.nesterov =)" "bash, all values"
is "init_conv.weight_prec=" "$(replies qfw run r.ini --layer : init_conv.weight_p)" "bash, behind a colon"
is "8" "$(replies qfw run r.ini --layer : dense.bounds = 8)8" "bash, behind both"
is 'runs/a\ run/ runs/quick/' "$(replies qfw run r.ini --run.dir = runs/)" "bash, blanks in names"
is "one two" "$(replies qfw one two)one two" "bash, no such verb"

# In an interactive bash, through readline itself.
if command -v script > /dev/null; then
  printf 'PS1=; . ./qfw.bash\nqfw list --js\t> list.json; exit\n' > keys
  (sleep 1; head -n 1 keys; sleep 1; tail -n 1 keys; sleep 3) | timeout 30 script -qec "bash --norc --noprofile -i" /dev/null > typed.txt 2>&1 || true
  grep -q '"kind": "quantizer"' list.json 2> /dev/null || fail "TAB in bash: $(cat typed.txt)"
fi

if command -v zsh > /dev/null; then
  "$QFW" completion zsh > _qfw
  zsh -n _qfw || fail "zsh does not read its script"
  is "_qfw" "$(ZDOTDIR=$PWD zsh -fc 'source ./_qfw && print ${_comps[qfw]}')" "zsh, where nobody called compinit"
  is "_qfw" "$(ZDOTDIR=$PWD zsh -fc 'autoload -Uz compinit && compinit -i && source ./_qfw && print ${_comps[qfw]}')" "zsh, after compinit"
fi
if command -v fish > /dev/null; then
  "$QFW" completion fish > qfw.fish
  export HOME=$PWD
  is "--train.batch_size=" "$(fish -c 'source qfw.fish; complete -C "qfw run r.ini --train.b"')" "fish, a key"
  is "run runs" "$(fish -c 'source qfw.fish; complete -C "qfw ru"' | sort | paste -sd ' ')" "fish, verbs"
  has describe "$(fish -c 'source qfw.fish; complete -C "qfw "' | paste -sd ' ')" "fish, all verbs"
fi
expect 2 "there is no script for 'bsh'; did you mean bash\? shells are: bash, zsh, fish" "$QFW" completion bsh
expect 2 "completion wants bash\|zsh\|fish" "$QFW" completion
