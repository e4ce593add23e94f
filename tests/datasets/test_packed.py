import io
import json
import tarfile
import zipfile

import pytest

from gaitkit.datasets.archives import Limits
from gaitkit.datasets.casia_b import TreeSource
from gaitkit.datasets.layouts import open_source
from gaitkit.datasets.packed import PackedSource
from gaitkit.errors import ArchiveError, LayoutError

FORMS = [
    "zip",
    "zip with folders above",
    "tar",
    "tar.gz",
    "tar.bz2",
    "tar.xz",
    "zip of tar.gz",
    "tar of tar.gz",
    "folder of tar.gz",
    "folder of zips of sequences",
]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_what_the_tree_gives(tree, pack, contents, form):
    (tree / "001/nm-01/144").mkdir()
    expected = contents(TreeSource(tree))
    source = open_source(pack(tree, form))
    assert contents(source) == expected
    assert source.ignored == {}


@pytest.mark.parametrize("form", ["zip", "tar.gz", "zip of tar.gz", "folder of tar.gz"])
def test_non_ascii_paths(tree, pack, contents, tmp_path, form):
    packed = pack(tree, form)
    moved = tmp_path / "Gänge 步态" / packed.name
    moved.parent.mkdir()
    packed.rename(moved)
    assert contents(open_source(moved)) == contents(TreeSource(tree))


@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz"])
def test_a_packed_synthetic_tree_names_itself(tree, pack, form):
    (tree / "synth.json").write_text(json.dumps({"dataset": "synthetic-seed-3"}))
    source = open_source(pack(tree, form))
    assert source.name == "synthetic-seed-3"
    assert source.ignored == {}


def test_an_archive_is_named_after_its_file(tree, pack):
    assert open_source(pack(tree, "tar.gz")).name == "walkers"
    assert open_source(pack(tree, "zip"), name="mine").name == "mine"


