# Sourced by the scripts here. A try works in a copy of what its target begins with, meets one fault, and is judged:
#   ok      status 0 and the bytes that an undisturbed run ends with
#   error   status 1, 2 or a signal's, a message, and the next start (without the fault) ends with the same bytes
#   CRASH, HANG, OTHER RESULT, NOT ONE ERROR, STUCK: failures. Each prints the command that repeats it.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
export QFW_LOG=warn XDG_CACHE_HOME=/nonexistent OMP_NUM_THREADS=1
length=${FAULTS_LENGTH:-short} seed=${FAULTS_SEED:-1} only=${FAULTS_ONLY:-}
work=$PWD tries=0 failures=0
seconds=20  # a try that takes longer hangs: undisturbed it takes less than one
script=${0##*/}

micro_recipe() {
  cat <<'INI'
[model]
name = resnet
stages = 1
num_filters = 4
filter_multiplier = 0.5
stem = small

[quantizer]
name = weights_and_auto_acts
weight_prec = 4
act_prec = 4
activation_bound_start_step = 3

[schedule]
name = cosine
base_learning_rate = 0.1
num_epochs = 1
warmup_epochs = 0.1
cooldown_epochs = 0

[dataset]
name = synthetic
height = 16
width = 16
classes = 4
train_examples = 48
validation_examples = 16

[train]
batch_size = 8
steps = 6

[eval]
batch_size = 8
per_epoch = 0
per_epoch_late = 0

[checkpoint]
every_steps = 2
keep = 9

[backend]
name = cpu
threads = 1
INI
}

targets=(run resume eval cache convert_hdf5 convert_image_folder convert_tfds export import)

# Sets `command` and `results` (patterns of files whose bytes count) of a target.
describe() {
  local convert=("$QFW" data convert --dataset.name=synthetic --dataset.height=16 --dataset.width=16 --dataset.classes=4
    --dataset.train_examples=24 --dataset.validation_examples=8 --output=out)
  case $1 in
    run | resume) command=("$QFW" run micro.ini --run.dir=r) results=('r/checkpoints/step_000000006.h5' r/best.h5) ;;
    eval) command=("$QFW" eval r --logits=logits.h5) results=(logits.h5) ;;
    # A cache that cannot be read is removed, and made again by the next start: what counts is what is trained with it.
    cache) command=("$QFW" run cached.ini --run.dir=r) results=('r/checkpoints/step_000000006.h5') ;;
    convert_hdf5) command=("${convert[@]}" --to=hdf5 --writer.part_examples=8) results=('out/*') ;;
    convert_image_folder) command=("${convert[@]}" --to=image_folder --writer.part_examples=8) results=('out/*') ;;
    convert_tfds) command=("${convert[@]}" --to=tfds --writer.shard_examples=8) results=('out/*') ;;
    export) command=("$QFW" export r weights.h5) results=(weights.h5) ;;
    import) command=("$QFW" import micro.ini base_weights.h5 --run.dir=i) results=('i/checkpoints/*') ;;
  esac
}

# What an undisturbed try begins with, and its digest, in base/.
prepare() {
  local target
  rm -rf base try && mkdir -p base/empty base/trained base/half base/weights
  for folder in empty trained half weights; do micro_recipe > base/$folder/micro.ini; done
  micro_recipe | sed '/^\[dataset\]/,/^$/d' > base/empty/cached.ini
  cat >> base/empty/cached.ini <<INI

[dataset]
name = image_folder
data_dir = $work/base/images
cache = disk
cache_dir = cache
workers = 1

[augment]
name = imagenet_train
image_size = 16
INI
  (cd base/trained && "$QFW" run micro.ini --run.dir=r) > log.txt 2>&1 || fail "$(cat log.txt)"
  cp -r base/trained/r base/half && rm base/half/r/checkpoints/step_000000006.h5 base/half/r/best.h5
  "$QFW" export base/trained/r base/weights/base_weights.h5 > /dev/null
  (cd base && "$QFW" data convert --dataset.name=synthetic --dataset.height=16 --dataset.width=16 --dataset.classes=4 \
    --dataset.train_examples=48 --dataset.validation_examples=16 --to=image_folder --output=images) > log.txt 2>&1 || fail "$(cat log.txt)"
  declare -gA wanted=()
  for target in "${targets[@]}"; do
    begin "$target"
    (cd try && "${command[@]}") > out.txt 2> err.txt || fail "the undisturbed $target fails: $(cat err.txt)"
    ! grep -E '\[(warning|error)\]' err.txt || fail "the undisturbed $target complains"
    wanted[$target]=$(digest)
  done
}

