#!/usr/bin/env bash
# The frame of the command line: exit codes, streams, help, spelling. Environment: see CMakeLists.txt.
set -euo pipefail
failures=0

# expect STATUS STREAM PATTERN ARGUMENT...: runs qfw; its exit code and what it says on `out` or `err` (an extended regular expression).
expect() {
  local status=$1 stream=$2 pattern=$3 got=0
  shift 3
  "$QFW" "$@" > out 2> err < /dev/null || got=$?
  if [ "$got" -ne "$status" ] || ! grep -Eq -- "$pattern" "$stream"; then
    echo "FAILED: qfw $*: exit $got, expected $status with /$pattern/ on $stream"
    sed 's/^/  out: /' out
    sed 's/^/  err: /' err
    failures=$((failures + 1))
  fi
}

expect 2 err '^Usage: qfw VERB'
expect 0 out '^Usage: qfw VERB' --help
expect 0 out '^qfw [0-9]+\.[0-9]+\.[0-9]+( \([0-9a-f]{7,}(, modified)?\))?$' --version
expect 2 err "'extra' is one too many: --version stands alone" --version extra
expect 0 out '^qfw [0-9]+\.[0-9]+\.[0-9]+' version
expect 2 err "'extra' is one too many: version takes no such argument" version extra
expect 2 err "'extra' is one too many: there is help for describe" help describe extra
expect 0 out '^Usage: qfw describe' help describe
expect 0 out '^Flags of generate' help hparams generate
expect 0 out '^Usage: qfw list \[KIND\]' list --help
expect 0 out '^Usage: qfw run RECIPE .*--SECTION.KEY=VALUE' run --help
expect 2 err "^qfw lsit: error: .*there is no verb 'lsit'.*did you mean list\?" lsit
expect 2 err '^qfw: error: .*no option --jsn before the verb' --jsn list
expect 2 err '^qfw list: error: .*no option --jsn; Did you mean --json\?' list --jsn
expect 2 err '^qfw list: error: .*--json takes no value' list --json=yes
expect 2 err "'two' is one too many" list one two
expect 2 err 'no option --train.steps' list --train.steps=4
expect 2 err "there is no folder 'absent'" list --plugin-dir=absent
expect 2 err 'wants a value' run recipe.ini --train.steps
expect 2 err '\-\-train\. names no key; .qfw describe train. lists them' run recipe.ini --train.

expect 2 err '^qfw eval: error: .*--logits has an empty value' eval run --logits=
expect 2 err '^qfw hparams: error: .*--output=- names no file' hparams print recipe.ini --output -
expect 2 err '^qfw data: error: .*--output=- names no file' data show recipe.ini --output=-
expect 2 err "^qfw export: error: .*'-' is no argument" export run -
for arguments in "export run" "predict model.onnx" "import recipe.ini" "calibrate" "eval" "data info" "runs"; do
  # shellcheck disable=SC2086
  expect 2 err "^qfw ${arguments%% *}: error: .*an argument is empty: ${arguments%% *} wants " $arguments ""
done

# A name that nothing has, or something that is no run.
ln -s absent dangling
for verb in eval calibrate "export absent" "predict absent" report; do
  # shellcheck disable=SC2086
  expect 2 err 'there is nothing at this path \(absent\)' ${verb% absent} absent $([ "$verb" = "${verb% absent}" ] || echo x.onnx)
done
expect 2 err 'this is no run: it is a link to absent, which is not there \(dangling\)' eval dangling
expect 2 err 'this is no run: it is a device, not a file \(/dev/null\)' eval /dev/null
expect 2 err 'this is no run folder: it has no recipe.ini \(.\)' eval .

