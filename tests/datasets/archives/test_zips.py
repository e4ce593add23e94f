import io
import struct
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaitkit.datasets.archives import Limits, open_container
from gaitkit.datasets.archives.zips import ZipContainer
from gaitkit.errors import ArchiveError


def pack(members, method=zipfile.ZIP_DEFLATED, **attributes):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            for key, value in attributes.items():
                setattr(info, key, value)
            archive.writestr(info, data)
    return file.getvalue()


def read(data, limits=None):
    container = open_container(data, "a.zip", limits=limits or Limits())
    return [
        ("/".join(m.parts), None if m.is_folder else container.read(m)) for m in container.members()
    ]


def refusal(data, limits=None):
    with pytest.raises(ArchiveError) as caught:
        read(data, limits)
    return caught.value.message


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@given(
    members=st.lists(
        st.tuples(
            st.text(
                st.characters(codec="utf-8", exclude_characters="/\0\\:"), min_size=1, max_size=50
            ).filter(lambda name: name not in (".", "..")),
            st.binary(max_size=1000),
        ),
        max_size=4,
        unique_by=lambda item: item[0],
    )
)
def test_what_the_standard_library_writes_is_read_back(method, members):
    assert read(pack(members, method)) == members


def test_wide_entries_and_a_comment():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.comment = b"about this archive"
        with archive.open("1.png", "w", force_zip64=True) as member:
            member.write(b"content")
    assert read(file.getvalue()) == [("1.png", b"content")]


@pytest.mark.slow
def test_more_members_than_sixteen_bits_count():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(70_000):
            archive.writestr(f"{number}.png", b"")
    assert sum(1 for _ in open_container(file.getvalue(), "a.zip").members()) == 70_000


def test_windows_separators():
    # zipfile turns them round, so they are put in afterwards.
    data = pack([("001/1.png", b"1")]).replace(b"001/1.png", b"001\\1.png")
    assert read(data) == [("001/1.png", b"1")]


def test_utf8_without_its_flag_and_code_page_437():
    flagged = pack([("Zoë.png", b"1")])
    central = flagged.find(b"PK\1\2")
    unflagged = bytearray(flagged)
    unflagged[central + 9] &= ~0x08
    assert read(bytes(unflagged)) == [("Zoë.png", b"1")]
    old = bytes(unflagged).replace("Zoë".encode(), b"Zo\x89_")
    assert read(old) == [("Zoë_.png", b"1")]


def test_links_and_devices_are_refused():
    link = pack([("x", b"/etc")], create_system=3, external_attr=0o120777 << 16)
    pipe = pack([("x", b"")], create_system=3, external_attr=0o010644 << 16)
    assert refusal(link) == "The archive a.zip was refused: its member 'x' is a link."
    assert refusal(pipe) == "The archive a.zip was refused: its member 'x' is a device or pipe."


def test_encrypted_members_are_refused():
    data = bytearray(pack([("x.png", b"secret")]))
    data[data.find(b"PK\1\2") + 8] |= 1
    assert refusal(bytes(data)) == (
        "The archive a.zip was refused: its member 'x.png' is encrypted."
    )


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../x.png", "a member climbs out of it, '../x.png'"),
        ("..\\x.png", "a member climbs out of it, '../x.png'"),
        ("/x.png", "a member has an absolute path, '/x.png'"),
        ("C:\\x.png", "a member has an absolute path, 'C:/x.png'"),
    ],
)
def test_members_stay_inside(name, reason):
    plain = "#" * len(name)
    data = pack([(plain, b"")]).replace(plain.encode(), name.encode())
    assert refusal(data) == f"The archive a.zip was refused: {reason}."


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unread_methods_are_named(method):
    assert f"unread method {method}" in refusal(pack([("x.png", b"1")], method))


def test_a_bomb_is_refused_before_it_is_expanded():
    data = pack([("1/nm-01/0/1.png", bytes(10**6))])
    limits = Limits(ratio_free_bytes=10**5)
    assert refusal(data, limits) == (
        "The archive a.zip was refused: it expands to more than 250 times its size of "
        f"{len(data):,} bytes."
    )
    assert "more than 999,999 bytes" in refusal(data, Limits(total_bytes=999_999))
    assert "more than 0 members" in refusal(data, Limits(members=0))


