"""An array of numbers in a pickle, read and written without running anything.

A pickle is a program: Python's own reader calls whatever it names. What NumPy writes for an array
needs only a few of that program's instructions, and names only a handful of things. Here just
those instructions are known, and a name stands for itself: nothing is looked up, imported or
called. Whatever else a pickle asks for is refused, and said.

References
----------
CPython, ``Lib/pickletools.py``: the instructions, and how each one's argument is written.
NumPy, ``ndarray.__reduce_ex__`` and ``dtype.__reduce__``: what an array is in protocols 2 to 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from struct import Struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitkit.errors import ArchiveError
from gaitkit.printable import LETTERS, printable

__all__ = [
    "MAX_ARRAY_BYTES",
    "DamagedArrayError",
    "array_of",
    "pickled_array",
    "read_pickled_array",
]

MAX_ARRAY_BYTES = 64 * 2**20
"""A larger file is not the silhouettes of one walk. In bytes."""

# An array takes about 45 instructions, of which 18 keep something for later.
_MAX_STEPS = 500
_MAX_STACK = 64
_MAX_AXES = 8
_LONGEST_NAME = 200
_LONGEST_INT = 8
_PATH = 200  # Letters of a file's path in a message.

_RECONSTRUCT = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
_FROM_BUFFER = ("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer")
_NO_BYTES = ("__builtin__.bytes", "builtins.bytes")
_ENCODE, _ARRAY, _DTYPE = "_codecs.encode", "numpy.ndarray", "numpy.dtype"
_NAMES = {*_RECONSTRUCT, *_FROM_BUFFER, *_NO_BYTES, _ENCODE, _ARRAY, _DTYPE}
_NUMBERS = {"b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"}
_ORDERS = {"<", ">", "=", "|"}

_MARK, _STOP, _REDUCE, _BUILD, _PROTO = b"(.Rb\x80"
_GLOBAL, _STACK_GLOBAL = b"c\x93"
_EMPTY_TUPLE, _TUPLE, _TUPLE_1, _TUPLE_2, _TUPLE_3 = b")t\x85\x86\x87"
_NONE, _TRUE, _FALSE = b"N\x88\x89"
_INT, _INT_1, _INT_2, _LONG_1 = b"JKM\x8a"
_PUT, _LONG_PUT, _MEMOIZE, _GET, _LONG_GET = b"qr\x94hj"
_FRAME = 0x95
# Instruction -> how the length before its bytes is written, and whether they are text.
_SIZED = {
    ord("U"): (Struct("<B"), False),
    ord("T"): (Struct("<I"), False),
    ord("C"): (Struct("<B"), False),
    ord("B"): (Struct("<I"), False),
    0x8E: (Struct("<Q"), False),
    0x96: (Struct("<Q"), False),
    0x8C: (Struct("<B"), True),
    ord("X"): (Struct("<I"), True),
    0x8D: (Struct("<Q"), True),
}
_PLAIN = {_NONE: None, _TRUE: True, _FALSE: False, _EMPTY_TUPLE: ()}
_INTS = {
    _INT: Struct("<i"),
    _INT_1: Struct("<B"),
    _INT_2: Struct("<H"),
}
_KEPT = {_PUT: Struct("<B"), _LONG_PUT: Struct("<I"), _GET: Struct("<B"), _LONG_GET: Struct("<I")}
_TUPLES = {_TUPLE_1: 1, _TUPLE_2: 2, _TUPLE_3: 3}
_WOULD = {
    **dict.fromkeys(b"io\x81\x92", "make an object of its own"),
    **dict.fromkeys(b"\x82\x83\x84", "look up an object in a registry"),
    **dict.fromkeys(b"PQ", "ask for an object that lies elsewhere"),
    **dict.fromkeys(b"\x97\x98", "ask for data that lie elsewhere"),
    **dict.fromkeys(b"]lae}dsu\x8f\x90\x91", "make a list, dictionary or set"),
}


class DamagedArrayError(ArchiveError):
    """The file holds no whole array: cut short, changed, or of another shape than it says."""


class _Name(NamedTuple):
    """A name that the pickle gives; it stands for itself."""

    path: str


class _Bytes(NamedTuple):
    """Bytes of the pickle, not copied; `is_text` where they are a text's in UTF-8."""

    view: memoryview
    is_text: bool


@dataclass
class _Dtype:
    """The description of a kind of number, while it is put together."""

    code: str
    order: str = "="

    def real(self) -> np.dtype[Any]:
        return np.dtype(self.order.replace("|", "=") + self.code)


@dataclass
class _Array:
    """An array, while it is put together."""

    values: NDArray[Any] | None = None