def make_zip(path, **members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def make_tar(members):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def test_strays_in_an_archive_are_counted(tmp_path, contents):
    path = make_zip(
        tmp_path / "a.zip",
        **{
            "d/001/nm-01/000/1.png": b"1",
            "d/001/nm-01/000/Thumbs.db": b"",
            "d/001/nm-01/mean.png": b"",
            "__MACOSX/d/001/nm-01/000/._1.png": b"",
            "d/.git/x": b"",
            "readme.txt": b"",
            "extra.tar.gz": b"",
        },
    )
    source = open_source(path)
    assert contents(source) == {"001/nm-01/000": [("1.png", b"1")]}
    assert source.ignored == {
        "archives": 1,
        "files that are not images": 1,
        "hidden files": 1,
        "images at another depth": 1,
        "system files": 2,
    }


def test_strays_in_inner_archives_come_with_the_sequences(tmp_path):
    inner = make_tar(
        [("001/nm-01/000/1.png", b"1"), ("001/nm-01/018/1.png", b"2"), ("001/.x", b"")]
    )
    source = open_source(make_zip(tmp_path / "a.zip", **{"001.tar.gz": inner}))
    (unit,) = source.units()
    assert [dict(sequence.ignored) for sequence in source.read(unit)] == [{"hidden files": 1}, {}]


def test_frames_may_lie_scattered_and_unsorted(tmp_path, contents):
    names = [f"00{s}/nm-01/000/{f}.png" for f in (3, 1, 2) for s in (2, 1)]
    path = tmp_path / "a.tar.gz"
    path.write_bytes(make_tar([(name, name.encode()) for name in names]))
    assert contents(open_source(path)) == {
        f"00{s}/nm-01/000": [(f"{f}.png", f"00{s}/nm-01/000/{f}.png".encode()) for f in (1, 2, 3)]
        for s in (1, 2)
    }


def test_of_members_with_one_name_the_last_counts(tmp_path, contents):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(make_tar([("1/nm-01/0/1.png", b"old"), ("1/nm-01/0/1.png", b"new")]))
    source = open_source(path)
    assert contents(source) == {"1/nm-01/000": [("1.png", b"new")]}
    assert source.ignored == {"members that a later one replaces": 1}


def test_one_sequence_under_two_roots_is_an_error(tmp_path):
    path = make_zip(tmp_path / "a.zip", **{"a/1/nm-01/0/1.png": b"", "b/1/nm-01/0/1.png": b""})
    with pytest.raises(LayoutError, match=r"a/1/nm-01/0 and b/1/nm-01/0"):
        open_source(path).units()


def test_people_may_lie_under_two_roots(tmp_path, contents):
    path = make_zip(
        tmp_path / "a.zip", **{"train/1/nm-01/0/1.png": b"1", "test/2/nm-01/0/1.png": b"2"}
    )
    assert list(contents(open_source(path))) == ["1/nm-01/000", "2/nm-01/000"]


def test_a_view_that_is_no_number_beside_others(tmp_path):
    path = make_zip(tmp_path / "a.zip", **{"1/nm-01/0/1.png": b"", "1/nm-01/left/1.png": b""})
    with pytest.raises(LayoutError, match="got 'left'"):
        open_source(path).units()


def test_an_archive_without_sequences_says_what_it_holds(tmp_path):
    path = make_zip(tmp_path / "a.zip", **{"000/1.png": b""})
    with pytest.raises(LayoutError) as caught:
        open_source(path).units()
    assert caught.value.message == (
        f"found 0 sequences in {path}; expected 001/nm-01/000/*.png in it, below any folders; its "
        "first image is 000/1.png: it looks two levels too shallow"
    )


def test_an_archive_of_geis_says_so(tmp_path):
    path = make_zip(tmp_path / "a.zip", **{"gei/001/nm-01/001-nm-01-090.png": b""})
    with pytest.raises(LayoutError, match="it holds ready-made GEIs"):
        open_source(path).units()


def test_an_archive_without_images(tmp_path):
    path = make_zip(tmp_path / "a.zip", **{"a.txt": b""})
    with pytest.raises(LayoutError, match="there is no image in it"):
        open_source(path).units()


def test_archives_are_read_two_deep_and_no_deeper(tmp_path):
    core = make_tar([("001/nm-01/000/1.png", b"")])
    middle = make_tar([("core.tar.gz", core)])
    path = make_zip(tmp_path / "a.zip", **{"middle.tar.gz": middle})
    with pytest.raises(ArchiveError, match="holds archives itself"):
        open_source(path).units()


def test_an_inner_archive_without_sequences_is_an_error(tmp_path):
    good = make_tar([("001/nm-01/000/1.png", b"")])
    bad = make_tar([("readme.txt", b"")])
    source = open_source(make_zip(tmp_path / "a.zip", **{"001.tar.gz": good, "2.tar.gz": bad}))
    units = source.units()
    with pytest.raises(LayoutError, match=r"a\.zip/2\.tar\.gz"):
        list(source.read(units[1]))


def test_a_damaged_inner_archive_is_an_error(tmp_path):
    good = make_tar([("001/nm-01/000/1.png", bytes(range(256)))])
    source = open_source(
        make_zip(tmp_path / "a.zip", **{"001.tar.gz": good, "002.tar.gz": good[:-20]})
    )
    units = source.units()
    with pytest.raises(ArchiveError, match=r"002\.tar\.gz is damaged: it ends too early"):
        list(source.read(units[1]))


def test_inner_archives_are_bounded(tmp_path):
    inner = make_tar([("001/nm-01/000/1.png", bytes(5000))])
    path = make_zip(tmp_path / "a.zip", **{"001.tar.gz": inner})
    for bound in (len(inner) - 1, 4000):
        source = PackedSource(path, limits=Limits(inner_bytes=bound))
        with pytest.raises(ArchiveError, match=f"more than {bound:,} bytes"):
            source.units()


def test_an_image_that_is_too_large_is_refused(tmp_path):
    path = make_zip(tmp_path / "a.zip", **{"1/nm-01/0/1.png": bytes(1001)})
    source = PackedSource(path, limits=Limits(frame_bytes=1000))
    with pytest.raises(ArchiveError, match="has 1,001 bytes, more than 1,000"):
        source.units()


def test_unpacked_in_place_the_tree_is_read(tree, pack, contents):
    expected = contents(TreeSource(tree))
    (tree / "001.tar.gz").write_bytes(b"left over")
    source = open_source(tree)
    assert contents(source) == expected
    assert source.ignored == {"archives": 1}
