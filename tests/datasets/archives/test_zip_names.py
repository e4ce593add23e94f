"""Zips that do not say in which letters their names are, and zips that need a password."""

import io
import logging
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from shutil import which

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaitkit.datasets.archives import open_container
from gaitkit.datasets.archives.zip_names import letters_of
from gaitkit.errors import ArchiveError


def packed(names: list[str], encoding: str) -> bytes:
    """A zip as Windows of another country writes it: names in its code page, and no flag."""
    file = io.BytesIO()
    stand_ins = {}
    with zipfile.ZipFile(file, "w") as archive:
        for number, name in enumerate(names):
            raw = name.encode(encoding)
            stand_in = f"{number:04d}".ljust(len(raw), "x")[: len(raw)]
            stand_ins[stand_in.encode()] = raw
            archive.writestr(stand_in, b"frame")
    data = file.getvalue()
    for stand_in, raw in stand_ins.items():
        data = data.replace(stand_in, raw)
    return data


def names_in(data: bytes, label: str = "people.zip") -> list[str]:
    with open_container(data, label) as container:
        return ["/".join(member.parts) for member in container.members()]


CHINESE = ["张三/正常-01/090/001.png", "李四/背包-02/018/001.png", "王喆/nm-01/090/1.png"]


def test_names_of_chinese_windows_are_read(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "gaitkit"):
        assert names_in(packed(CHINESE, "gbk"), "chinese.zip") == CHINESE
        names_in(packed(CHINESE, "gbk"), "chinese.zip")
    (message,) = caplog.messages
    assert message.startswith(
        "The zip chinese.zip does not say in which letters its names are written; they are read "
        "as Chinese (GBK), such as '张三/正常-01/090/001.png'."
    )


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
def test_utf_8_without_the_flag_is_not_taken_for_chinese(encoding: str) -> None:
    assert names_in(packed(CHINESE, encoding)) == CHINESE
    names = ["Zoë/nm-01/090/1.png", "Jürgen/nm-01/090/1.png"]
    assert names_in(packed(names, "utf-8" if encoding == "utf-8" else "cp437")) == names


@pytest.mark.parametrize(
    ("name", "encoding", "program"),
    [
        ("田中/nm-01/090/1.png", "cp932", "cp932"),
        ("陳小明/nm-01/090/1.png", "big5", "big5"),
        ("김철수/nm-01/090/1.png", "cp949", "cp949"),
    ],
)
def test_other_letters_are_warned_about_with_the_program_that_knows_them(
    name: str, encoding: str, program: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert names_in(packed([name], encoding), f"{encoding}.zip") != [name]
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert program in record.message


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=5))
def test_any_bytes_have_letters(names: list[bytes]) -> None:
    encoding = letters_of(names).encoding
    for name in names:
        assert name.decode(encoding) is not None


needs_zip = pytest.mark.skipif(which("zip") is None, reason="Info-ZIP packs the encrypted archive")


@pytest.fixture
def encrypted(tmp_path: Path) -> Path:
    folder = tmp_path / "001/nm-01/090"
    folder.mkdir(parents=True)
    (folder / "1.png").write_bytes(b"frame")
    command = ["zip", "-q", "-r", "-P", "secret", "locked.zip", "001"]
    subprocess.run(command, cwd=tmp_path, check=True)
    return tmp_path / "locked.zip"


@needs_zip
def test_an_encrypted_zip_is_refused_with_the_line_that_unpacks_it(
    encrypted: Path, gaitkit: Callable, tmp_path: Path
) -> None:
    ran = gaitkit("make-gei", encrypted, "-o", tmp_path / "gei.h5")
    assert ran.code == 1
    assert "is encrypted" in ran.stderr
    assert f"7z x -pPASSWORD {encrypted}" in ran.stderr
    line = f"unzip -q -P secret {encrypted} -d {tmp_path}/unpacked"
    subprocess.run(line.split(), check=True)
    assert (tmp_path / "unpacked/001/nm-01/090/1.png").read_bytes() == b"frame"


@needs_zip
@pytest.mark.parametrize("around", ["zip", "folder"])
def test_an_encrypted_zip_in_another_archive_too(
    encrypted: Path, gaitkit: Callable, tmp_path: Path, around: str
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    given = folder
    encrypted.rename(folder / "001.zip")
    if around == "zip":
        given = tmp_path / "outer.zip"
        with zipfile.ZipFile(given, "w") as archive:
            archive.write(folder / "001.zip", "001.zip")
    ran = gaitkit("make-gei", given, "-o", tmp_path / "gei.h5")
    assert ran.code == 1
    assert "is encrypted" in ran.stderr
    assert ("Unpack the archive around it first" in ran.stderr) == (around == "zip")
    assert "001.zip" in ran.stderr.partition("7z x -pPASSWORD")[2]


def test_aes_is_encrypted_as_well() -> None:
    data = bytearray(packed(["001/nm-01/090/1.png"], "ascii"))
    entry = data.find(b"PK\1\2")
    data[entry + 8] |= 1
    data[entry + 10] = 99  # WinZip's number of AES.
    with pytest.raises(ArchiveError, match="is encrypted"):
        names_in(bytes(data))