expect 0 out '^quantizer +weights_and_auto_acts .*libqfw_' list
expect 0 out '^quantizer +weights_and_auto_acts .*libqfw_' list QUANTIZER
expect 0 out '"kind": "quantizer"' list --json
expect 2 err "no plugin of kind 'quantiser'.*did you mean quantizer\?" list quantiser
expect 0 out '^weight_prec +integer' describe quantizer WEIGHTS_AND_AUTO_ACTS
expect 0 out '^arithmetic +text +fake_quant +fake_quant \| integer$' describe quantizer weights_and_auto_acts
expect 0 out '^threads +integer' describe backend cpu
expect 0 out '^compute +text +f32 +f32 \| bf16 \| f16$' describe backend cpu
expect 0 out '^(workers|cache) +' describe dataset fashion_mnist
expect 0 out '^  communicator +' describe
expect 0 out '^base_config_filename +text +none' describe
expect 0 out '^batch_size +integer +128 +1 \.\. 1048576$' describe train
expect 0 out '^after_first_step +true\|false +false +true \| false$' describe eval
expect 0 out '^  weights_only +' describe quantizer
expect 0 out '^require_integer +true\|false' describe Quantizer
expect 0 out '^train.batch_size$' describe train.batch_size
expect 0 out '^  default  1e-04$' describe optimizer.weight_decay
expect 0 out '^quantizer.weight_prec \(weights_and_auto_acts, ' describe quantizer.weight_prec
expect 0 out '^quantizer.weight_prec \(' describe layer:dense.weight_prec
expect 0 out '\[layer:GLOB\]' describe layer
expect 0 out '^include$' describe include
expect 0 out '"default": 128' describe train.batch_size --json
expect 0 out '"base_config_format"' describe --json
expect 0 out '"name": "require_integer"' describe quantizer --json
expect 0 out '"keys": \[' describe quantizer weights_only --json
expect 2 err "did you mean train\.batch_size or eval\.batch_size\?" describe batch_size
expect 2 err "did you mean train\?" describe trian
expect 2 err "did you mean train\.batch_size\?" describe train.batchsize
expect 2 err "did you mean model resnet\?" describe resnet50
expect 0 out '^depth +integer' describe resnet
expect 2 err "several plugins 'none'; say which: augment none or quantizer none" describe none
expect 2 err "'.dir' is no section; did you mean run\.dir\?" describe .dir
expect 2 err "no section, kind, plugin or key '.nosuch'" describe .nosuch
expect 2 err "\[train\] has no key 'nonsense'; .qfw describe train. lists them" describe train nonsense
expect 0 out '^train.batch_size$' describe Train.Batch_size
expect 0 out '^train.batch_size$' describe TRAIN BATCH_SIZE
expect 0 out '^batch_size +integer' describe train.
expect 0 out '^include$' describe Include
expect 2 err "did you mean train\?" describe trian.batch_size
expect 0 out '^device +text' describe backend cuda
expect 2 err "the backend for NVIDIA GPUs is cuda" describe backend gpu
expect 2 err "no backend for AMD GPUs; an AMD driver .* on this machine; backends are: cpu, cuda, onnxruntime, reference; use cpu" describe backend rocm
expect 2 err "no backend for GPUs through OpenCL; an OpenCL loader .* on this machine; backends are: cpu, cuda, onnxruntime, reference; use cpu" describe backend opencl
mkdir driver && cp "$QFW_BINARY_DIR/tests/plugins/good/libqfw_good.so" driver/libhsa-runtime64.so.1
LD_LIBRARY_PATH=$PWD/driver expect 2 err "libhsa-runtime64.so.1\) was found on this machine" describe backend rocm
expect 2 err "oneDNN is what the backend cpu" describe backend onednn
expect 0 out '"name": "weight_prec"' describe quantizer weights_and_auto_acts --json
expect 2 err "no quantizer is called 'weights_and_auto_actz'.*searched .*there are: .*did you mean weights_and_auto_acts\?" \
  describe quantizer weights_and_auto_actz

# Files that cannot be used are listed with the reason and fail only for whoever asks for them.
bad=$QFW_BINARY_DIR/tests/plugins
expect 0 out 'schedule wrong_abi: plugin ABI: found 99, expected 1' list --plugin-dir="$bad/wrong_abi"
expect 0 out 'libqfw_no_library.so: not a library' list --plugin-dir "$bad/no_library"
expect 0 out 'schedule twin: schedule:twin is provided twice: by .*twin_a.so and by .*twin_b.so' list --plugin-dir="$bad/duplicate"
expect 1 err 'compiler: found acme 7, expected .*headers: found 000000000000' \
  describe schedule wrong_fingerprint --plugin-dir="$bad/wrong_fingerprint"
expect 1 err 'throwing failed to register: .*no licence server found' describe schedule throwing --plugin-dir="$bad/throwing"

# Nothing is taken from the current directory.
cp "$bad/good/libqfw_good.so" .
expect 2 err "no schedule is called 'good'" describe schedule good
expect 0 out '^schedule good: stays where it is' describe schedule good --plugin-dir=.

# The environment is read by name: a near miss is said, others are nobody's business.
QFW_PLUGINS_PATH=x expect 0 err 'QFW_PLUGINS_PATH, which nothing reads; did you mean QFW_PLUGIN_PATH\?' list
QFW_WEATHER=fine expect 0 out '^quantizer' list
! grep -q QFW_WEATHER err || { echo "FAILED: QFW_WEATHER is said"; failures=$((failures + 1)); }

