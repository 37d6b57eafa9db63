# `qfw predict`, and libqfw_predict as an installed tree has it: the library alone, its C header, examples/predict.c built by pkg-config
# and by find_package. Pixels, files, both backends and both verbs give the bytes of `qfw eval --logits`.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
cc=${CC:-cc}
command -v "$cc" > /dev/null || { echo "there is no C compiler"; exit 77; }

tiny_recipe > tiny.ini
"$QFW" run tiny.ini --run.dir=run > run.log 2>&1 || fail "training: $(cat run.log)"
"$QFW" export run model.onnx > /dev/null
"$QFW" eval run --logits=logits.h5 > /dev/null 2>&1
h5dump -d logits -b LE -o logits.bin logits.h5 > /dev/null
count=48

cmake --install "$QFW_BINARY_DIR" --prefix "$PWD/before" > install.log
mv before moved
prefix=$PWD/moved
library=$prefix/lib/libqfw_predict.so.0

# What the library needs and shows.
if LD_LIBRARY_PATH='' ldd "$library" | grep -vF "=> $prefix/lib/qfw/" | grep -E "hdf5|spdlog|qfw_core|not found|$QFW_BINARY_DIR/|$QFW_SOURCE_DIR/"; then
  fail "the library needs what a program that predicts must do without"
fi
if nm -D --defined-only "$library" | grep -vE ' [TA] qfw_'; then fail "the library shows more than its functions"; fi
readelf -d "$library" | grep > /dev/null 'SONAME.*\[libqfw_predict.so.0\]' || fail "another SONAME"
echo '#include <qfw_predict.h>' | "$cc" -std=c99 -Wall -Wextra -Wpedantic -Werror -I "$prefix/include" -fsyntax-only -x c - ||
  fail "the header is no C99"
# Nothing of the rest is needed: the library with oneDNN beside it is enough.
mkdir alone && cp -P "$prefix"/lib/libqfw_predict.so* alone
if [ -e "$prefix"/lib/qfw/libdnnl.so.3 ]; then mkdir alone/qfw && cp "$prefix"/lib/qfw/libdnnl.so.* alone/qfw; fi

# The example, twice.
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
# shellcheck disable=SC2046
"$cc" -std=c99 -Wall -Wextra -Wpedantic -Werror "$QFW_SOURCE_DIR/examples/predict.c" $(pkg-config --cflags --libs qfw_predict) -o by_pkg_config ||
  fail "pkg-config does not build the example"
cmake -S "$QFW_SOURCE_DIR/examples" -B example -DCMAKE_PREFIX_PATH="$prefix" > example.log 2>&1 && cmake --build example >> example.log 2>&1 ||
  fail "find_package does not build the example: $(cat example.log)"
# shellcheck disable=SC2046
"$cc" -std=c99 -Wall -Wextra -Wpedantic -Werror "$QFW_SOURCE_DIR/tests/end_to_end/predict_idx.c" $(pkg-config --cflags --libs qfw_predict libpng) -o predict_idx ||
  fail "predict_idx.c cannot be built"

images=$(find /usr/share/dataset-fashion-mnist /usr/share/datasets -name 't10k-images*' 2> /dev/null | head -n 1) || true
[ -n "$images" ] || { echo "Fashion-MNIST is not installed"; exit 77; }
gzip -cdf < "$images" > images.idx
mkdir pictures
LD_LIBRARY_PATH=$PWD/alone ./predict_idx model.onnx images.idx $count predicted.bin pictures || fail "predict_idx"
cmp -n $((count * 40)) predicted.bin logits.bin || fail "other bytes than qfw eval's"

some=$(echo pictures/00{0,1,2,3,4,5,6}.png)
LD_LIBRARY_PATH=$PWD/alone ./by_pkg_config model.onnx $some > by_pkg_config.txt 2> by_pkg_config.log || fail "the example: $(cat by_pkg_config.log)"
./example/predict model.onnx $some > by_cmake.txt 2> /dev/null || fail "the example built by CMake"
cmp by_pkg_config.txt by_cmake.txt
grep -q "guarantee\|equal" by_pkg_config.log || fail "the example does not tell the guarantee: $(cat by_pkg_config.log)"

# The verb, of the run and of the model, on both backends: the same numbers, those of qfw eval among them.
"$QFW" predict run $some --json --top=10 > run.json 2> /dev/null
"$prefix/bin/qfw" predict model.onnx $some --json --top=10 > model.json
"$QFW" predict model.onnx $some --json --top=10 --backend.name=reference > reference.json
cmp run.json model.json || fail "run and model differ"
"$QFW" predict "$(ls run/checkpoints/*.h5 | tail -n 1)" $some --json --top=10 > checkpoint.json 2> /dev/null || fail "a checkpoint is no run"
cmp run.json checkpoint.json || fail "run and checkpoint differ"
cmp model.json reference.json || fail "backends differ"
[ "$(wc -l < run.json)" -eq 7 ] || fail "not a line for each picture: $(cat run.json)"
od -A n -t f4 -w4 -v -N 280 logits.bin | sort -g > expected.txt
grep -o '"logit": *[-0-9.e]*' run.json | sed 's/.*: *//' | sort -g > found.txt
paste expected.txt found.txt | awk '{ d = $1 - $2; bad += d > 1e-6 || d < -1e-6 } END { exit NR != 70 || bad }' || fail "the logits are not those of qfw eval"
expect 0 '^ +1  [A-Z]' "$QFW" predict model.onnx pictures/000.png
[ "$("$QFW" predict model.onnx pictures/000.png --top=3 | wc -l)" -eq 4 ] || fail "--top"

# Each picture's mistake is its own.
printf 'no picture' > text.png
head -c 60 pictures/000.png > cut.png
mkfifo pipe.png
status=0
"$QFW" predict model.onnx pictures/000.png text.png cut.png nowhere.png pipe.png pictures/001.png --json > mixed.json 2> mixed.log || status=$?
[ "$status" -eq 1 ] || fail "exit status $status, expected 1"
[ "$(grep -c '"top"' mixed.json)" -eq 2 ] && [ "$(grep -c '"error"' mixed.json)" -eq 4 ] || fail "mixed: $(cat mixed.json)"
grep -q "4 of 6 pictures could not be read" mixed.log || fail "the count: $(cat mixed.log)"

# What is no model, and what a model has not.
expect 1 "no ONNX file" "$QFW" predict text.png pictures/000.png
head -c 5000 model.onnx > cut.onnx
expect 1 "only a part of one" "$QFW" predict cut.onnx pictures/000.png
expect 1 "cannot read nothing.onnx" "$QFW" predict nothing.onnx pictures/000.png
expect 2 "there is nothing at this path .*nothing" "$QFW" predict nothing pictures/000.png
expect 2 "a model, which has no recipe" "$QFW" predict model.onnx pictures/000.png --train.batch_size=4
expect 2 "no option colour" "$QFW" predict model.onnx pictures/000.png --backend.colour=red
expect 1 "only .exact. can be read back" sh -c "'$QFW' export run qdq.onnx --exporter.form=qdq > /dev/null && '$QFW' predict qdq.onnx pictures/000.png"
expect 1 "cannot read" ./example/predict nothing.onnx pictures/000.png
expect 1 "no picture" ./example/predict model.onnx text.png

echo "predict: $count pictures as pixels and files have the bytes of qfw eval; pkg-config and find_package build the example"
