# Folders of pictures as people have them: what is skipped, read, counted, refused; caches that follow the files; names of any bytes.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
export XDG_CACHE_HOME=$PWD/cache
webp=UklGRh4AAABXRUJQVlA4TBEAAAAvB8ABAAdQjyKXp/+BiOh/AAA=  # 8 x 8 pixels, lossless
animated=UklGRogAAABXRUJQVlA4WAoAAAACAAAABwAABwAAQU5JTQYAAAAAAAAAAABBTk1GKgAAAAAAAAAAAAcAAAcAAAoAAAJWUDhMEQAAAC8HwAEAB1CPIpen/4GI6H8AAEFOTUYqAAAAAAAAAAAABwAABwAACgAAAFZQOEwRAAAALwfAAQAH0IQmNKH/gYjofwAA

"$QFW" data convert --dataset.name=synthetic --dataset.height=8 --dataset.width=8 --dataset.classes=3 --dataset.train_examples=40 \
  --dataset.validation_examples=24 --to=image_folder --writer.encoding=png --output=plain > /dev/null 2>&1
rm plain/.qfw_* plain/conversion.txt
folder() { echo --dataset.name=image_folder --dataset.data_dir="$1"; }
tiny_recipe | sed 's/^name = fashion_mnist/name = image_folder/; s/^name = shift_flip/name = none\nimage_size = 8/; s/^batch_size = .*/batch_size = 8/; s/^steps = .*/steps = 2/' > r.ini

# What lies there unread is said by info, verify and run; a folder without it says nothing.
cp -r plain mixed
for form in bmp gif TIFF; do echo "?" > mixed/train/0/x.$form; done
base64 -d <<< $webp > mixed/train/1/x.webp
mkdir -p mixed/train/.ipynb_checkpoints mixed/train/9
cp mixed/train/1/x.webp mixed/train/.ipynb_checkpoints/x.webp
cp mixed/train/1/x.webp mixed/train/1/._x.webp
for verb in info verify; do
  expect 0 '3 of 44 files in mixed/train are not read.*1 \.bmp, 1 \.gif, 1 \.tiff; read are 40 \.png, 1 \.webp' "$QFW" data $verb $(folder mixed)
  expect 0 '"1 of the folders in mixed/train hold no picture that is read, and are no classes: 9"' "$QFW" data $verb --json $(folder mixed)
done
"$QFW" data info $(folder mixed) --json 2> /dev/null > mixed.json
grep -q '"webp": 1' mixed.json && grep -q '"classes": 3,' mixed.json || fail "info of mixed pictures: $(cat mixed.json)"
expect 0 'warning. data set: 3 of 44 files' "$QFW" run r.ini --run.dir=mixed_run --dataset.data_dir=mixed
[ "$(grep -c '3 of 44 files' mixed_run/log.txt)" = 1 ] || fail "what is not read is not said once: $(cat mixed_run/log.txt)"
"$QFW" run r.ini --run.dir=plain_run --dataset.data_dir=plain > plain.txt 2>&1
"$QFW" data info $(folder plain) >> plain.txt 2>&1
! grep -Ei 'data set: |note:|webp' plain.txt || fail "a folder without trouble is warned of"

# WebP goes into another folder as it is; a form that other programs read takes its pixels only.
"$QFW" data convert $(folder mixed) --to=image_folder --output=again > /dev/null 2>&1
cmp mixed/train/1/x.webp again/train/1/x.webp || fail "a WebP is not stored as it is"
expect 1 'does not hold webp pictures .*mixed/train/1/x\.webp' "$QFW" data convert $(folder mixed) --to=tfds --output=no_webp
expect 0 '^65 examples in pixels' "$QFW" data convert $(folder mixed) --to=tfds --output=pixels --resize=8
base64 -d <<< $animated > mixed/train/1/y.webp
base64 -d <<< $webp | head -c 30 > mixed/train/1/z.webp
expect 1 'train: 43 records, 2 bad' "$QFW" data verify $(folder mixed)
expect 1 'animated.*y\.webp' "$QFW" data verify $(folder mixed)
expect 1 'WebP is damaged.*z\.webp' "$QFW" data verify $(folder mixed)

