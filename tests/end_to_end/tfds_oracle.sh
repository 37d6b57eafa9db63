# TensorFlow Datasets reads the folder that qfw wrote, with the same pictures, labels and names; skipped where it is not installed.
set -euo pipefail
if ! python3 -c "import tensorflow_datasets; tensorflow_datasets.builder_from_directory" 2> /dev/null; then
  echo "tensorflow_datasets is not installed"
  exit 77
fi
export TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=

# oracle FOLDER: digests of what TFDS reads, one line per example, sorted.
oracle() {
  python3 - "$1" << 'PYTHON'
import hashlib, sys
import tensorflow as tf, tensorflow_datasets as tfds
builder = tfds.builder_from_directory(sys.argv[1])
lines = []
for split in builder.info.splits:
    data = builder.as_dataset(split=split, decoders={"image": tfds.decode.SkipDecoding()})
    count = 0
    for example in data:
        count += 1
        image = example["image"].numpy()
        tf.io.decode_image(image, channels=3)
        name = builder.info.features["label"].int2str(int(example["label"]))
        lines.append(f"{split} {example['file_name'].numpy().decode()} {int(example['label'])} {name} {hashlib.sha256(image).hexdigest()}")
    assert count == builder.info.splits[split].num_examples, (split, count)
    decoded = next(iter(builder.as_dataset(split=split)))["image"]
    assert decoded.dtype == tf.uint8 and decoded.shape[-1] == 3, decoded
print("\n".join(sorted(lines)))
PYTHON
}

golden=${QFW_GOLDEN_DIR:-$QFW_SOURCE_DIR/tests/golden}/tfds
written=$PWD/written/imagenet2012/5.1.0
"$QFW" data convert --dataset.name=imagenet_tfds --dataset.data_dir="$golden" --to=tfds \
  --writer.version=5.1.0 --output="$written"
oracle "$golden/imagenet2012/5.1.0" > expected.txt
oracle "$written" > found.txt
test -s expected.txt
diff expected.txt found.txt
echo "TensorFlow Datasets reads $(wc -l < found.txt) examples of a folder that qfw wrote"
