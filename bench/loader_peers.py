"""Speed of the ImageNet input against torchvision and tf.data, on the same JPEG files, one core each.

    python bench/loader_peers.py bench_loader FOLDER [--rounds 9] [--core 0]

`bench_loader` is built from bench/loader.cc (target bench_loader, with the plugin qfw_augment_imagenet beside it), FOLDER
is what it reads, and makes where it does not exist. Needs torch, torchvision, pillow and tensorflow-cpu; a peer that is not
installed is left out. Every side is a process bound to the same core, with one thread where it can be told so. They take turns,
round by round; a number is the median over the rounds. What is counted is images per second of processor time (all threads of the
process), so that other programs disturb little. All sides read the files from memory, crop at random (8 % to 100 % of the area),
resize to 224 with a bicubic kernel, mirror at random and normalise to float32. The peers' images stay single; qfw's pipeline puts
them into batches.
"""

import argparse
import glob
import io
import json
import os
import statistics
import subprocess
import sys
import time

MEAN, STDDEV = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
ASPECT, AREA = (3 / 4, 4 / 3), (0.08, 1.0)


def files_of(folder):
    paths = sorted(glob.glob(os.path.join(folder, "*.jpg")) + glob.glob(os.path.join(folder, "*.JPEG")))
    return [open(path, "rb").read() for path in paths]


def torchvision_peers(folder):
    import torch
    from PIL import Image
    from torchvision import transforms
    from torchvision.io import ImageReadMode, decode_jpeg
    from torchvision.transforms import v2

    torch.set_num_threads(1)
    files = files_of(folder)
    tensors = [torch.frombuffer(bytearray(file), dtype=torch.uint8) for file in files]
    pil = transforms.Compose([
        transforms.RandomResizedCrop(224, AREA, ASPECT, transforms.InterpolationMode.BICUBIC),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize(MEAN, STDDEV),
    ])

    def second(antialias):
        return v2.Compose([
            v2.RandomResizedCrop(224, AREA, ASPECT, v2.InterpolationMode.BICUBIC, antialias=antialias),
            v2.RandomHorizontalFlip(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STDDEV),
        ])

    antialiased, plain = second(True), second(False)

    def read(tensor):
        return decode_jpeg(tensor, mode=ImageReadMode.RGB)

    def each(work, items):
        def once():
            for item in items:
                work(item)
            return len(items)
        return once

    return {
        "torchvision PIL pipeline": each(lambda file: pil(Image.open(io.BytesIO(file)).convert("RGB")), files),
        "torchvision v2 decode_jpeg, antialias": each(lambda file: antialiased(read(file)), tensors),
        "torchvision v2 decode_jpeg, no antialias": each(lambda file: plain(read(file)), tensors),
    }


def tensorflow_peers(folder):
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    files = files_of(folder)
    mean, stddev = 255 * tf.constant(MEAN), 255 * tf.constant(STDDEV)

    def prepare(file):
        begin, size, _ = tf.image.sample_distorted_bounding_box(
            tf.io.extract_jpeg_shape(file), tf.zeros([1, 0, 4]), aspect_ratio_range=ASPECT, area_range=AREA, max_attempts=10,
            use_image_if_no_bounding_boxes=True)
        window = tf.concat([begin[:2], size[:2]], axis=0)
        image = tf.image.decode_and_crop_jpeg(file, window, channels=3)
        image = tf.image.resize(image, [224, 224], method="bicubic")
        return (tf.image.random_flip_left_right(image) - mean) / stddev

    data = tf.data.Dataset.from_tensor_slices(files).repeat(4).map(prepare, num_parallel_calls=1)
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    options.threading.max_intra_op_parallelism = 1
    data = data.with_options(options)
    return {"tf.data decode_and_crop_jpeg": lambda: sum(1 for _ in data)}


def serve(peers):
    for once in peers.values():
        once()
    print("ready", flush=True)
    for _ in sys.stdin:
        rates = {}
        for name, once in peers.items():
            begin = time.process_time()
            count = once()
            rates[name] = count / (time.process_time() - begin)
        print(json.dumps(rates), flush=True)


class Side:
    """A process that runs a round when it is told to."""

    def __init__(self, command, environment):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.ready = self.process.stdout.readline().strip() == "ready"

    def round(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def compare(arguments):
    one_thread = dict(os.environ, OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
    # Their best setting: memory of pictures and tensors is not given back and faulted in again for each one.
    tuned = dict(one_thread, MALLOC_MMAP_THRESHOLD_=str(1 << 30), MALLOC_TRIM_THRESHOLD_=str(1 << 32), MALLOC_ARENA_MAX="1")
    bound = ["taskset", "-c", str(arguments.core)]
    own = bound + [arguments.program, arguments.folder, "--serve"]
    sides = [Side(own, one_thread)]
    for peer in ("torchvision", "tensorflow"):
        side = Side(bound + [sys.executable, __file__, arguments.program, arguments.folder, "--peer", peer], tuned)
        if side.ready:
            sides.append(side)
        else:
            print(f"{peer}: not measured, it did not start", file=sys.stderr)
    rates = {}
    for _ in range(arguments.rounds):
        for side in sides:
            for name, rate in side.round().items():
                rates.setdefault(name, []).append(rate)
    for side in sides:
        side.close()
    medians = {name: statistics.median(all_rounds) for name, all_rounds in rates.items()}
    files = files_of(arguments.folder)
    print(f"{len(files)} files of {sum(map(len, files)) / len(files) / 1000:.0f} KB on average, {arguments.rounds} rounds")
    for name, rate in medians.items():
        own_stage = " " not in name
        ratios = [f"{stage} {medians[stage] / rate:5.2f} x" for stage in ("augment", "pipeline")]
        ratio = "" if own_stage else f"   qfw {', '.join(ratios)}"
        spread = f"{min(rates[name]):.0f} to {max(rates[name]):.0f}"
        print(f"{name:42} {rate:7.0f} images/s ({spread}){ratio}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("folder")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--peer", choices=["torchvision", "tensorflow"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer == "torchvision":
        serve(torchvision_peers(arguments.folder))
    elif arguments.peer == "tensorflow":
        serve(tensorflow_peers(arguments.folder))
    else:
        compare(arguments)


if __name__ == "__main__":
    main()
