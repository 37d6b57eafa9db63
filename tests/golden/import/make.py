"""Makes the files of this folder: weights of tiny ResNets as other programs store them, and the logits that those programs compute.

Wants torch, torchvision, transformers, safetensors, keras 3 (KERAS_BACKEND=torch), onnx, h5py and Pillow. Writes into the current folder.
"""
import os

os.environ["KERAS_BACKEND"] = "torch"
import h5py
import keras
import numpy as np
import onnx
import safetensors.torch
import torch
import transformers
from PIL import Image
from torch import nn
from torchvision.models.resnet import Bottleneck

MEAN, STDDEV = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLASSES, SIZE = 5, 33
rng = np.random.default_rng(14)


def randomize(state):
    """Values as training leaves them: no norm is the identity."""
    for name, value in state.items():
        if name.endswith("num_batches_tracked"):
            value.fill_(7)
            continue
        drawn = rng.normal(0, 0.3 if value.dim() < 4 else (2 / value[0].numel()) ** 0.5, tuple(value.shape))
        if name.endswith("running_var") or (value.dim() == 1 and name.endswith("weight")):
            drawn = rng.uniform(0.4, 1.4, tuple(value.shape))
        value.copy_(torch.from_numpy(drawn))


class Tiny(nn.Module):
    """torchvision's ResNet, of stages of two blocks and one, an eighth as wide or less."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 7, 2, 3, bias=False), nn.BatchNorm2d(4)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(Bottleneck(4, 4, 1, self.down(4, 16, 1)), Bottleneck(16, 4))
        self.layer2 = nn.Sequential(Bottleneck(16, 8, 2, self.down(16, 32, 2)))
        self.fc = nn.Linear(32, CLASSES)

    @staticmethod
    def down(inside, out, stride):
        return nn.Sequential(nn.Conv2d(inside, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        x = self.layer2(self.layer1(self.pool(torch.relu(self.bn1(self.conv1(x))))))
        return self.fc(x.mean((2, 3)))


def keras_net():
    """keras.applications' ResNet, likewise."""
    layers = keras.layers

    def norm(x, name):
        return layers.BatchNormalization(epsilon=1.001e-5, name=name)(x)

    def block(x, filters, stride, project, name):
        if project:
            shortcut = norm(layers.Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(x), f"{name}_0_bn")
        else:
            shortcut = x
        x = layers.Conv2D(filters, 1, strides=stride, name=f"{name}_1_conv")(x)
        x = layers.Activation("relu", name=f"{name}_1_relu")(norm(x, f"{name}_1_bn"))
        x = layers.Conv2D(filters, 3, padding="SAME", name=f"{name}_2_conv")(x)
        x = layers.Activation("relu", name=f"{name}_2_relu")(norm(x, f"{name}_2_bn"))
        x = norm(layers.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x), f"{name}_3_bn")
        return layers.Activation("relu", name=f"{name}_out")(layers.Add(name=f"{name}_add")([shortcut, x]))

    images = layers.Input((SIZE, SIZE, 3))
    x = layers.ZeroPadding2D(3, name="conv1_pad")(images)
    x = norm(layers.Conv2D(4, 7, strides=2, name="conv1_conv")(x), "conv1_bn")
    x = layers.ZeroPadding2D(1, name="pool1_pad")(layers.Activation("relu", name="conv1_relu")(x))
    x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    x = block(block(x, 4, 1, True, "conv2_block1"), 4, 1, False, "conv2_block2")
    x = block(x, 8, 2, True, "conv3_block1")
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(images, layers.Dense(CLASSES, name="predictions")(x), name="tiny")


