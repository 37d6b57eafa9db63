# Damaged and hostile files: checkpoints, weights to import, data sets in every form, recipes. One fault a try, by `mutate FILE SEED`.
source "$QFW_SOURCE_DIR/tests/faults/support.bash"
mutate=$QFW_BINARY_DIR/tests/bin/mutate
prepare
rounds=6
[ "$length" != long ] || rounds=300
memory=$((4 << 20))  # KiB of address space
XDG_CACHE_HOME=$work/cache

for form in hdf5 tfds image_folder; do
  "$QFW" data convert --dataset.name=synthetic --dataset.height=16 --dataset.width=16 --dataset.classes=4 --dataset.train_examples=24 \
    --dataset.validation_examples=8 --to=$form --output=base/$form > log.txt 2>&1
done

# damage WHAT FILE-PATTERN SEED: one of the files that match.
damage() {
  local files
  mapfile -t files < <(find $2 -type f | LC_ALL=C sort)
  "$mutate" "${files[$3 % ${#files[@]}]}" "$3" > kind.txt
}

# Any end but a crash or a hang will do, with one message if it is an error.
judge_reading() {
  case $1 in
    124 | 137) outcome=HANG ;;
    0) outcome=ok ;;
    1 | 2) 
      outcome=error
      grep -q 'error: \|bad' err.txt out.txt || outcome="NOT ONE ERROR"
      ;;
    *) outcome="CRASH $1" ;;
  esac
  if grep -q 'AddressSanitizer\|runtime error:\|terminate called\|buf = 0x' err.txt; then outcome="CRASH (text)"; fi
}

# tries NAME FOLDER FILES COMMAND...: `rounds` of them, each in a fresh copy of base/FOLDER.
tries() {
  local name=$1 folder=$2 files=$3 i number status
  shift 3
  declare -gA row=()
  rm -rf try && cp -r "base/$folder" try
  (cd try && ulimit -v $memory && "$@") > out.txt 2> err.txt || fail "$name: the undamaged one fails: $(cat err.txt)"
  for ((i = 0; i < rounds; ++i)); do
    chosen "$name $i" || continue
    number=$((seed * 1000 + i))
    rm -rf try && cp -r "base/$folder" try
    damage "$name" "try/$files" "$number"
    status=0
    (cd try && ulimit -v $memory && timeout -k 1 $seconds "$@") > out.txt 2> err.txt || status=$?
    judge_reading $status
    if [ "$name" = "checkpoint, eval" ] && [ "$outcome" = ok ]; then outcome="OTHER RESULT"; fi  # nothing damaged is ever used
    count "$name $i"
  done
  [ ${#row[@]} = 0 ] || print_row "$name" $rounds
}

checkpoint=r/checkpoints/step_000000006.h5
tries "checkpoint, eval" trained $checkpoint "$QFW" eval r
tries "checkpoint, export" trained $checkpoint "$QFW" export r weights.h5
tries "checkpoint, run" trained $checkpoint "$QFW" run micro.ini --run.dir=r
tries "weights, import" weights base_weights.h5 "$QFW" import micro.ini base_weights.h5 --run.dir=i
tries "recipe" empty micro.ini "$QFW" explain micro.ini
tries "hdf5" hdf5 . "$QFW" data verify --dataset.name=hdf5 --dataset.data_dir=.
tries "tfds" tfds . "$QFW" data verify --dataset.name=imagenet_tfds --dataset.data_dir=.
tries "image_folder" image_folder . "$QFW" data verify --dataset.name=image_folder --dataset.data_dir=.
finish
