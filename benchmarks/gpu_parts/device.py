"""What the device is, and the rates that everything else is measured by."""

from __future__ import annotations

import platform
import shutil
import subprocess
from functools import partial

import numpy as np
import torch

from gpu_parts.task import Task

Shape = tuple[str, int, int, int, int, int, bool]

BATCH = 128
LAYERS: tuple[Shape, ...] = (
    # Name, channels in and out, side of the larger image, kernel, stride, transposed.
    ("GaitGAN 1 to 96", 1, 96, 64, 4, 2, False),
    ("GaitGAN 96 to 192", 96, 192, 32, 4, 2, False),
    ("GaitGAN 192 to 384", 192, 384, 16, 4, 2, False),
    ("GaitGAN 384 to 768", 384, 768, 8, 4, 2, False),
    ("GaitGAN 768 up to 384", 768, 384, 8, 4, 2, True),
    ("GaitGAN 384 up to 192", 384, 192, 16, 4, 2, True),
    ("GaitGAN 192 up to 96", 192, 96, 32, 4, 2, True),
    ("GaitGAN 96 up to 1", 96, 1, 64, 4, 2, True),
    ("a large one, 3 x 3", 512, 512, 64, 3, 1, False),
)


def run(task: Task) -> None:
    """Describe the device, then measure products, convolutions and copies."""
    describe(task)
    for kind in ("bf16", "tf32", "fp32") if task.on_gpu else ("fp32",):
        rate = task.matrix_peak(kind)
        text = f"matrix product, {kind:<5}{rate / 1e12:10.2f} TFLOP/s"
        task.record("product", text, kind=kind, flops=rate)
    copies(task)
    told = []
    for layer in LAYERS if task.on_gpu else LAYERS[1:-1:2]:
        if task.left() > 3:
            told.append(convolution(task, layer))
    if told:
        text = f"convolutions, forward/image/weight, TFLOP/s: {'; '.join(told)}"
        task.record("convolutions", text)


def describe(task: Task) -> None:
    """Name, memory, versions."""
    told = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "cuda": torch.version.cuda,
    }
    if task.on_gpu:
        about = torch.cuda.get_device_properties(0)
        told |= {
            "name": about.name,
            "capability": f"{about.major}.{about.minor}",
            "memory_gib": round(about.total_memory / 2**30, 1),
            "multiprocessors": about.multi_processor_count,
            "cudnn": torch.backends.cudnn.version(),
            "driver": _driver(),
        }
    else:
        told |= {"name": platform.processor() or platform.machine()}
    text = ", ".join(f"{name} {value}" for name, value in told.items() if value is not None)
    task.record("device", text, **told)


def _driver() -> str | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    asked = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    answer = subprocess.run(asked, capture_output=True, text=True, timeout=20)
    return answer.stdout.strip() or None


def copies(task: Task) -> None:
    """Bytes per second within the device (read and written) and to it from the host."""
    size = 2**30 if task.on_gpu else 2**26
    source = torch.randint(0, 255, (size,), dtype=torch.uint8, device=task.device)
    target = torch.empty_like(source)
    rate = 2 * size / task.timed(lambda: target.copy_(source))
    text = f"copy on the device     {rate / 1e9:10,.0f} GB/s, read and written"
    task.record("copy", text, kind="device", bytes=rate)
    if not task.on_gpu:
        return
    for pinned in (False, True):
        host = torch.empty(2**28, dtype=torch.uint8, pin_memory=pinned).fill_(7)
        rate = 2**28 / task.timed(partial(target[: 2**28].copy_, host), count=3)
        kind = "pinned" if pinned else "pageable"
        text = f"host to device, {kind:<9}{rate / 1e9:8,.1f} GB/s"
        task.record("copy", text, kind=kind, bytes=rate)


def convolution(task: Task, layer: Shape) -> str:
    """Forward, gradient of the image and gradient of the weights, in bf16 and channels-last."""
    name, into, out, side, kernel, stride, transposed = layer
    batch = BATCH if task.on_gpu else 1
    dtype = torch.bfloat16 if task.on_gpu else torch.float32
    ends = (side // stride, side) if transposed else (side, side // stride)
    padding = 1
    like = {"device": task.device, "dtype": dtype}
    images = torch.randn(batch, into, ends[0], ends[0], **like)
    gradient = torch.randn(batch, out, ends[1], ends[1], **like)
    shape = (into, out) if transposed else (out, into)
    weight = torch.randn(*shape, kernel, kernel, **like)
    images, gradient, weight = (
        tensor.to(memory_format=torch.channels_last) for tensor in (images, gradient, weight)
    )
    pairs, one = [[padding, padding], [1, 1]], [stride, stride]
    convolve = torch.nn.functional.conv_transpose2d if transposed else torch.nn.functional.conv2d
    backward = torch.ops.aten.convolution_backward

    def back(of_images: bool) -> None:
        mask = [of_images, not of_images, False]
        backward(
            gradient, images, weight, None, one, *pairs, transposed, [0, 0], 1, mask
        )  # fmt: skip

    places = min(ends) ** 2 if kernel == 4 else side**2
    flops = 2.0 * batch * into * out * kernel**2 * places
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = task.on_gpu
    try:
        with torch.no_grad():
            taken = {
                "forward": task.timed(lambda: convolve(images, weight, None, stride, padding)),
                "image": task.timed(lambda: back(True)),
                "weight": task.timed(lambda: back(False)),
            }
    finally:
        torch.backends.cudnn.benchmark = before
    rates = {what: flops / seconds for what, seconds in taken.items()}
    text = f"convolution {name:<22}" + "".join(
        f"{what} {rate / 1e12:7.2f}  " for what, rate in rates.items()
    )
    task.record("convolution", text + "TFLOP/s", layer=name, batch=batch, seconds=taken, **rates)
    return f"{name} {'/'.join(f'{rate / 1e12:.3g}' for rate in rates.values())}"