def main():
    pictures = rng.integers(0, 256, (6, SIZE, SIZE, 3), dtype=np.uint8)
    labels = np.arange(6, dtype=np.int32) % CLASSES
    with h5py.File("images.h5", "w") as file:
        for split in ("train", "validation"):
            file[f"{split}/images"], file[f"{split}/labels"] = pictures, labels
    normalized = ((pictures / 255.0 - np.array(MEAN)) / np.array(STDDEV)).astype("f4")
    channels_first = torch.from_numpy(normalized.transpose(0, 3, 1, 2).copy())

    net = Tiny().eval()
    randomize(net.state_dict())
    state = net.state_dict()
    torch.save(state, "tiny.pth")
    torch.save({"epoch": 3, "state_dict": {f"module.{name}": value for name, value in state.items()},
                "optimizer": {"state": {0: {"momentum_buffer": torch.ones(3)}}, "param_groups": [{"lr": 0.1}]}},
               "tiny_legacy.pth", _use_new_zipfile_serialization=False)
    wide = {name: value.double() if value.is_floating_point() else value for name, value in state.items()}
    wide["conv1.weight"] = state["conv1.weight"].to(memory_format=torch.channels_last)
    safetensors.torch.save_file({name: value.contiguous() for name, value in wide.items()}, "tiny_f64.safetensors")
    torch.save(wide, "tiny_channels_last.pth")
    initializers = [onnx.numpy_helper.from_array(value.numpy(), name) for name, value in state.items()]
    graph = onnx.helper.make_graph([], "weights", [], [], initializers)
    onnx.save(onnx.helper.make_model(graph), "tiny.onnx")

    configuration = transformers.ResNetConfig(embedding_size=4, hidden_sizes=[16, 32], depths=[2, 1], num_labels=CLASSES)
    theirs = transformers.ResNetForImageClassification(configuration).eval()
    randomize(theirs.state_dict())
    safetensors.torch.save_file(theirs.state_dict(), "tiny_transformers.safetensors")

    their_keras = keras_net()
    for layer in their_keras.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.gamma.shape
            layer.set_weights([rng.uniform(0.4, 1.4, shape), rng.normal(0, 0.3, shape), rng.normal(0, 0.3, shape), rng.uniform(0.4, 1.4, shape)])
        elif layer.get_weights():
            kernel, bias = layer.get_weights()
            layer.set_weights([rng.normal(0, (2 / kernel[..., 0].size) ** 0.5, kernel.shape), rng.normal(0, 0.3, bias.shape)])
    their_keras.save("tiny_keras.h5")
    their_keras.save_weights("tiny_keras.weights.h5")
    blue_first = pictures[..., ::-1].astype("f4") - np.array([103.939, 116.779, 123.68], "f4")

    with torch.no_grad(), h5py.File("logits.h5", "w") as file:
        file["torchvision/logits"] = net.double()(channels_first.double()).float().numpy()
        file["transformers/logits"] = theirs.double()(channels_first.double()).logits.float().numpy()
        file["keras/logits"] = np.asarray(their_keras(blue_first / 64).detach().numpy())
        for name in file:
            print(name, np.abs(file[f"{name}/logits"][:]).max(), file[f"{name}/logits"][0])

    # What Pillow makes of a picture: to which size, the upper left corner of what is kept (a 12 x 12 window), by which filter.
    picture = rng.integers(0, 256, (45, 61, 3), dtype=np.uint8)
    picture[:, 30:] = np.where(picture[:, 30:] > 127, 255, 0)  # ringing goes beyond what 8 bits hold
    with h5py.File("resized.h5", "w") as file:
        file["picture"] = picture
        for i, (height, width, y, x) in enumerate([(14, 19, 1, 3), (45, 61, 20, 40), (12, 61, 0, 49), (97, 130, 60, 100), (45, 12, 33, 0), (23, 31, 5, 9)]):
            for name, how in (("bilinear_reduced", Image.BILINEAR), ("bicubic_reduced", Image.BICUBIC)):
                resized = np.asarray(Image.fromarray(picture).resize((width, height), how))
                case = file.create_dataset(f"{name}_{i}", data=resized[y:y + 12, x:x + 12])
                case.attrs["size"] = np.array([height, width, y, x], "i4")


main()