def array_of(
    data: memoryview, dtype: np.dtype[Any], shape: tuple[int, ...], *, order: str, label: str
) -> NDArray[Any]:
    """An array over bytes that are there in full.

    Parameters
    ----------
    data : memoryview
        Exactly the array's bytes.
    dtype : dtype
        A plain number's.
    shape : tuple of int
        As the file says.
    order : {"C", "F"}
        Which axis runs fastest, the last or the first.
    label : str
        The file, for messages.

    Raises
    ------
    DamagedArrayError
        It has another number of bytes than the shape needs.
    """
    needed = prod(shape) * dtype.itemsize
    if len(shape) > _MAX_AXES or any(size < 0 for size in shape) or needed != data.nbytes:
        axes = printable("x".join(map(str, shape[:_MAX_AXES])), LETTERS)
        raise DamagedArrayError(
            f"{printable(label, _PATH)} should hold an array of {axes} numbers of "
            f"{dtype.itemsize} bytes; its array has {data.nbytes:,} bytes.",
            hint="Copy or make the file again.",
        )
    flat = np.frombuffer(data, dtype)
    return flat.reshape(shape, order="F" if order == "F" else "C")


def read_pickled_array(data: bytes, label: str = "the pickle") -> NDArray[Any]:
    """The array of numbers in a pickle that NumPy wrote.

    Protocols 2 to 5, by NumPy 1 or 2, of one plain array: booleans, integers or floats, in C or
    Fortran order. Nothing in the pickle is run or imported. Beside the array, which is a view of
    `data`, only a few objects are made.

    Parameters
    ----------
    data : bytes
        The whole file; at most `MAX_ARRAY_BYTES`.
    label : str
        The file, for messages.

    Returns
    -------
    ndarray
        Read-only.

    Raises
    ------
    ArchiveError
        The pickle asks for something else than an array of numbers, which is said.
    DamagedArrayError
        It is no pickle, or is cut short or changed.

    Examples
    --------
    >>> import pickle
    >>> read_pickled_array(pickle.dumps(np.arange(3, dtype=np.uint8)))
    array([0, 1, 2], dtype=uint8)
    >>> read_pickled_array(pickle.dumps(print))
    Traceback (most recent call last):
        ...
    gaitkit.errors.ArchiveError: the pickle was refused: it would call builtins.print.
    Expected is one array of numbers, as OpenGait keeps silhouettes. Nothing in it was run.
    """
    if len(data) > MAX_ARRAY_BYTES:
        raise _refused(label, f"it has more than {MAX_ARRAY_BYTES >> 20} MiB")
    try:
        return _Reader(data, label).run()
    # What the machine's own exceptions say is of no help to a user; where, is.
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise _damaged(label, "it is no pickle of an array") from error


