"""What a network's file says of its input: height and width, out of TFLite and ONNX.

OpenCV loads such files and does not tell. Only the few tables on the way to the shape are read;
a file that is none gives nothing, and never an error.

References
----------
TensorFlow Lite, ``schema.fbs``: Model, SubGraph, Tensor. FlatBuffers, "Internals": tables, vtables.
ONNX, ``onnx.proto``: ModelProto, GraphProto, ValueInfoProto. Protocol Buffers, "Encoding".
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import error, unpack_from

__all__ = ["input_size_of"]

_MOST = 4096
_WEIGHTS = 5  # Field of ONNX's graph: each has a name, and is no input that anybody gives.


def input_size_of(data: bytes) -> tuple[int, int] | None:
    """Height and width of the pictures that a network takes; `None` where its file does not say.

    Parameters
    ----------
    data : bytes
        The whole file, ``.tflite`` or ``.onnx``.

    Examples
    --------
    >>> input_size_of(b"no network") is None
    True
    """
    try:
        if data[4:8] == b"TFL3":
            shape = _shape_in_tflite(data)
            sides = shape[1:3] if len(shape) == 4 else []
        else:
            shape = _shape_in_onnx(data)
            sides = (shape[2:4] if shape[1] in (1, 3) else shape[1:3]) if len(shape) == 4 else []
    except (error, IndexError, ValueError):
        return None
    if len(sides) != 2 or not all(16 <= side <= _MOST for side in sides):
        return None
    return sides[0], sides[1]


def _field(data: bytes, table: int, number: int) -> int:
    """Where a field of a table is; 0 where it has its default."""
    vtable = table - unpack_from("<i", data, table)[0]
    size = unpack_from("<H", data, vtable)[0]
    place = 4 + 2 * number
    offset = unpack_from("<H", data, vtable + place)[0] if place + 2 <= size else 0
    return table + offset if offset else 0


def _behind(data: bytes, place: int) -> int:
    if not 0 < place < len(data):
        raise ValueError("there is no such field")
    return int(place + unpack_from("<I", data, place)[0])


def _numbers(data: bytes, place: int) -> list[int]:
    vector = _behind(data, place)
    count = unpack_from("<I", data, vector)[0]
    if count > 8:
        raise ValueError("more than a shape has")
    return list(unpack_from(f"<{count}i", data, vector + 4))


def _shape_in_tflite(data: bytes) -> list[int]:
    model = unpack_from("<I", data, 0)[0]
    graphs = _behind(data, _field(data, model, 2))
    graph = _behind(data, graphs + 4)
    first = _numbers(data, _field(data, graph, 1))[0]
    tensors = _behind(data, _field(data, graph, 0))
    tensor = _behind(data, tensors + 4 + 4 * first)
    return _numbers(data, _field(data, tensor, 0))


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError("a number is too long")


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field of a message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == 2:
            size, at = _varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(kind, -1)
        if size < 0 or at + size > len(data):
            raise ValueError("this is no message")
        yield number, data[at : at + size]
        at += size


def _of(data: bytes, number: int) -> list[bytes]:
    return [value for name, value in _fields(data) if name == number and isinstance(value, bytes)]


def _shape_in_onnx(data: bytes) -> list[int]:
    graph = _of(data, 7)[0]
    weights = {name for tensor in _of(graph, _WEIGHTS) for name in _of(tensor, 8)}
    inputs = [value for value in _of(graph, 11) if not weights.intersection(_of(value, 1))]
    shape = _of(_of(_of(inputs[0], 2)[0], 1)[0], 2)[0]
    sizes = []
    for dimension in _of(shape, 1):
        known = [value for name, value in _fields(dimension) if name == 1]
        sizes.append(int(known[0]) if known and isinstance(known[0], int) else 0)
    return sizes