# Behind a disk cache: a changed picture, a damaged one and a mended one show at once; verify reads the files, not the cache.
evaluate() { "$QFW" eval plain_run --json --dataset.data_dir=cached --dataset.on_corrupt=skip --eval.examples=24 "$@" 2> eval.log; }
cp -r plain cached
picture=$(ls cached/val/0/*.png | head -n 1)
other=$(ls cached/val/1/*.png | head -n 1)
cached=(--dataset.cache=disk --dataset.cache_dir=pixels_cache)
[ "$(evaluate | json_field loss)" = "$(evaluate "${cached[@]}" | json_field loss)" ] || fail "the disk cache changes the numbers"
cp "$other" "$picture"
[ "$(evaluate | json_field loss)" = "$(evaluate "${cached[@]}" | json_field loss)" ] || fail "the cache holds a picture that was replaced"
grep -Eq "files? of earlier states .*rm '" eval.log || fail "the file that is used no more is not named: $(cat eval.log)"
head -c 40 "$other" > "$picture"
[ "$(evaluate "${cached[@]}" | json_field examples)" = 23 ] || fail "a damaged picture is not left out"
expect 1 'validation: 24 records, 1 bad' "$QFW" data verify $(folder cached) "${cached[@]}" --dataset.on_corrupt=skip
cp "$other" "$picture"
[ "$(evaluate "${cached[@]}" | json_field examples)" = 24 ] || fail "a mended picture is left out"
for file in pixels_cache/*.pixels; do printf 'X' | dd of="$file" bs=1 seek=100 conv=notrunc 2> /dev/null; done
[ "$(evaluate | json_field loss)" = "$(evaluate "${cached[@]}" | json_field loss)" ] || fail "a damaged cache changes the numbers"
grep -q 'makes the file anew' eval.log || fail "a damaged cache is not named: $(cat eval.log)"

# Names of any bytes: JSON stays UTF-8, nothing reaches the terminal that is no text, and no class is lost.
cp -r plain named
latin=$'K\xe4fer' escape=$'\e[31mred\e]0;title\a'
if mv named/train/0 "named/train/$latin" 2> /dev/null && mv named/val/0 "named/val/$latin"; then
  mv named/train/1 "named/train/$escape" && mv named/val/1 "named/val/$escape"
  mv named/train/2 'named/train/K\xe4fer' && mv named/val/2 'named/val/K\xe4fer'
  printf '?' > "named/train/$escape/bad"$'\e[2J'.png
  for words in "info --json" "info" "verify" "verify --json"; do
    "$QFW" data $words $(folder named) > names.txt 2>&1 || true
    iconv -f UTF-8 -t UTF-8 names.txt > /dev/null || fail "data $words prints what is no UTF-8"
    ! LC_ALL=C grep -q $'[\x01-\x08\x0b-\x1f\x7f]' names.txt || fail "data $words prints control characters: $(cat -v names.txt)"
  done
  "$QFW" data info --json $(folder named) > names.json 2> /dev/null
  [ "$(grep -c 'K\\\\xe4fer_\?": ' names.json)" = 4 ] || fail "two classes became one: $(cat names.json)"
  "$QFW" run r.ini "--description=a $latin" --run.dir=named_run --dataset.data_dir=named --dataset.on_corrupt=skip --dataset.cache=disk > names.txt 2>&1 || fail "$(cat -v names.txt)"
  cat named_run/log.txt named_run/*.json >> names.txt
  iconv -f UTF-8 -t UTF-8 names.txt > /dev/null || fail "a run prints what is no UTF-8"
  ! LC_ALL=C grep -q $'\x1b' names.txt || fail "a run prints control characters: $(cat -v names.txt)"
fi

# Lists of labels; a flat folder without one is refused before any step.
cp -r plain flat
mv flat/val flat/classes && mkdir flat/val && rm -f list.csv
for label in 0 1 2; do
  for file in flat/classes/$label/*.png; do cp "$file" "flat/val/${label}_$(basename "$file")" && echo "${label}_$(basename "$file"),$label" >> list.csv; done
done
rm -r flat/classes
expect 1 '24 pictures lie in the folder itself.*validation_labels' "$QFW" run r.ini --run.dir=flat_run --dataset.data_dir=flat
[ ! -e flat_run/checkpoints ] || [ -z "$(ls flat_run/checkpoints)" ] || fail "a flat folder is refused after training"
{ printf '\xef\xbb\xbffilename,label\r\n'; sed 's/$/\r/' list.csv; } > windows.csv
for list in list.csv windows.csv; do
  "$QFW" data info --json $(folder flat) --dataset.validation_labels=$list --split=validation 2> /dev/null > flat.json || fail "cannot read $list"
  "$QFW" data info --json $(folder plain) --split=validation 2> /dev/null | diff - flat.json || fail "$list gives other labels"
done
iconv -f UTF-8 -t UTF-16 list.csv > utf16.csv
expect 1 'UTF-16' "$QFW" data info $(folder flat) --dataset.validation_labels=utf16.csv

# Few pictures, odd ones, none.
mkdir -p one/train/a one/val/a
first=$(ls plain/train/0/*.png | head -n 1)
cp "$first" one/train/a/1.png && cp "$first" one/val/a/1.png
expect 0 '^image_folder: 1 class,' "$QFW" data info $(folder one)
expect 0 '^one.png$' "$QFW" data show $(folder one) --augment.name=none --augment.image_size=8 --output=one.png --rows=1000000000000 --columns=1000000000000
expect 0 '^decode +1 ' "$QFW" data bench $(folder one) --augment.name=none --augment.image_size=8 --threads=1
: > one/train/a/2.png
expect 0 'train: 2 records.*1 that cannot be read' "$QFW" data info $(folder one)
expect 1 'the file is empty .*one/train/a/2.png' "$QFW" data verify $(folder one)
expect 1 'the file is empty .*one/train/a/2.png' "$QFW" data show $(folder one) --augment.name=none --augment.image_size=8 --output=two.png
rm one/train/a/*
expect 1 'split train has no folders of classes with pictures' "$QFW" data info $(folder one)
