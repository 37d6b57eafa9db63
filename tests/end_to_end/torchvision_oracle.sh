# torchvision's ResNet50, resizing and decoding beside qfw's: pictures of many shapes through both, equal logits but for 1e-5 of the largest. Skipped where torch and
# torchvision are not installed: for python3, for `make bench`, or for what QFW_TORCH_PYTHON names.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
python=
for candidate in "${QFW_TORCH_PYTHON:-python3}" "$QFW_SOURCE_DIR/build/bench/venv/bin/python"; do
  if "$candidate" -c "import torch, torchvision, numpy, PIL" 2> /dev/null; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  echo "torch and torchvision are not installed"
  exit 77
fi

cat > theirs.py << 'PYTHON'
import os, numpy as np, torch, torchvision
from PIL import Image
from torchvision import transforms

torch.manual_seed(14)
rng = np.random.default_rng(14)
net = torchvision.models.resnet50(num_classes=10)
with torch.no_grad():
    for name, value in net.named_buffers():
        if name.endswith("running_mean"):
            value.normal_(0, 0.3)
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
    for name, value in net.named_parameters():
        if ".bn" in name or name.startswith("bn") or "downsample.1" in name:
            value.uniform_(0.3, 1.2) if name.endswith("weight") else value.normal_(0, 0.1)
torch.save(net.state_dict(), "resnet50.pth")
torch.save({"model": net.state_dict(), "epoch": 3}, "legacy.pth", _use_new_zipfile_serialization=False)

net.eval()
for margin, how, name in ((32, transforms.InterpolationMode.BILINEAR, "bilinear"), (4, transforms.InterpolationMode.BICUBIC, "bicubic")):
    prepare = transforms.Compose([transforms.Resize(96 + margin, how), transforms.CenterCrop(96), transforms.ToTensor(),
                                  transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])
    logits = []
    for label, (width, height, kind) in enumerate([(500, 375, "jpg"), (375, 500, "jpg"), (333, 500, "png"), (129, 130, "png"), (200, 128, "jpg"), (97, 301, "png"),
                                                   (128, 128, "png"), (1000, 131, "jpg"), (99, 100, "jpg"), (640, 480, "png")]):
        file = f"data/val/{label}/picture.{kind}"
        if not os.path.exists(file):
            y, x = np.mgrid[0:height, 0:width]
            waves = np.stack([np.sin(x / (3 + c) + y / (5 - c)) for c in range(3)], -1) * 90 + 128 + rng.normal(0, 12, (height, width, 3))
            os.makedirs(os.path.dirname(file))
            os.makedirs(f"data/train/{label}")
            Image.fromarray(np.clip(waves, 0, 255).astype("u1")).save(file)
            Image.open(file).save(f"data/train/{label}/picture.{kind}")
        with torch.no_grad():
            logits.append(net(prepare(Image.open(file).convert("RGB"))[None]).numpy()[0])
    np.array(logits).tofile(f"{name}.theirs")
PYTHON
cat > compare.py << 'PYTHON'
import sys, numpy as np
theirs, ours = (np.fromfile(name, "<f4") for name in sys.argv[1:3])
assert theirs.shape == ours.shape, (theirs.shape, ours.shape)
difference = np.abs(theirs - ours).max() / np.abs(theirs).max()
print(f"{sys.argv[1]}: largest difference {difference:.2g} of the largest logit, {np.abs(theirs).max():.3g}")
sys.exit(int(difference > 1e-5))
PYTHON
"$python" theirs.py

recipe=$QFW_SOURCE_DIR/recipes/import_torchvision.ini
common="--dataset.data_dir=data --dataset.classes=10 --dataset.train_examples=10 --augment.image_size=96 --train.batch_size=2 --eval.batch_size=5 --backend.name=cpu"
"$QFW" import "$recipe" resnet50.pth $common --run.dir=bilinear > /dev/null
"$QFW" import "$recipe" legacy.pth $common --augment.crop_padding=4 --augment.filter=bicubic_reduced --run.dir=bicubic > /dev/null
for run in bilinear bicubic; do
  "$QFW" eval $run --logits=$run.h5 > /dev/null 2>&1
  h5dump -d /logits -b LE -o $run.ours $run.h5 > /dev/null
  "$python" compare.py $run.theirs $run.ours || fail "the logits differ"
done