# QFW_DUMP is a list of words; others are said once and print nothing. The program knows those of every backend.
words=graph,$(grep -rhoE --include='*.cc' 'is_dumped\("[^"]+' "$QFW_SOURCE_DIR/backends" | sed 's/.*"//' | sort -u | paste -sd,)
[[ $words == *,plan* ]] || { echo "FAILED: the backends' words of QFW_DUMP are not found: $words"; failures=$((failures + 1)); }
QFW_DUMP=$words, expect 0 out '^quantizer' list
! grep -q QFW_DUMP err || { echo "FAILED: $(cat err)"; failures=$((failures + 1)); }
QFW_DUMP=plans expect 0 err "QFW_DUMP: 'plans' is none of its words, which are graph, plan, groups, code, perf, .*; did you mean plan\?" list
QFW_DUMP=xyz,plan,code2 expect 0 err "QFW_DUMP: 'xyz', 'code2' are none of its words.*did you mean code\?" list
[ "$(grep -c QFW_DUMP err)" = 1 ] || { echo "FAILED: QFW_DUMP is said more than once"; failures=$((failures + 1)); }

# A recipe that is none is called by its name.
printf '\xff\xfe[\x00m\x00]\x00' > wide.ini
expect 2 err 'it is stored as UTF-16; save it as UTF-8 \(wide.ini\)' explain wide.ini
mkfifo pipe.ini
expect 2 err 'pipe.ini: it is a pipe, not a file' explain pipe.ini
expect 2 err 'it is a folder, not a file' explain .
expect 2 err 'absent.ini: No such file or directory' explain absent.ini
head -c 3000000 /dev/zero | tr '\0' '#' > large.ini
expect 2 err 'more than 1 MiB' explain large.ini
printf '{seed: 1}' > bad.json
expect 2 err 'bad.json: .*line 1, column 2, at .seed' hparams convert bad.json

# Numbers of which no run can be made, and settings that nothing reads.
printf '[model]\nname = resnet\nstages = 1\nstem = small\n[dataset]\nname = synthetic\nheight = 16\nwidth = 16\n[augment]\nname = none\nimage_size = 16\n' > small.ini
QFW_DUMP=plan,graph expect 0 err '^==== after finish \(training\)' explain small.ini
QFW_DUMP=graphs expect 0 err "'graphs' is none of its words" explain small.ini
! grep -q '^====' err || { echo "FAILED: QFW_DUMP=graphs prints graphs"; failures=$((failures + 1)); }
expect 2 err 'schedule.base_learning_rate: 0 is too small, must be above 0' explain small.ini --schedule.base_learning_rate=0
expect 2 err "schedule.base_learning_rate: 'inf' is not a finite number" explain small.ini --schedule.base_learning_rate=inf
expect 2 err 'schedule.num_epochs: 0 is too small, must be above 0' explain small.ini --schedule.num_epochs=0
expect 0 out '^base_learning_rate .* > 0$' describe schedule cosine
for verb in explain run bench; do
  expect 2 err 'backend.name: .*no backend for AMD GPUs' $verb small.ini --backend.name=rocm
done
if [ ! -e /proc/driver/nvidia/version ]; then  # what is missing, where it was looked for, what to install
  for verb in run bench; do
    expect 1 err 'not found: the driver \(libcuda.so.1\) \(looked for in this order: .*\); install' $verb small.ini --backend.name=cuda
  done
fi
expect 0 out '^    images of a step, over all replicas' explain small.ini --settings
expect 0 out '^train.batch_size = 128 \(default\)$' explain small.ini --setting=train.batch_size
expect 0 out '^train.steps = 7 \(command line\)$' explain small.ini --setting=train --train.steps=7
expect 0 out '"origin": "small.ini:2"' explain small.ini --setting=model --json
expect 2 err "no setting 'train.step'.*did you mean train.steps" explain small.ini --setting=train.step
expect 0 err 'quantizer none makes no use of quantizer.weight_prec \(command line\)' \
  explain small.ini --quantizer.name=none --quantizer.weight_prec=4
expect 0 err 'backend reference makes no use of backend.threads' explain small.ini --backend.name=reference --backend.threads=2
printf 'include = small.ini\n[quantizer]\nname = weights_only\nweight_prec = 4\n' > four_bits.ini
expect 0 out . explain four_bits.ini --quantizer.name=none
! grep -q 'makes no use' err || { echo "FAILED: switching to floats is noted"; failures=$((failures + 1)); }

# A full disk is not silently a success.
if [ -w /dev/full ]; then
  status=0
  "$QFW" list > /dev/full 2> err || status=$?
  if [ "$status" -ne 1 ] || ! grep -q 'standard output could not be written' err; then
    echo "FAILED: qfw list > /dev/full: exit $status, $(cat err)"
    failures=$((failures + 1))
  fi
fi

[ "$failures" -eq 0 ] || { echo "$failures failures"; exit 1; }
echo "command line: as expected"
