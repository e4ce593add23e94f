import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaitkit.datasets.archives import Limits, open_container
from gaitkit.errors import ArchiveError

_FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


def tar(members, tar_format=tarfile.PAX_FORMAT, pax=None):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tar_format) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.pax_headers = pax or {}
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def special(kind, name="x", target=""):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        archive.addfile(info)
    return file.getvalue()


def read(data, limits=None):
    container = open_container(data, "a.tar", limits=limits or Limits())
    return [
        ("/".join(m.parts), None if m.is_folder else container.read(m)) for m in container.members()
    ]


def refusal(data, limits=None):
    with pytest.raises(ArchiveError) as caught:
        read(data, limits)
    return caught.value.message


@pytest.mark.parametrize("tar_format", _FORMATS)
def test_the_three_formats_with_long_names(tar_format):
    long = "/".join(["folder" * 5] * 4) + "/001-nm-01-000-001.png"
    members = [("a.png", b"1"), (long, b"22" * 400), ("empty.png", b"")]
    assert read(tar(members, tar_format)) == members


@pytest.mark.parametrize("tar_format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@given(
    members=st.lists(
        st.tuples(
            st.lists(
                st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1),
                min_size=1,
                max_size=4,
            ).filter(lambda parts: not {".", ".."} & set(parts) and parts[0][1:2] != ":"),
            st.binary(max_size=1500),
        ),
        max_size=4,
    )
)
def test_what_the_standard_library_writes_is_read_back(tar_format, members):
    members = [("/".join(parts), data) for parts, data in members]
    members = [item for item in members if len(item[0]) < 1000]
    assert read(tar(members, tar_format)) == members


def test_names_that_are_not_utf8_survive():
    data = tar([("caf\udce9/1.png", b"1")], tarfile.GNU_FORMAT)
    assert read(data) == [("caf\udce9/1.png", b"1")]


def test_dots_and_folders():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        folder = tarfile.TarInfo("./001/")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        archive.addfile(tarfile.TarInfo("./001//1.png"))
    assert read(file.getvalue()) == [("001", None), ("001/1.png", b"")]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (tarfile.SYMTYPE, "its member 'x' is a link"),
        (tarfile.LNKTYPE, "its member 'x' is a link"),
        (tarfile.CHRTYPE, "its member 'x' is a device or pipe"),
        (tarfile.FIFOTYPE, "its member 'x' is a device or pipe"),
        (tarfile.GNUTYPE_SPARSE, "its member 'x' is of the unread type 'S'"),
    ],
)
def test_only_files_and_folders(kind, reason):
    assert refusal(special(kind, target="/etc")) == f"The archive a.tar was refused: {reason}."


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../x.png", "a member climbs out of it, '../x.png'"),
        ("a/../../x.png", "a member climbs out of it, 'a/../../x.png'"),
        ("/etc/x.png", "a member has an absolute path, '/etc/x.png'"),
        ("C:/x.png", "a member has an absolute path, 'C:/x.png'"),
    ],
)
def test_members_stay_inside(name, reason):
    assert refusal(tar([(name, b"")])) == f"The archive a.tar was refused: {reason}."


def test_bounds():
    many = tar([(f"{n}.png", b"12345") for n in range(4)])
    assert len(read(many, Limits(members=4, total_bytes=20))) == 4
    assert "more than 3 members" in refusal(many, Limits(members=3))
    assert "more than 19 bytes" in refusal(many, Limits(total_bytes=19))
    assert "a member's path has 5 char" in refusal(many, Limits(path_length=4))


def test_an_extended_header_is_bounded():
    data = tar([("1.png", b"")], pax={"comment": "x" * 5000})
    assert "extended header" in refusal(data, Limits(header_bytes=4000))


def test_sparse_files_are_refused():
    data = tar([("1.png", b"")], pax={"GNU.sparse.map": "0,1"})
    assert "sparse" in refusal(data)


def test_a_flipped_byte_in_a_header_is_not_the_end():
    data = bytearray(tar([("1.png", b"1"), ("2.png", b"2")]))
    data[1024] ^= 1
    assert refusal(bytes(data)) == (
        "The archive a.tar is damaged: there is no header at byte 1,024."
    )


@pytest.mark.parametrize("length", [511, 512, 700, 1024, 1100])
def test_cut_short(length):
    data = tar([("1.png", b"1" * 100), ("2.png", b"2" * 100)])[:length]
    with pytest.raises(ArchiveError):
        read(data)


def test_two_archives_joined_are_not_half_read():
    data = tar([("1.png", b"1")])
    assert "more after its end" in refusal(data + data)


@given(st.integers(0, 3071), st.integers(0, 7))
def test_a_flipped_bit_is_an_error_or_changes_no_structure(position, bit):
    data = bytearray(tar([("a/1.png", b"1" * 600), ("a/2.png", b"2")]))
    data[position] ^= 1 << bit
    try:
        members = read(bytes(data))
    except ArchiveError:
        return
    assert [name for name, _ in members] == ["a/1.png", "a/2.png"]


@pytest.mark.parametrize(
    "size", [b"-0000001000\0", b"+0000001000\0", b"0o000001000\0", b"1_000000000\0"]
)
def test_a_size_that_is_no_octal_number_leads_nowhere(size):
    # A negative one leads back to the same header, for ever.
    data = bytearray(tar([("1.png", b"1")]))
    data[124:136] = size
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    good = tar([("0.png", b"0")], tarfile.USTAR_FORMAT)[:1024]
    assert "no header at byte 1,024" in refusal(good + bytes(data))
