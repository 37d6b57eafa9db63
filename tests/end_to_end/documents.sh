# Every command of README.md, CONTRIBUTING.md and docs/*.md is run, on small recipes, or is excepted by name in documents.except.
# Commands are lines of indented and fenced blocks, and inline code, that begin with a program named below. Placeholders are
# replaced (`substitute`), [optional] parts are run without and with, a|b each. `make` and `ctest` only say what they would do. In
# inline code a verb without its arguments (`qfw explain --json`) is a mention: verb and options must be there. So is a path of the tree
# alone: it must exist.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
exceptions=$QFW_SOURCE_DIR/tests/end_to_end/documents.except
cd "$QFW_SOURCE_DIR"
documents=(README.md CONTRIBUTING.md docs/*.md)
cd - > /dev/null

# extract FILE: kind (block, inline), line number and command, with tabs between.
extract() {
  awk '
    function is_command(text) {
      return text ~ /^([A-Z_]+=[^ ]+ )*(qfw|make|cmake|ctest|cpack|ninja|python3?|pip3?|bash|sh|sudo|apt-get|apt|dpkg|git|tar|eval|export|tensorboard|scripts\/[^ ]+|build\/[^ ]+|bench\/[^ ]+|tests\/[^ ]+|bin\/[^ ]+)( |$)/
    }
    function say(kind, text) {
      if (kind == "inline" && text !~ /[ \/]/) return  # a word
      sub(/[ ]+#[ ].*$/, "", text); gsub(/[ ]+/, " ", text); sub(/^ /, "", text); sub(/ $/, "", text)
      if (is_command(text)) printf "%s\t%d\t%s\n", kind, NR, text
    }
    /^ *```/ { fenced = !fenced; skipped = fenced && $0 !~ /```(|sh|bash|console|text)$/; next }
    fenced { if (!skipped) say("block", $0); next }
    /^    / { say("block", $0); next }
    {
      gsub(/\\\|/, "|")
      line = $0
      while (match(line, /`[^`]+`/)) {
        say("inline", substr(line, RSTART + 1, RLENGTH - 2))
        line = substr(line, RSTART + RLENGTH)
      }
    }
  ' "$QFW_SOURCE_DIR/$1"
}

# variants COMMAND: a line each.
variants() {
  local command=$1 before inside after part
  if [[ $command =~ ^([^\[]*)\[([^]]*)\](.*)$ ]]; then
    before=${BASH_REMATCH[1]} inside=${BASH_REMATCH[2]} after=${BASH_REMATCH[3]}
    variants "$before$after"
    while read -r part; do variants "$before$part$after"; done < <(sed 's/ | /\n/g' <<< "$inside")
  elif [[ $command =~ ^(.*[\ =])?([A-Za-z0-9_]+(\|[A-Za-z0-9_]+)+)(.*)$ ]]; then
    before=${BASH_REMATCH[1]} inside=${BASH_REMATCH[2]} after=${BASH_REMATCH[4]}
    while read -r part; do variants "$before$part$after"; done < <(tr '|' '\n' <<< "$inside")
  else
    sed 's/ *$//; s/  */ /g' <<< "$command"
  fi
}

# What stands in documents for something of the reader's own.
substitute() {
  sed -E \
    -e 's/\bqfw describe KIND NAME\b/qfw describe quantizer weights_only/' \
    -e 's/\bqfw describe dataset NAME\b/qfw describe dataset synthetic/' \
    -e 's/\bqfw describe augment NAME\b/qfw describe augment shift_flip/' \
    -e 's/\bqfw describe quantizer NAME\b/qfw describe quantizer none/' \
    -e 's/\bimport RECIPE FILE\.h5\b/import RECIPE weights.h5 --run.dir=runs\/imported$RANDOM/' \
    -e 's/--to=NAME\b/--to=tfds/' -e 's/(name=imagenet_tfds .*data_dir=)DIR\b/\1tfds/' \
    -e 's/\bhparams convert FILE\b/hparams convert hparams.json/' \
    -e 's/(--[a-z-]+=)DIR\b/\1made_$RANDOM/' -e 's/\bFILE\.h5\b/made_$RANDOM.h5/' \
    -e 's/\bqfw runs FOLDER\b/qfw runs runs/' -e 's/\bqfw help VERB\b/qfw help run/' -e 's/\bqfw describe SECTION\b/qfw describe train/' \
    -e 's/\bRUN\.\.\./runs\/small runs\/quickstart/' \
    -e 's/\bRECIPE\b|\brecipe\.ini\b/small.ini/' -e 's/\bRUN\b/runs\/small/' -e 's/=N\b/=8/' \
    -e 's/--writer\.KEY=VALUE/--writer.quality=80/' \
    -e 's/--plugin-dir=\/tmp\/mine\b/--plugin-dir=plugins/'
}