# A fresh folder `try` for a target.
begin() {
  local from=empty
  case $1 in resume) from=half ;; eval | export) from=trained ;; import) from=weights ;; esac
  rm -rf try && cp -r "base/$from" try
  describe "$1"
}

digest() {
  (cd try && for pattern in "${results[@]}"; do
    # shellcheck disable=SC2086
    find $pattern -type f -not -name conversion.txt 2> /dev/null | LC_ALL=C sort
  done | xargs -r -d '\n' sha256sum)
  # The series of a run that was killed has the lines of an undisturbed one but for times. It may lack what could not be written.
  if [ -n "${with_series:-}" ] && [ -e try/r/series.csv ]; then cut -d , -f 1,4- try/r/series.csv | sha256sum; fi
}

# judge TARGET STATUS: sets `outcome`; err.txt and out.txt are of the try. Goes on after an error.
judge() {
  local target=$1 status=$2 again=0
  outcome=error
  case $status in
    124 | 137) outcome=HANG ;;
    0) if [ "$(digest)" = "${wanted[$target]}" ]; then outcome=ok; else outcome="OTHER RESULT"; fi ;;
    1 | 2 | 127 | 129 | 130 | 143) ;;
    *) outcome="CRASH $status" ;;
  esac
  [ "$outcome" = error ] || return 0
  if [ "$status" -lt 127 ] && [ "$(grep -c ': error: ' err.txt)" != 1 ] && [ -z "${stderr_broken:-}" ]; then outcome="NOT ONE ERROR"; return 0; fi
  if grep -q 'AddressSanitizer\|runtime error:\|terminate called' err.txt; then outcome="CRASH (text)"; return 0; fi
  (cd try && timeout -k 1 $seconds "${command[@]}") > again.txt 2>&1 || again=$?
  # What failed after its checkpoint was complete is refused by the next import, and is whole.
  if [ "$target" = import ] && grep -q 'has checkpoints already' again.txt; then again=0; fi
  if [ $again != 0 ]; then outcome="STUCK $again"; elif [ "$(digest)" != "${wanted[$target]}" ]; then outcome="OTHER RESULT"; fi
}

# count TRY: adds `outcome` to the row `row`; TRY repeats it.
count() {
  tries=$((tries + 1))
  row[$outcome]=$((${row[$outcome]:-0} + 1))
  case $outcome in
    ok | error) ;;
    *)
      failures=$((failures + 1))
      echo "  $outcome: again with FAULTS_SEED=$seed FAULTS_ONLY='$1' ctest --test-dir $QFW_BINARY_DIR -V -R faults.${script%.sh}.$length"
      sed 's/^/    /' err.txt | head -n 5
      ;;
  esac
}

print_row() {  # print_row NAME HOW_MANY_OF
  local key text=
  for key in $(printf '%s\n' "${!row[@]}" | tr ' ' '_' | LC_ALL=C sort); do text+=" $key ${row[${key//_/ }]},"; done
  printf '%-44s %-12s%s\n' "$1" "$2" "${text%,}"
}

finish() {
  echo "== $script, $length, seed $seed: $tries tries, $failures failures"
  [ "$failures" = 0 ]
}

# chosen TRY: whether FAULTS_ONLY lets this one through.
chosen() { [ -z "$only" ] || [ "$only" = "$1" ]; }
