"""Outputs appear whole or not at all, and nothing that is not ours is lost."""

from __future__ import annotations

import errno
import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gaitkit.errors import OptionError, OutputBusyError, OutputError, OutputExistsError
from gaitkit.outputs import (
    FolderOutput,
    Output,
    beside,
    free_to_write,
    is_beside,
    scratch_folder,
    scratch_refused,
    write_whole,
)

posix = pytest.mark.skipif(os.name != "posix", reason="has no such permissions")


def names(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


def write(path: Path, text: bytes, **how: bool) -> Output:
    with Output(path, **how) as output, output.writing() as file:
        file.write(text)
    return output


def test_the_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("old")
    with Output(path, overwrite=True) as output:
        with output.writing() as file:
            assert file.write(b"ne") == 2
            assert path.read_text() == "old"
            assert len(names(tmp_path)) == 3  # The old one, the new one and the lock.
            file.write(b"w")
        assert path.read_text() == "new"
    assert names(tmp_path) == ["page.html"]


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("old")
    with (
        pytest.raises(KeyboardInterrupt),
        Output(path, overwrite=True) as output,
        output.writing() as file,
    ):
        file.write(b"half")
        raise KeyboardInterrupt
    assert names(tmp_path) == ["page.html"]
    assert path.read_text() == "old"


def test_an_existing_file_is_kept_unless_it_is_equal(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    assert not write(path, b"one").unchanged
    before = path.stat()
    with pytest.raises(OutputExistsError, match=r"a\.txt exists"):
        write(path, b"two")
    assert write(path, b"one").unchanged
    assert path.stat().st_ino == before.st_ino
    assert not write(path, b"two", overwrite=True).unchanged
    assert (path.read_bytes(), names(tmp_path)) == (b"two", ["a.txt"])


def test_a_page_never_takes_the_place_of_an_artefact(tmp_path: Path) -> None:
    model = tmp_path / "model.h5"
    model.write_bytes(b"days of work")
    for path in (model, tmp_path / "new.HDF5"):
        with pytest.raises(OutputError) as caught:
            Output(path, overwrite=True, other_than_artefact=("a page", "report.html"))
        assert caught.value.message == (
            f"{path} is an artefact's name, and what is written is a page."
        )
        assert caught.value.hint == "Give the output another name, such as report.html."
    with pytest.raises(OutputError, match="an artefact's name"):
        free_to_write(model, overwrite=True, other_than_artefact=("a table", "table.csv"))
    assert model.read_bytes() == b"days of work"
    Output(tmp_path / "report.html", other_than_artefact=("a page", "report.html"))


def test_a_file_that_came_to_be_in_the_meantime_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with pytest.raises(OutputExistsError), Output(path) as output, output.writing() as file:
        file.write(b"mine")
        path.write_text("somebody's")
    assert (path.read_text(), names(tmp_path)) == ("somebody's", ["a.txt"])


def test_a_second_writer_is_kept_out(tmp_path: Path) -> None:
    with Output(tmp_path / "a.txt"), pytest.raises(OutputBusyError), Output(tmp_path / "a.txt"):
        pass
    with Output(tmp_path / "a.txt"), Output(tmp_path / "b.txt"):
        pass
    assert names(tmp_path) == []


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    code = (
        "import os, sys; from gaitkit.outputs import Output\n"
        "with Output(sys.argv[1]) as output, output.writing() as file:\n"
        "    file.write(b'half'); os._exit(9)\n"
    )
    path = tmp_path / "a.txt"
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert len(names(tmp_path)) == 2
    assert not path.exists()
    with Output(path):
        assert names(tmp_path) == [".a.txt.gaitkit-lock"]
    assert names(tmp_path) == []


def test_the_users_own_files_at_such_names_are_left(tmp_path: Path) -> None:
    for name in ("a.txt.partial", ".a.txt.partial", "a.txt.tmp"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / ".a.txt.gaitkit-lock").write_text('{"unfinished": ["thesis.tex", "../x", "."]}')
    write(tmp_path / "a.txt", b"new")
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    assert {(tmp_path / name).read_text() for name in (".a.txt.partial", "a.txt.tmp")} == {"mine"}


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(Path("real") / "a.txt")
    (tmp_path / "new.txt").symlink_to(Path("real") / "b.txt")
    with pytest.raises(OutputExistsError):
        write(tmp_path / "link.txt", b"new")
    write(tmp_path / "link.txt", b"new", overwrite=True)
    write(tmp_path / "new.txt", b"b")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real" / "a.txt").read_bytes() == b"new"
    assert names(tmp_path / "real") == ["a.txt", "b.txt"]


@posix
def test_permissions_stay_and_private_files_are_private(tmp_path: Path) -> None:
    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    path = tmp_path / "gallery.h5"
    write(path, b"1", private=True)
    assert mode(path) == 0o600
    path.chmod(0o640)
    write(path, b"2", private=True, overwrite=True)
    assert mode(path) == 0o640
    before = os.umask(0o027)
    try:
        write(tmp_path / "open.h5", b"1")
    finally:
        os.umask(before)
    assert mode(tmp_path / "open.h5") == 0o640


def test_inputs_folders_and_devices_are_no_outputs(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(b"input")
    (tmp_path / "same.h5").hardlink_to(path)
    (tmp_path / "link.h5").symlink_to(path)
    for name in ("a.h5", "same.h5", "link.h5"):
        with pytest.raises(OutputError, match="is what is read"):
            Output(tmp_path / name, overwrite=True, inputs=[path])
    with pytest.raises(OutputError, match="is a folder"):
        Output(tmp_path)
    with pytest.raises(OutputError, match="does not exist") as caught:
        Output(tmp_path / "none" / "a.h5")
    assert f"mkdir -p {tmp_path / 'none'}" in str(caught.value.hint)
    with pytest.raises(OutputError, match="too long a name: it has 303 bytes"):
        Output(tmp_path / f"{'a' * 300}.h5")
    with pytest.raises(OptionError, match="must be the path of a file"):
        Output(tmp_path / "a\0b")


@posix
def test_a_pipe_is_no_output(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="is a device, a pipe or a socket"):
        Output(tmp_path / "pipe", overwrite=True)
    with pytest.raises(OutputError, match="socket; expected the name of a folder") as refused:
        FolderOutput(tmp_path / "pipe", mark=".mark")
    assert "the name of a folder" in str(refused.value.hint)


def test_a_folder_without_permission_is_told_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever is allowed everything may write into any folder.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    for make in (Output, lambda path: FolderOutput(path, mark=".mark")):
        with pytest.raises(OutputError, match=f"no permission to write into {tmp_path}") as refused:
            make(tmp_path / "gei")
        assert "a folder of yours" in str(refused.value.hint)


def test_temporary_files_need_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with (
        pytest.raises(OutputError, match="A folder for temporary files cannot be made") as refused,
        scratch_folder("test"),
    ):
        pass
    assert "TMPDIR" in str(refused.value.hint)


def test_why_there_is_no_place_for_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    assert scratch_refused() is None

    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr("tempfile.gettempdir", none)
    refused = scratch_refused()
    assert refused is not None
    assert "cannot be made: No usable temporary directory found in" in refused.message


def test_what_fails_in_a_temporary_folder_says_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(OutputError) as refused, scratch_folder("test") as folder:
        raise OutputError(f"{folder / 'a.h5'} cannot be written: No space left on device.")
    assert "TMPDIR" in str(refused.value.hint)
    with pytest.raises(OutputError) as refused, scratch_folder("test"):
        raise OutputError("out.h5 cannot be written.", hint="Another hint.")
    assert refused.value.hint == "Another hint."
    assert names(tmp_path) == []


def test_the_longest_names_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("ä" * 125 + ".h5")
    write(path, b"long")
    assert names(tmp_path) == [path.name]
    one, other = Path("a" * 250 + "1"), Path("a" * 250 + "2")
    assert beside(one, ".parts") != beside(other, ".parts")
    assert is_beside(beside(one, ".parts").name, one.name)
    assert not is_beside(beside(other, ".parts").name, one.name)


def test_free_to_write_tells_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"")
    with pytest.raises(OutputExistsError):
        free_to_write(tmp_path / "a.h5", overwrite=False)
    free_to_write(tmp_path / "a.h5", overwrite=True)
    free_to_write(tmp_path / "b.h5", overwrite=False)
    assert names(tmp_path) == ["a.h5"]


def test_write_whole_replaces_in_one_step(tmp_path: Path) -> None:
    write_whole(tmp_path / "run.json", b"1")
    write_whole(tmp_path / "run.json", b"2")
    assert ((tmp_path / "run.json").read_bytes(), names(tmp_path)) == (b"2", ["run.json"])


def fill(path: Path, files: dict[str, str], **how: bool) -> FolderOutput:
    with FolderOutput(path, mark=".mark", **how) as output, output.filling() as folder:
        for name, text in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
    return output


def test_a_folder_appears_whole_with_its_mark(tmp_path: Path) -> None:
    path = tmp_path / "above" / "out"
    fill(path, {"b/x.png": "x", "a.png": "a"})
    assert names(path) == [".mark", "a.png", "b"]
    assert (path / ".mark").read_bytes() == b"a.png\0b/x.png"
    assert names(path.parent) == ["out"]


def test_an_equal_folder_is_left_and_another_refused(tmp_path: Path) -> None:
    path = tmp_path / "out"
    fill(path, {"a.png": "a"})
    assert fill(path, {"a.png": "a"}).unchanged
    for files in ({"a.png": "b"}, {"b.png": "a"}, {"a.png": "a", "b.png": "b"}):
        with pytest.raises(OutputExistsError, match="exists and is not empty"):
            fill(path, files)
    assert not fill(path, {"b.png": "b"}, overwrite=True).unchanged
    assert (names(path), names(tmp_path)) == ([".mark", "b.png"], ["out"])


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_folder_is_there_whenever_its_replacement_is_killed(tmp_path: Path, at: int) -> None:
    path = tmp_path / "out"
    fill(path, {"a.png": "old"})
    code = (
        "import os, sys, gaitkit.outputs as outputs\n"
        "left, rename, rmtree = [int(sys.argv[2])], os.rename, outputs.shutil.rmtree\n"
        "def dying(function):\n"
        "    def called(*given, **how):\n"
        "        left[0] -= 1\n"
        "        return function(*given, **how) if left[0] else os._exit(9)\n"
        "    return called\n"
        "os.rename, outputs.shutil.rmtree = dying(rename), dying(rmtree)\n"
        "how = dict(mark='.mark', overwrite=True)\n"
        "with outputs.FolderOutput(sys.argv[1], **how) as output, output.filling() as folder:\n"
        "    (folder / 'a.png').write_text('new')\n"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(path), str(at)], check=False)
    assert ran.returncode == 9
    with FolderOutput(path, mark=".mark"):
        pass
    assert (path / "a.png").read_text() == ("new" if at == 3 else "old")
    assert names(tmp_path) == ["out"]


def test_only_what_gaitkit_wrote_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.mkdir()
    (path / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match="was not made by gaitkit"):
        fill(path, {"a.png": "a"}, overwrite=True)
    (path / "thesis.tex").rename(tmp_path / "thesis.tex")
    fill(path, {"a.png": "a"})
    (tmp_path / "thesis.tex").rename(path / "thesis.tex")
    with pytest.raises(OutputError, match=r"did not write into it: 'thesis\.tex'"):
        fill(path, {"a.png": "a"}, overwrite=True)
    assert (path / "thesis.tex").read_text() == "years of work"
    with pytest.raises(OutputError, match="is what is read, and lies in"):
        FolderOutput(path, mark=".mark", overwrite=True, inputs=[path / "a.png"])


def test_a_mark_of_a_former_version_names_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out"
    fill(path, {"a.png": "a"})
    (path / ".mark").write_text("")
    fill(path, {"b.png": "b"}, overwrite=True)
    assert names(path) == [".mark", "b.png"]


def test_an_equal_output_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "a.txt", b"1")
    with caplog.at_level(logging.INFO, "gaitkit"):
        write(tmp_path / "a.txt", b"1")
    assert "is done already" in caplog.text


@pytest.mark.parametrize("name", ["file/out.h5", "file/sub/out.h5"])
def test_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    told = f"cannot be written: {tmp_path / 'file'} is a file, and no folder."
    for make in (lambda path: Output(path), lambda path: FolderOutput(path, mark=".mine")):
        with pytest.raises(OutputError) as caught:
            make(tmp_path / name)
        assert told in caught.value.message
        assert caught.value.hint == "Give the output a name in a folder."