# A folder like the tree, and programs that do little.
ln -s "$QFW_SOURCE_DIR"/{tests,scripts,docs,bench,core,plugins,backends,datasets,cmake,Makefile,CMakePresets.json} .
rm plugins && ln -s "$QFW_BINARY_DIR/tests/plugins/good" plugins
cp -r "$QFW_SOURCE_DIR/recipes" .
mkdir -p bin build
ln -s "$QFW_BINARY_DIR" build/release
cat > bin/qfw <<SH
#!/usr/bin/env bash
short=()
case \${1:-} in
  run)
    short=(--train.steps=2 --eval.examples=64)
    [[ \$* == *--run.dir=* ]] || short+=(--run.dir=runs/run\$\$)
    ;;
  eval) short=(--eval.examples=64) ;;
  bench) short=(--steps=1 --train.batch_size=1 --eval.batch_size=1 --model.stages=1,1) ;;
  data) case \${2:-} in bench | convert) short=(--examples=200) ;; esac ;;
esac
for word in "\$@"; do [ "\$word" != --help ] || short=(); done
exec "$QFW" "\$@" \${short[@]+"\${short[@]}"}
SH
cat > bin/ctest <<SH
#!/usr/bin/env bash
found=\$($(command -v ctest) "\$@" -N | sed -n 's/^Total Tests: //p')
[ "\${found:-0}" -gt 0 ] || { echo "ctest \$*: no such tests"; exit 1; }
SH
cat > bin/make <<SH
#!/usr/bin/env bash
exec $(command -v make || echo true) -n "\$@"
SH
chmod +x bin/*
PATH=$PWD/bin:$PATH

# What the placeholders stand for.
cat > small.ini <<'INI'
description = small
[model]
name = resnet
stages = 1
num_filters = 64
filter_multiplier = 0.125
[quantizer]
name = weights_and_auto_acts
arithmetic = integer
activation_bound_start_step = 0
[dataset]
name = synthetic
height = 32
width = 32
classes = 4
train_examples = 64
validation_examples = 64
[train]
batch_size = 8
INI
{
  "$QFW" run small.ini --train.steps=1
  "$QFW" export runs/small weights.h5
  cp -r runs/small runs/quickstart
  "$QFW" hparams print small.ini --output=hparams.json
  "$QFW" data convert small.ini --to=tfds --output=tfds --writer.dataset=imagenet2012 --writer.version=5.1.0
} > prepared.txt 2>&1 || fail "$(cat prepared.txt)"

excepted() {  # excepted COMMAND: notes the exception that it comes under
  local pattern
  while IFS= read -r pattern; do
    # shellcheck disable=SC2053
    [[ $1 == $pattern ]] || continue
    printf '%s\n' "$pattern" >> used.txt
    return 0
  done < patterns.txt
  return 1
}

# is_mention COMMAND: of inline code; it names something without saying all that it wants.
is_mention() {
  local -a words
  local word arguments=0 keys=0
  read -ra words <<< "$1"
  case ${words[0]} in
    qfw) ;;
    scripts/* | tests/* | bench/* | build/*) [ ${#words[@]} -eq 1 ]; return ;;
    *) return 1 ;;
  esac
  for word in "${words[@]:2}"; do
    case $word in
      --*.*=*) keys=1 ;;
      --*) ;;
      *) arguments=$((arguments + 1)) ;;
    esac
  done
  case ${words[1]:-} in
    list | describe | runs | help | --*) return 1 ;;
    data | hparams) [ $arguments -le 1 ] && [ $keys = 0 ] ;;
    *) [ $arguments = 0 ] ;;
  esac
}

# mentioned COMMAND: succeeds if that is there.
mentioned() {
  local -a words
  local word
  read -ra words <<< "$1"
  [ "${words[0]}" = qfw ] || { [ -e "${words[0]}" ]; return; }
  "$QFW" help "${words[1]}" > help.txt 2>&1 || return 1
  for word in "${words[@]:2}"; do grep -qE -- "(^|[ |])${word%%=*}([ =|[]|$)" help.txt || return 1; done
}

grep -vE '^(#|$)' "$exceptions" | sed 's/ : .*//' > patterns.txt
if grep -qvE '^(#|$)|.+ : .+' "$exceptions"; then fail "an exception without a reason in $exceptions"; fi
: > used.txt
: > failures.txt
declare -A ran=()
count=0
for document in "${documents[@]}"; do
  extract "$document" > commands.txt
  while IFS=$'\t' read -r kind line written <&3; do
    if excepted "$written"; then continue; fi
    while IFS= read -r command <&4; do
      [ -z "${ran[$kind $command]:-}" ] || continue
      ran[$kind $command]=1
      count=$((count + 1))
      if [ "$kind" = inline ] && is_mention "$command"; then
        mentioned "$command" || echo "$document:$line: \`$command\`: there is no such thing" >> failures.txt
        continue
      fi
      real=$(substitute <<< "$command")
      if ! timeout 120 bash -c "$real" > output.txt 2>&1 < /dev/null; then
        { echo "$document:$line: $command"; echo "  as: $real"; tail -n 5 output.txt | sed 's/^/  /'; } >> failures.txt
      fi
    done 4< <(variants "$written")
  done 3< commands.txt
done
[ ! -s failures.txt ] || fail "commands of documents that fail (mend the document, or except them by name in tests/end_to_end/documents.except):"$'\n'"$(cat failures.txt)"
[ $count -ge 40 ] || fail "only $count commands were found"
unused=$(sort -u used.txt | comm -23 <(sort patterns.txt) -)
[ -z "$unused" ] || fail "exceptions that no command of a document needs:"$'\n'"$unused"
echo "documents: $count commands"
