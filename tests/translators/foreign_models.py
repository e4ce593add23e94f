"""Model files that somebody else has changed, by chance or on purpose.

`write_mutant(model, path, family, seed)` makes the same file every time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from gaitkit.artifacts.envelope import BLOCK_BYTES, seal

Random = np.random.Generator

FAMILIES = ("bytes", "arrays", "parameters")
"""What is changed: the bytes of the file, its HDF5 objects, or the text in its attributes."""


def write_mutant(model: Path, path: Path, family: str, seed: int, *, sealed: bool = True) -> str:
    """Write a changed copy of a model, its digest made right again if `sealed`; say what it is."""
    random = np.random.default_rng([FAMILIES.index(family), seed])
    content = model.read_bytes()
    if family == "bytes":
        change = BYTES[seed % len(BYTES)]
        inside = content[BLOCK_BYTES:]
        mutant = bytes(change(bytearray(inside), random))
        if mutant == inside:  # Zeros for zeros, for example.
            mutant = bytes(flipped_bits(bytearray(inside), random))
        path.write_bytes(content[:BLOCK_BYTES] + mutant)
    else:
        changes = ARRAYS if family == "arrays" else PARAMETERS
        change = changes[seed % len(changes)]
        path.write_bytes(content)
        with h5py.File(path, "r+", libver=("earliest", "v110")) as file:
            change(file, random)
        if path.read_bytes() == content:  # It was the value that is there already.
            with h5py.File(path, "r+") as file:
                missing(file, random)
        if not sealed:
            # The old digest, on a file of the size that the block names.
            size = f"size {path.stat().st_size}\n".encode()
            block = content[:BLOCK_BYTES].split(b"\n")
            head = b"\n".join([block[0], size.strip(), block[2]]) + b"\n"
            path.write_bytes(head.ljust(BLOCK_BYTES, b"\0") + path.read_bytes()[BLOCK_BYTES:])
    if sealed:
        seal(path)
    return change.__name__


# --- bytes ------------------------------------------------------------------------------------


def flipped_bits(inside: bytearray, random: Random) -> bytearray:
    for position in random.integers(len(inside), size=random.integers(1, 17)):
        inside[position] ^= 1 << int(random.integers(8))
    return inside


def flipped_bits_of_the_first_objects(inside: bytearray, random: Random) -> bytearray:
    for position in random.integers(min(2048, len(inside)), size=random.integers(1, 5)):
        inside[position] ^= 1 << int(random.integers(8))
    return inside


def random_run(inside: bytearray, random: Random) -> bytearray:
    start, length = int(random.integers(len(inside))), int(random.integers(1, 65))
    run = random.bytes(len(inside[start : start + length]))
    inside[start : start + length] = run
    return inside


def constant_run(inside: bytearray, random: Random) -> bytearray:
    start, length = int(random.integers(len(inside))), int(random.integers(1, 257))
    value = bytes([int(random.choice([0, 255]))])
    inside[start : start + length] = value * len(inside[start : start + length])
    return inside


def odd_numbers(inside: bytearray, random: Random) -> bytearray:
    values = (0, 1, len(inside), 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)
    for _ in range(int(random.integers(1, 4))):
        width = int(random.choice([2, 4, 8]))
        start = int(random.integers(len(inside) // width)) * width
        value = values[int(random.integers(len(values)))] % 2 ** (8 * width)
        inside[start : start + width] = value.to_bytes(width, "little")
    return inside


def cut_short(inside: bytearray, random: Random) -> bytearray:
    return inside[: int(random.integers(len(inside)))]


def inserted(inside: bytearray, random: Random) -> bytearray:
    start = int(random.integers(len(inside)))
    size = len(inside)
    inside[start:start] = random.bytes(int(random.integers(1, 33)))
    return inside[:size]  # A file of another size would be refused for that alone.


def removed(inside: bytearray, random: Random) -> bytearray:
    start = int(random.integers(len(inside)))
    size = len(inside)
    del inside[start : start + int(random.integers(1, 33))]
    return inside.ljust(size, b"\0")


def swapped_blocks(inside: bytearray, random: Random) -> bytearray:
    size = int(random.choice([8, 64, 512]))
    first, second = (int(n) * size for n in random.integers(len(inside) // size, size=2))
    one, other = inside[first : first + size], inside[second : second + size]
    inside[first : first + size], inside[second : second + size] = other, one
    return inside


BYTES: tuple[Callable[[bytearray, Random], bytearray], ...] = (
    flipped_bits,
    flipped_bits_of_the_first_objects,
    random_run,
    constant_run,
    odd_numbers,
    cut_short,
    inserted,
    removed,
    swapped_blocks,
)


# --- HDF5 objects -----------------------------------------------------------------------------


def names_of(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if hasattr(item, "dtype") else None)
    return sorted(names)


def one_of(file: h5py.File, random: Random) -> str:
    """An array, a weight more often than not."""
    names = names_of(file)
    weights = [name for name in names if name.startswith("weights/")]
    return str(random.choice(weights if random.random() < 0.6 and weights else names))


def replaced(file: h5py.File, name: str, **options: Any) -> None:
    del file[name]
    file.create_dataset(name, **options)


def missing(file: h5py.File, random: Random) -> None:
    del file[one_of(file, random)]


def renamed(file: h5py.File, random: Random) -> None:
    name = one_of(file, random)
    values = file[name][()]
    del file[name]
    file[name + str(random.choice(["x", "/x", " ", "é", "\x1b[2J", "x" * 3000]))] = values


def additional(file: h5py.File, random: Random) -> None:
    group = str(random.choice(["weights/G/", "weights/Z/", "optimizer/G/step/", "best/", "a/b/c/"]))
    file[group + "extra"] = np.zeros((3, 2), np.float32)


def other_shape(file: h5py.File, random: Random) -> None:
    name = one_of(file, random)
    values = np.asarray(file[name])
    shapes = [values.reshape(-1), values[None], values.T, np.zeros((0,)), values.ravel()[:1]]
    replaced(file, name, data=shapes[int(random.integers(len(shapes)))])


def other_type(file: h5py.File, random: Random) -> None:
    name = one_of(file, random)
    dtype = random.choice(["f2", "f8", ">f4", "i4", "u8", "?", "c8", "S3", "S70000", "g", ">i8"])
    replaced(file, name, shape=file[name].shape, dtype=str(dtype))


def not_values(file: h5py.File, random: Random) -> None:
    name = one_of(file, random)
    dtypes: list[Any] = [
        np.dtype([("a", "f4"), ("b", "i2")]),
        h5py.vlen_dtype(np.float32),
        h5py.string_dtype(),
        h5py.ref_dtype,
        h5py.enum_dtype({"RED": 0, "GREEN": 1}),
        np.dtype("(2,3)f4"),
        np.dtype("V7"),
        h5py.opaque_dtype(np.dtype("M8[s]")),
    ]
    replaced(file, name, shape=file[name].shape, dtype=dtypes[int(random.integers(len(dtypes)))])


def odd_values(file: h5py.File, random: Random) -> None:
    names = [name for name in names_of(file) if file[name].dtype.kind in "fi"]
    item = file[str(random.choice(names))]
    values = {"f": [np.nan, np.inf, -np.inf, 3e38, -3e38, -1.0], "i": [-1, 2**62, -(2**62)]}
    item[...] = values[item.dtype.kind][int(random.integers(len(values[item.dtype.kind])))]


def text_of_no_encoding(file: h5py.File, random: Random) -> None:
    names = [name for name in names_of(file) if file[name].dtype.kind == "S"]
    name = str(random.choice(names))
    replaced(file, name, data=np.array([b"\xff\xfe\x80", b"\x1b[31m"], dtype="S3"))


def huge(file: h5py.File, random: Random) -> None:
    name = one_of(file, random)
    shapes = [(1 << 40,), (1 << 62,), (1 << 31, 1 << 31), (0, 1 << 62), (1 << 20,) * 3, (2,) * 32]
    shape = shapes[int(random.integers(len(shapes)))]
    chunks = (1,) * len(shape)
    dtype = str(random.choice(["f4", "u1", "S1000000"]))
    replaced(file, name, shape=shape, chunks=chunks, dtype=dtype, maxshape=(None,) * len(shape))


def zipped_zeros(file: h5py.File, random: Random) -> None:
    name = one_of(file, random)
    size = int(random.choice([1 << 22, 1 << 26]))
    replaced(file, name, data=np.zeros(size, "u1"), chunks=(size,), compression="gzip")


def zipped_nonsense(file: h5py.File, random: Random) -> None:
    name = one_of(file, random)
    replaced(file, name, shape=(64,), dtype="f4", chunks=(64,), compression="gzip", shuffle=True)
    file[name].id.write_direct_chunk((0,), random.bytes(100))


def other_filters(file: h5py.File, random: Random) -> None:
    name = one_of(file, random)
    options: list[dict[str, Any]] = [
        {"scaleoffset": 3},
        {"fletcher32": True},
        {"compression": "lzf"},
    ]
    chosen = options[int(random.integers(len(options)))]
    replaced(file, name, data=np.arange(64, dtype="f4"), chunks=(64,), **chosen)


def unknown_filter(file: h5py.File, random: Random) -> None:
    name = one_of(file, random)
    del file[name]
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((64,))
    number = int(random.choice([305, 32015, 65000]))
    properties.set_filter(number, h5py.h5z.FLAG_OPTIONAL, (1, 2, 3))
    space, kind = h5py.h5s.create_simple((64,)), h5py.h5t.IEEE_F32LE
    links = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    links.set_create_intermediate_group(True)
    h5py.h5d.create(file.id, name.encode(), kind, space, dcpl=properties, lcpl=links)


def linked(file: h5py.File, random: Random) -> None:
    name = one_of(file, random)
    links: list[Any] = [
        h5py.SoftLink("/step"),
        h5py.SoftLink("/" + name),
        h5py.ExternalLink("/etc/other.h5", "/x"),
        h5py.ExternalLink(file.filename, "/step"),
        file["/"],
        file["weights"],
        file["step"],
        np.dtype("f4"),
    ]
    chosen = links[int(random.integers(len(links)))]
    del file[name]
    file[name] = chosen


def stored_elsewhere(file: h5py.File, random: Random) -> None:
    name = one_of(file, random)
    shape = file[name].shape
    del file[name]
    if random.random() < 0.5 and shape:
        layout = h5py.VirtualLayout(shape, "f4")
        layout[...] = h5py.VirtualSource("/etc/other.h5", "x", shape)
        file.create_virtual_dataset(name, layout)
    else:
        file.create_dataset(name, (4,), "u1", external=[("/etc/hostname", 0, 4)])


def without_values(file: h5py.File, random: Random) -> None:
    name = one_of(file, random)
    del file[name]
    if random.random() < 0.5:
        file[name] = h5py.Empty("f4")
    else:
        file.create_group(name)


def nested(file: h5py.File, random: Random) -> None:
    file["/".join("abcdefghijklmnop"[: int(random.integers(8, 17))])] = 1.0


ARRAYS: tuple[Callable[[h5py.File, Random], None], ...] = (
    missing,
    renamed,
    additional,
    other_shape,
    other_type,
    not_values,
    odd_values,
    text_of_no_encoding,
    huge,
    zipped_zeros,
    zipped_nonsense,
    other_filters,
    unknown_filter,
    linked,
    stored_elsewhere,
    without_values,
    nested,
)


# --- attributes -------------------------------------------------------------------------------

_ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    512,
    1e308,
    float("nan"),
    float("inf"),
    10**30,
    "x" * 40_000,
    "\ud800",
    "\x1b[2J",
    [],
    {},
    [[]],
    [512, 512],
    {"name": "gaitgan"},
)


def set_text(file: h5py.File, name: str, text: str) -> None:
    content = text.encode()
    file.attrs[name] = np.array(content, h5py.string_dtype("utf-8", max(1, len(content))))


def changed(value: Any, random: Random) -> Any:
    """A JSON document with something odd in one place of it."""
    if not isinstance(value, dict) or not value or random.random() < 0.15:
        return _ODD[int(random.integers(len(_ODD)))]
    name = str(random.choice(sorted(value)))
    chance = random.random()
    if chance < 0.1:
        return {key: item for key, item in value.items() if key != name}
    if chance < 0.2:
        return value | {"colour": 3}
    return value | {name: changed(value[name], random)}


def odd_parameters(file: h5py.File, random: Random) -> None:
    value = json.loads(file.attrs["parameters"])
    set_text(file, "parameters", json.dumps(changed(value, random)))


def config_in(parameters: dict[str, Any]) -> dict[str, Any]:
    """The settings of a model, of whatever kind it is."""
    kind = "translator" if "translator" in parameters else "embedder"
    config: dict[str, Any] = parameters[kind]["config"]
    return config


def odd_config(file: h5py.File, random: Random) -> None:
    value = json.loads(file.attrs["parameters"])
    config = config_in(value)
    name = str(random.choice(sorted(config)))
    config[name] = _ODD[int(random.integers(len(_ODD)))]
    set_text(file, "parameters", json.dumps(value))


def large_config(file: h5py.File, random: Random) -> None:
    value = json.loads(file.attrs["parameters"])
    config_in(value)["width"] = int(random.integers(2, 513))
    config_in(value)["image_size"] = [16 * int(random.integers(1, 33))] * 2
    set_text(file, "parameters", json.dumps(value))


def odd_attribute(file: h5py.File, random: Random) -> None:
    name = str(random.choice(sorted(file.attrs)))
    texts = ("", "{", "[" * 30_000, "null", "[1,2]", '{"a":{"b":1e999}}', "9" * 5000, "\x00", "{}")
    set_text(file, name, texts[int(random.integers(len(texts)))])


def odd_attribute_type(file: h5py.File, random: Random) -> None:
    name = str(random.choice(sorted(file.attrs)))
    values: list[Any] = [
        1.5,
        np.nan,
        2**40,
        -1,
        [1, 2],
        "variable length",
        np.array([b"one"]),
        h5py.Empty("f4"),
        np.array(b"\xff\xfe"),
        file["step"].ref,
        np.zeros(3, [("a", "f4")]),
    ]
    file.attrs[name] = values[int(random.integers(len(values)))]


def missing_attribute(file: h5py.File, random: Random) -> None:
    del file.attrs[str(random.choice(sorted(file.attrs)))]


def long_attribute(file: h5py.File, random: Random) -> None:
    name = str(random.choice(sorted(file.attrs)))
    set_text(file, name, '{"a":' + "9" * int(random.integers(10_000, 60_000)) + "}")


PARAMETERS: tuple[Callable[[h5py.File, Random], None], ...] = (
    odd_parameters,
    odd_config,
    large_config,
    odd_attribute,
    odd_attribute_type,
    missing_attribute,
    long_attribute,
)
