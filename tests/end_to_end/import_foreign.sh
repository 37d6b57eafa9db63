# Weights that others trained: each kind of file gives the logits that its makers' program computes (tests/golden/import), what a recipe lacks is told, and files
# that would run something are refused.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
golden=$QFW_SOURCE_DIR/tests/golden/import

cat > tiny.ini << INI
[model]
name = resnet
stages = 2,1
num_filters = 4
padding = torch

[quantizer]
name = none

[schedule]
name = cosine

[dataset]
name = hdf5
data_dir = $golden/images.h5

[augment]
name = none
mean = 0.485, 0.456, 0.406
stddev = 0.229, 0.224, 0.225

[train]
batch_size = 2

[eval]
batch_size = 6

[backend]
name = reference
INI

# gives RUN NAME LARGEST: the run's logits are those of the golden file, but for LARGEST.
gives() {
  "$QFW" eval "$1" --logits="$1.h5" > /dev/null 2>&1 || fail "cannot evaluate $1"
  h5diff -d "$3" "$1.h5" "$golden/logits.h5" /logits "/$2/logits" || fail "$1 computes other logits than $2"
}

# Within 1e-5 of the largest logit: 24.8, 16.4, 6.5.
for file in tiny.pth tiny_legacy.pth tiny.onnx tiny_f64.safetensors tiny_channels_last.pth; do
  expect 0 "^torchvision.*: 62 of [0-9]+ variables imported$" "$QFW" import tiny.ini "$golden/$file" --run.dir="$file"
  gives "$file" torchvision 2.4e-4
done
"$QFW" import tiny.ini "$golden/tiny_transformers.safetensors" --run.dir=transformers > /dev/null 2>&1
gives transformers transformers 1.6e-4

expect 0 "eval.examples = 7 is more than there is: split [a-z]+ has 6 images, and all are taken" "$QFW" eval tiny.pth --eval.examples=7
"$QFW" eval tiny.pth --eval.examples=6 > six.txt 2>&1
! grep -q "more than there is" six.txt || fail "$(cat six.txt)"

# Keras: the recipe must say what is different there; images go in blue first, less their mean, here divided by 64.
for option in --model.stride=1x1 --model.bn_epsilon=1.001e-05 --augment.bgr=true; do
  expect 2 "add .*$option" "$QFW" import tiny.ini "$golden/tiny_keras.h5" --augment.name=imagenet_eval --run.dir=keras
done
expect 0 "the recipe is trusted where weights of keras want model.stride = 1x1 in place of 3x3" "$QFW" import tiny.ini "$golden/tiny_keras.h5" --trust-recipe --run.dir=trusted
for file in tiny_keras.h5 tiny_keras.weights.h5; do
  expect 0 "^keras.*: 62 of [0-9]+ variables imported$" "$QFW" import tiny.ini "$golden/$file" --model.stride=1x1 --model.bn_epsilon=1.001e-5 --augment.name=imagenet_eval \
    --augment.image_size=33 --augment.crop_padding=0 --augment.fit=shorter_side --augment.filter=bilinear_reduced --augment.bgr=true \
    --augment.mean=0.40760784,0.45795686,0.48501961 --augment.stddev=0.25098039215686274 --run.dir="$file"
  gives "$file" keras 6e-5
done
expect 2 "model.padding = torch in place of same .*; add --model.padding=torch" "$QFW" import tiny.ini "$golden/tiny.pth" --model.padding=same --run.dir=third

# Another number of classes, and one channel.
more="--dataset.name=synthetic --dataset.classes=7"
expect 1 "fc.weight is 32-bit float \[5, 32\], expected f32\[7, 32\].*--fresh=dense" "$QFW" import tiny.ini "$golden/tiny.pth" $more --run.dir=third
"$QFW" import tiny.ini "$golden/tiny.pth" $more --fresh=dense --run.dir=fresh > fresh.txt 2>&1 || fail "$(cat fresh.txt)"
grep -q "60 of [0-9]* variables imported; at initial values, as asked: dense$" fresh.txt || fail "$(cat fresh.txt)"
! grep -q "not in the file" fresh.txt || fail "it warns of what was asked for: $(cat fresh.txt)"
for names in dense, ,dense stage1/block0,,dense ,; do
  expect 2 "a name is empty, .*--fresh=$names" "$QFW" import tiny.ini "$golden/tiny.pth" $more --fresh=$names --run.dir=third
done
expect 2 "no layer dens \(--fresh\); did you mean dense" "$QFW" import tiny.ini "$golden/tiny.pth" --fresh=dens --run.dir=third
sed '/^data_dir/d; s/^name = hdf5/name = fashion_mnist/; s/^mean = .*/mean = 0.5/; s/^stddev = .*/stddev = 0.5/' tiny.ini > grey.ini
expect 1 "conv1.weight is .*\[4, 3, 7, 7\], expected f32\[4, 1, 7, 7\].*--grey" "$QFW" import grey.ini "$golden/tiny.pth" --fresh=dense --run.dir=third
expect 0 "60 of" "$QFW" import grey.ini "$golden/tiny.pth" --fresh=dense --grey --run.dir=grey
expect 2 "grey is for a network that reads one channel" "$QFW" import tiny.ini "$golden/tiny.pth" --grey --run.dir=third
"$QFW" export grey grey.h5 --format=torchvision > /dev/null
h5dump -d /conv1.weight -y -m %.9g -w 12 grey.h5 > summed.txt
grep -q "( 4, 1, 7, 7 )" summed.txt || fail "the first kernel has other extents: $(head -n 5 summed.txt)"

# Networks that are not the recipe's, and weights that went wrong.
expect 1 "no place for: layer1.1" "$QFW" import tiny.ini "$golden/tiny.pth" --model.stages=1,1 --run.dir=third
expect 1 "lacks: layer3.0" "$QFW" import tiny.ini "$golden/tiny.pth" --model.stages=2,1,1 --run.dir=third
expect 1 "no format knows the names in the file \(.*formats are aqt, keras, torchvision" "$QFW" import tiny.ini "$golden/images.h5" --run.dir=third
expect 1 "there is no group ema" "$QFW" import tiny.ini "$golden/tiny_legacy.pth" --group=ema --run.dir=third

# What Python would run: a pickle that makes the file `made`, as it is and in an archive of torch.save().
{
  printf '\200\2cos\nsystem\nX\12\0\0\0touch made\205R.'
} > evil.pth
expect 1 "a pickle, but none that torch.save\(\) made" "$QFW" import tiny.ini evil.pth --run.dir=third
{
  printf '\200\2\212\12\154\374\234\106\371\040\152\250\120\031.\200\2M\351\3.\200\2}.'
  cat evil.pth
} > evil_legacy.pth
expect 1 "the pickle would use os.system .*nothing of it was run" "$QFW" import tiny.ini evil_legacy.pth --run.dir=third
[ ! -e made ] || fail "a pickle was run"
[ ! -e third ] || fail "a refused import leaves a folder"
