import tarfile
import zipfile

import pytest

from gaitkit.datasets.gei_images import GeiImageSource
from gaitkit.datasets.layouts import recognise
from gaitkit.dropped import DroppedRow
from gaitkit.errors import LayoutError

NAMES = (
    "001/nm-01/001-nm-01-000.png",
    "001/nm-01/001-nm-01-018.png",
    "Zoë/bg-02/Zoë-bg-02-090.png",
)


@pytest.fixture
def geis(make_tree):
    return make_tree("gei", *NAMES)


def pack_zip(root, path, prefix=""):
    with zipfile.ZipFile(path, "w") as archive:
        for file in root.rglob("*.png"):
            archive.write(file, prefix + file.relative_to(root).as_posix())
    return path


def pack_tar(root, path):
    with tarfile.open(path, "w:gz") as archive:
        archive.add(root, "GEI_CASIA_B/gei")
    return path


def test_each_image_is_a_sequence(geis, contents):
    found = contents(GeiImageSource(geis))
    assert list(found) == ["001/nm-01/000", "001/nm-01/018", "Zoë/bg-02/090"]
    ((name, data),) = found["Zoë/bg-02/090"]
    assert name == "Zoë-bg-02-090.png"
    assert b"Zo\xc3\xab/bg-02/Zo\xc3\xab-bg-02-090.png" in data


def test_archives_give_the_same(geis, tmp_path, contents):
    expected = contents(GeiImageSource(geis))
    for path in (
        pack_zip(geis, tmp_path / "plain.zip"),
        pack_zip(geis, tmp_path / "above.zip", "GEI_CASIA_B/gei/"),
        pack_tar(geis, tmp_path / "gei.tar.gz"),
    ):
        assert recognise(path) == "geis"
        assert contents(GeiImageSource(path)) == expected


def test_all_images_in_one_folder(make_tree, contents):
    root = make_tree("flat", "001-nm-01-000.png", "001-nm-01-018.png", "notes.txt", "mean.png")
    assert recognise(root / "notes.txt") != "geis"
    assert recognise(root) == "geis"
    source = GeiImageSource(root)
    assert list(contents(source)) == ["001/nm-01/000", "001/nm-01/018"]
    assert source.ignored == {
        "files that are not images": 1,
        "images without subject, sequence and view in the name": 1,
    }


def test_silhouettes_are_not_taken_for_geis(tree, make_tree, pack):
    assert recognise(tree) != "geis"
    assert recognise(tree / "001") != "geis"
    assert recognise(tree / "001/nm-01/000") != "geis"
    assert recognise(pack(tree, "zip")) != "geis"
    assert recognise(pack(tree, "zip of tar.gz")) != "geis"


def test_frames_named_like_geis_are_told_by_their_numbers(make_tree):
    subject = make_tree("001", *(f"nm-01/000/nm-01-000-{n:03d}.png" for n in range(1, 9)))
    flat = make_tree("flat", *(f"anna-walk-{n:03d}.png" for n in range(1, 9)))
    assert recognise(subject) != "geis"
    assert recognise(flat) != "geis"


def test_frames_are_no_geis_even_where_somebody_says_so(make_tree):
    names = [f"fyc/00_1/fyc-00_1-{number:03d}.png" for number in range(1, 21)]
    source = GeiImageSource(make_tree("gaitdb", *names))
    with pytest.raises(LayoutError, match="one degree apart") as told:
        source.units()
    assert "`input_kind`" in str(told.value.hint)


@pytest.mark.parametrize("name", ["gone", "empty", "text.zip"])
def test_what_is_none_of_it(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.zip").write_text("text")
    assert recognise(tmp_path / name) != "geis"


def test_a_preview_above_the_geis_is_a_stray(geis):
    (geis / "sheet.png").write_bytes(b"x")
    assert recognise(geis) == "geis"
    source = GeiImageSource(geis)
    assert len(source.units()[0].work) == 3
    assert source.ignored == {"images at another depth": 1}


def test_a_name_without_a_view_and_a_second_image_are_dropped(geis):
    (geis / "001/nm-01/mean.png").write_bytes(b"x")
    (geis / "001/nm-01/018.png").write_bytes(b"x")
    assert GeiImageSource(geis).dropped == [
        DroppedRow(
            "001",
            "nm",
            1,
            18.0,
            "018.png",
            "duplicate",
            "001/nm-01/018.png beside 001/nm-01/001-nm-01-018.png",
        ),
        DroppedRow(
            "001",
            "nm",
            1,
            None,
            "mean.png",
            "not-a-gei",
            "001/nm-01/mean.png: its name has no view",
        ),
    ]


def test_a_name_that_contradicts_its_folders_is_an_error(geis):
    (geis / "001/nm-01/002-nm-01-036.png").write_bytes(b"x")
    with pytest.raises(LayoutError, match="is named as 002/nm-01 and lies in 001/nm-01"):
        GeiImageSource(geis).units()


def test_one_level_too_deep(make_tree):
    root = make_tree("GEI_CASIA_B", "gei/001/nm-01/001-nm-01-090.png")
    assert recognise(root) != "geis"
    with pytest.raises(LayoutError) as caught:
        GeiImageSource(root).units()
    assert caught.value.message == (
        f"found 0 ready-made GEIs in {root}; expected {root}/001/nm-01/001-nm-01-090.png; "
        f"try {root}/gei"
    )


def test_no_geis(tmp_path, tree):
    with pytest.raises(LayoutError, match="There is no file or folder"):
        GeiImageSource(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(LayoutError, match="there is no image in it"):
        GeiImageSource(tmp_path / "empty").units()
    with pytest.raises(LayoutError, match="its first image is"):
        GeiImageSource(tree).units()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("1.png", b"x")
    with pytest.raises(LayoutError, match="its images have other names"):
        GeiImageSource(tmp_path / "a.zip").units()