class _Reader:
    """Runs the few known instructions over a stack of plain values."""

    def __init__(self, data: bytes, label: str) -> None:
        self._view = memoryview(data)
        self._label = label
        self._place = 0
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._kept: dict[int, Any] = {}
        # Each text of a file stands for bytes once: encoding one again and again would fill memory.
        self._text_left = len(data)

    def run(self) -> NDArray[Any]:
        for _ in range(_MAX_STEPS):
            code = self._number(_INTS[_INT_1])
            if code == _STOP:
                return self._result()
            self._step(code)
            if len(self._stack) > _MAX_STACK or len(self._marks) > _MAX_STACK:
                break
        raise _refused(self._label, "it asks for more than an array takes")

    def _result(self) -> NDArray[Any]:
        (found,) = self._stack
        if not isinstance(found, _Array) or self._marks:
            raise _refused(self._label, "it holds something else than an array")
        if found.values is None or self._place != len(self._view):
            raise _damaged(self._label, "its array is not whole, or more follows")
        return found.values

    def _step(self, code: int) -> None:
        push = self._stack.append
        if code in _SIZED:
            length, is_text = _SIZED[code]
            push(_Bytes(self._take(self._number(length)), is_text))
        elif code in _INTS:
            push(self._number(_INTS[code]))
        elif code in _PLAIN:
            push(_PLAIN[code])
        elif code == _LONG_1:
            push(int.from_bytes(self._take(self._short_length()), "little", signed=True))
        elif code in _KEPT or code == _MEMOIZE:
            self._keep(code)
        elif code in _TUPLES:
            self._make_tuple(len(self._stack) - _TUPLES[code])
        elif code == _MARK:
            self._marks.append(len(self._stack))
        elif code == _TUPLE:
            self._make_tuple(self._marks.pop())
        else:
            self._act(code)

    def _act(self, code: int) -> None:
        if code == _PROTO:
            protocol = self._number(_INTS[_INT_1])
            if not 2 <= protocol <= 5:
                raise _refused(self._label, f"it is of protocol {protocol}; 2 to 5 are read")
        elif code == _FRAME:
            self._number(Struct("<Q"))  # How far a reader may read ahead; all is here already.
        elif code == _GLOBAL:
            self._name(self._line(), self._line())
        elif code == _STACK_GLOBAL:
            name, module = _text(self._pop()), _text(self._pop())
            self._name(module, name)
        elif code == _REDUCE:
            arguments, name = self._pop(), self._pop()
            if not isinstance(name, _Name) or not isinstance(arguments, tuple):
                raise _refused(self._label, "it would call something that is no function")
            self._stack.append(self._called(name.path, arguments))
        elif code == _BUILD:
            state, what = self._pop(), self._stack[-1]
            if not isinstance(state, tuple):
                raise _refused(self._label, "it would set attributes of an object")
            self._fill(what, state)
        else:
            would = _WOULD.get(code)
            if would is not None:
                raise _refused(self._label, f"it would {would}")
            if self._view[0] == _GLOBAL:
                raise _damaged(
                    self._label,
                    "it is a pickle of protocol 0 or 1, as Python 2 writes it; 2 to 5 are read: "
                    "load it and write it with pickle.dump(array, file, 4)",
                )
            raise _damaged(self._label, f"byte {self._place - 1:,} is no instruction for an array")

    def _pop(self) -> Any:
        if self._marks and len(self._stack) <= self._marks[-1]:
            raise _damaged(self._label, "its instructions do not fit together")
        return self._stack.pop()

    def _make_tuple(self, start: int) -> None:
        if start < (self._marks[-1] if self._marks else 0):
            raise _damaged(self._label, "its instructions do not fit together")
        self._stack[start:] = [tuple(self._stack[start:])]

    def _keep(self, code: int) -> None:
        number = len(self._kept) if code == _MEMOIZE else self._number(_KEPT[code])
        if code in (_GET, _LONG_GET):
            self._stack.append(self._kept[number])
        else:
            self._kept[number] = self._stack[-1]

    def _number(self, form: Struct) -> int:
        return int(form.unpack(self._take(form.size))[0])

    def _short_length(self) -> int:
        length = self._number(_INTS[_INT_1])
        if length > _LONGEST_INT:
            raise _refused(self._label, "it has a whole number of more than 64 bits")
        return length

    def _take(self, length: int) -> memoryview:
        end = self._place + length
        if end > len(self._view):
            raise _damaged(self._label, f"it ends at byte {len(self._view):,}, within its data")
        taken = self._view[self._place : end]
        self._place = end
        return taken

    def _line(self) -> str:
        ahead = bytes(self._view[self._place : self._place + _LONGEST_NAME + 1])
        line, end, _ = ahead.partition(b"\n")
        if not end:
            raise _damaged(self._label, "it has a name without an end")
        self._place += len(line) + 1
        return line.decode("utf-8")

    def _name(self, module: str, name: str) -> None:
        path = f"{module}.{name}"
        if path not in _NAMES:
            raise _refused(self._label, f"it would call {printable(path, LETTERS)}")
        self._stack.append(_Name(path))

    def _called(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """What NumPy's own functions make of their arguments; no function is called."""
        if name in _RECONSTRUCT:
            kind, shape, _ = arguments
            if kind != _Name(_ARRAY) or shape != (0,):
                raise _refused(self._label, "it would make something else than a plain array")
            return _Array()
        if name in _FROM_BUFFER:
            data, dtype, shape, order, *axes = arguments
            return _Array(self._in_order(data, dtype, shape, _text(order), axes))
        if name == _DTYPE:
            code, *_ = arguments
            if _text(code) not in _NUMBERS:
                raise _refused(
                    self._label,
                    f"its array is of {printable(_text(code), LETTERS)}, not of plain numbers",
                )
            return _Dtype(_text(code))
        if name == _ENCODE:
            data, encoding = arguments
            if not isinstance(data, _Bytes) or _text(encoding) != "latin1":
                raise _refused(self._label, "it would call _codecs.encode")
            self._text_left -= len(data.view)
            if self._text_left < 0:
                raise _refused(self._label, "it asks for more than an array takes")
            return _Bytes(_latin(data), False)
        if name in _NO_BYTES and arguments == ():
            return _Bytes(memoryview(b""), False)
        raise _refused(self._label, f"it would call {name}")

    def _in_order(
        self, data: Any, dtype: Any, shape: Any, order: str, axes: list[Any]
    ) -> NDArray[Any]:
        if order != "K":
            if order not in ("C", "F"):
                raise _damaged(self._label, "the order of its array's axes is unknown")
            return self._array(data, dtype, shape, order)
        (axis_order,) = axes
        if not _is_ints(axis_order) or sorted(axis_order) != list(range(len(shape))):
            raise _damaged(self._label, "the order of its array's axes is unknown")
        return self._array(data, dtype, shape, "C").transpose(axis_order)

    def _array(self, data: Any, dtype: Any, shape: Any, order: str) -> NDArray[Any]:
        if not isinstance(dtype, _Dtype) or not _is_ints(shape):
            raise _damaged(self._label, "its array has no kind or no shape")
        if not isinstance(data, _Bytes) or data.is_text:
            raise _refused(self._label, "its array is not of plain bytes")
        return array_of(data.view, dtype.real(), shape, order=order, label=self._label)

    def _fill(self, what: Any, state: tuple[Any, ...]) -> None:
        """What ``__setstate__`` of a dtype or of an array does."""
        if isinstance(what, _Dtype):
            version, order, *rest = state
            # Fields, a subarray and metadata; then size and alignment of what has no own ones.
            if version not in (3, 4) or any(item is not None for item in rest[:3]):
                raise _refused(self._label, "its array is not of plain numbers")
            if _text(order) not in _ORDERS:
                raise _damaged(self._label, "the order of its array's bytes is unknown")
            what.order = _text(order)
        elif isinstance(what, _Array) and what.values is None:
            version, shape, dtype, fortran, data = state
            if version != 1:
                raise _damaged(self._label, "its array is of an unknown version")
            what.values = self._array(data, dtype, shape, "F" if fortran else "C")
        else:
            raise _refused(self._label, "it would set attributes of an object")


def _is_ints(values: Any) -> bool:
    return isinstance(values, tuple) and all(type(value) is int for value in values)


def _text(value: Any) -> str:
    """A short text; Python 2 wrote it as bytes."""
    if not isinstance(value, _Bytes) or len(value.view) > _LONGEST_NAME:
        raise ValueError("no short text")
    return bytes(value.view).decode("utf-8" if value.is_text else "latin-1")


def _latin(data: _Bytes) -> memoryview:
    """The bytes that a text of the first 256 characters stands for, as protocol 2 has them."""
    if not data.is_text:
        raise ValueError("no text")
    # Checked first: one rare character would make the text four times as large as its bytes.
    if len(data.view) and int(np.frombuffer(data.view, np.uint8).max()) > 0xC3:
        raise ValueError("not of the first 256 characters")
    return memoryview(bytes(data.view).decode("utf-8").encode("latin-1"))


def _refused(label: str, reason: str) -> ArchiveError:
    return ArchiveError(
        f"{printable(label, _PATH)} was refused: {reason}.",
        hint="Expected is one array of numbers, as OpenGait keeps silhouettes. Nothing in it was "
        "run.",
    )


def _damaged(label: str, reason: str) -> DamagedArrayError:
    return DamagedArrayError(
        f"{printable(label, _PATH)} cannot be read: {reason}.", hint="Copy or make the file again."
    )


def pickled_array(array: NDArray[np.uint8]) -> tuple[bytes, memoryview, bytes]:
    """A pickle of an array of bytes, as three pieces to be written one after the other.

    Protocol 3 with the names of NumPy 1, which NumPy 2 knows as well: what
    ``pickle.load`` makes of it is an equal array that can be written to.

    Parameters
    ----------
    array : ndarray of uint8
        Below 4 GiB.

    Returns
    -------
    head : bytes
        What comes before the array's bytes.
    body : memoryview
        The array's bytes, in C order.
    tail : bytes
        What comes after them.

    Examples
    --------
    >>> pieces = pickled_array(np.arange(6, dtype=np.uint8).reshape(2, 3))
    >>> read_pickled_array(b"".join(pieces))
    array([[0, 1, 2],
           [3, 4, 5]], dtype=uint8)
    """
    if array.dtype != np.uint8:
        raise ValueError(f"expected an array of uint8, got {array.dtype}")
    body = np.ascontiguousarray(array).reshape(-1).data
    shape = b"(" + b"".join(b"J" + Struct("<i").pack(size) for size in array.shape) + b"t"
    head = (
        b"\x80\x03cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85C\x01b\x87R"
        b"(K\x01" + shape + b"cnumpy\ndtype\nX\x02\0\0\0u1\x89\x88\x87R"
        b"(K\x03X\x01\0\0\0|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
        b"\x89B" + Struct("<I").pack(body.nbytes)
    )
    return head, body, b"tb."