def test_a_member_that_lies_about_its_size_is_not_expanded_further():
    data = bytearray(pack([("1.png", bytes(10**6))]))
    central = data.find(b"PK\1\2")
    struct.pack_into("<L", data, central + 24, 10)
    assert "the checksum of 1.png is wrong" in refusal(bytes(data))


def test_members_that_overlap_are_refused():
    data = pack([("1.png", b"x" * 100)], zipfile.ZIP_STORED)
    central, end = data.find(b"PK\1\2"), data.find(b"PK\5\6")
    entry = data[central:end]
    head = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 9, 9, 9 * len(entry), central, 0)
    assert "its members overlap" in refusal(data[:central] + entry * 9 + head)


def test_damage():
    data = pack([("1.png", b"content" * 9)], zipfile.ZIP_STORED)
    changed = data.replace(b"content", b"cOntent", 1)
    assert refusal(changed) == "The archive a.zip is damaged: the checksum of 1.png is wrong."
    assert "no directory at its end" in refusal(data[:-30])
    broken = bytearray(data)
    broken[data.find(b"PK\1\2")] = 0
    assert "its directory is broken" in refusal(bytes(broken))
    moved = bytearray(data)
    moved[0] = 0
    with pytest.raises(ArchiveError, match="not where its directory says"):
        container = ZipContainer(io.BytesIO(moved), "a.zip", Limits(), len(moved))
        [container.read(member) for member in container.members()]


def test_a_directory_with_fewer_members_than_it_has_is_not_half_read():
    data = bytearray(pack([("1.png", b"1"), ("2.png", b"2")]))
    struct.pack_into("<2H", data, data.find(b"PK\5\6") + 8, 1, 1)
    assert "its directory is shorter than it says" in refusal(bytes(data))


@given(st.data())
def test_a_flipped_bit_never_raises_anything_else(data):
    packed = bytearray(pack([("a/1.png", b"1" * 300), ("a/2.png", b"2")]))
    position = data.draw(st.integers(0, len(packed) - 1))
    packed[position] ^= 1 << data.draw(st.integers(0, 7))
    try:
        members = read(bytes(packed))
    except ArchiveError:
        return
    # A flipped bit in a time stamp or a name stays unnoticed; one in the content does not.
    assert {zlib.crc32(c) for _, c in members if c is not None} <= {
        zlib.crc32(b"1" * 300),
        zlib.crc32(b"2"),
        0,
    }


def test_a_stored_member_is_a_file_of_its_own(tmp_path):
    import zipfile

    from gaitkit.datasets.archives import open_container

    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("stored", bytes(range(100)))
        archive.writestr("packed", bytes(100), compress_type=zipfile.ZIP_DEFLATED)
    with open_container(path, "a.zip") as container:
        stored, packed = container.members()
        file = container.as_file(stored)
        assert file is not None
        assert (file.read(3), file.seek(-2, 2), file.read()) == (b"\0\1\2", 98, b"bc")
        assert container.as_file(packed) is None
        file.close()
        assert container.read(stored) == bytes(range(100))


@pytest.mark.parametrize("where", ["member", "directory"])
def test_places_that_no_file_has(where):
    # Sizes of 64 bits name places to which no system can seek.
    data = bytearray(pack([("1.png", b"1")], zipfile.ZIP_STORED))
    end = data.rfind(b"PK\5\6")
    start = struct.unpack_from("<L", data, end + 16)[0]
    if where == "member":
        wide = struct.pack("<HHQ", 1, 8, 2**64 - 1)
        struct.pack_into("<H", data, start + 30, len(wide))
        struct.pack_into("<L", data, start + 42, 2**32 - 1)
        struct.pack_into("<L", data, end + 12, end - start + len(wide))
        data[end:end] = wide
    else:
        struct.pack_into("<HHLL", data, end + 8, 2**16 - 1, 2**16 - 1, 2**32 - 1, 2**32 - 1)
        data[end:end] = struct.pack("<4sLQL", b"PK\6\7", 0, 2**64 - 5, 1)
    assert "to which its directory leads" in refusal(bytes(data))
