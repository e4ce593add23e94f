import pytest

from gaitkit.datasets.layouts import open_source
from gaitkit.errors import LayoutError


def refusal(path):
    with pytest.raises(LayoutError) as caught:
        open_source(path).units()
    return caught.value


def test_one_level_too_deep(make_tree):
    root = make_tree("X", "GaitDatasetB-silh/001/nm-01/000/1.png")
    assert refusal(root).message == (
        f"found 0 sequences under {root}; expected {root}/001/nm-01/000/*.png; it looks one level "
        f"too deep: try {root}/GaitDatasetB-silh"
    )


def test_two_levels_too_deep_with_numbered_sequences(make_tree):
    root = make_tree("X", "a/b/00001/00/030/0001.png")
    assert refusal(root).message == (
        f"found 0 sequences under {root}; expected {root}/001/nm-01/000/*.png; it looks two levels "
        f"too deep: try {root}/a/b"
    )


@pytest.mark.parametrize(
    ("given", "words", "first"),
    [
        ("001", "one level", "bg-01/000/001-bg-01-000-001.png"),
        ("001/nm-01", "two levels", "000/001-nm-01-000-001.png"),
        ("001/nm-01/018", "three levels", "001-nm-01-018-001.png"),
    ],
)
def test_too_shallow_without_a_word_about_folders_that_were_not_given(
    tree, monkeypatch, given, words, first
):
    monkeypatch.chdir(tree / given)
    for root in (".", str(tree / given)):
        error = refusal(root)
        assert error.message == (
            f"found 0 sequences under {root}; expected {root}/001/nm-01/000/*.png; it looks "
            f"{words} too shallow: its first image is {root}/{first}"
        )
        assert error.hint == "Give the folder that holds the subjects' folders."


def test_people_and_views_without_sequences_are_read_when_asked_for(make_tree, contents):
    root = make_tree("mine", "001/000/1.png", "001/018/1.png", "002/018/1.png")
    assert "read them with `layout='folders'`" in refusal(root).hint
    found = contents(open_source(root, layout="folders"))
    assert list(found) == ["001/nm-01/000", "001/nm-01/018", "002/nm-01/018"]


def test_geis_sorted_by_view_are_told_to_be_geis(make_tree):
    root = make_tree("geis", "090/001-nm-01.png", "090/002-nm-01.png")
    with pytest.raises(LayoutError) as caught:
        open_source(root, layout="casia-b").units()
    assert "these may be ready-made GEIs" in caught.value.message
    assert "001/nm-01/001-nm-01-090.png" in caught.value.hint
    assert "try" not in str(caught.value)


def test_ready_made_geis(make_tree):
    root = make_tree("GEI", "gei/001/nm-01/001-nm-01-090.png")
    error = refusal(root)
    assert error.message == (
        f"found 0 sequences under {root}; expected {root}/001/nm-01/000/*.png; it holds ready-made "
        f"GEIs, one image per sequence and view: {root}/gei/001/nm-01/001-nm-01-090.png"
    )
    assert error.hint == f"Read them with: gaitkit make-gei {root}/gei -o gei.h5"


def test_an_empty_folder(tmp_path):
    error = refusal(tmp_path)
    assert error.message == f"found 0 sequences under {tmp_path}: there is no file in it"
    assert error.hint == (
        "Put there a folder for each person with their videos or folders of frames, "
        f"{tmp_path}/anna/monday.mp4 or {tmp_path}/anna/monday/*.png; or a data set, "
        f"{tmp_path}/001/nm-01/000/*.png."
    )


def test_a_folder_without_images(make_tree):
    root = make_tree("docs", "a.txt", "b/c.txt", ".hidden")
    assert refusal(root).message.endswith("; there is no image in it, only 2 other files")


def test_a_folder_of_videos(make_tree):
    root = make_tree("videos", "001-nm-01-000.avi")
    assert refusal(root).message.endswith(f"; it holds videos: {root}/001-nm-01-000.avi")


def test_archives_further_down(make_tree):
    root = make_tree("download", "GaitDatasetB-silh/001.tar.gz")
    assert refusal(root).message.endswith(
        f"; there are archives in {root}/GaitDatasetB-silh: try {root}/GaitDatasetB-silh"
    )


def test_a_flat_folder_of_frames(make_tree):
    root = make_tree("frames", "a.png", "b.png")
    error = refusal(root)
    assert error.message.endswith(f"; its first image is {root}/a.png")
    assert "path,subject,condition,take,view" in error.hint
    assert "Layouts: manifest (" in error.hint


def test_views_that_are_no_numbers(make_tree):
    root = make_tree("views", "001/nm-01/left/1.png")
    assert refusal(root).message == (
        f"the view folder {root}/001/nm-01/left should be named by a number of degrees "
        "(000, 18, 22.5, -30), got 'left'"
    )


def test_a_preview_above_the_data_is_not_taken_for_it(make_tree):
    root = make_tree("X", "preview.png", "silh/001/nm-01/000/1.png")
    assert refusal(root).message.endswith(f"it looks one level too deep: try {root}/silh")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("gei.h5", "is an HDF5 file"),
        ("frame.png", "is a single image"),
        ("data.7z", "of a kind that gaitkit does not read"),
        ("data.rar", "of a kind that gaitkit does not read"),
    ],
)
def test_files_that_are_no_archives(tmp_path, name, part):
    (tmp_path / name).write_bytes(b"x")
    assert part in refusal(tmp_path / name).message


def test_nothing_there(tmp_path):
    assert refusal(tmp_path / "gone").message == f"There is no file or folder {tmp_path}/gone."


@pytest.mark.parametrize("name", ["001.rar", "more/001.7z"])
def test_archives_of_an_unread_kind_are_named(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"x")
    error = refusal(tmp_path)
    assert f"archives of a kind that gaitkit does not read: {tmp_path}/{name}" in error.message
    assert error.hint == "Unpack them and give the folder."


def test_pictures_of_an_unread_kind_are_named(make_tree):
    error = refusal(make_tree("gifs", "001/nm-01/090/1.gif"))
    assert "pictures of a kind that gaitkit does not read" in error.message
    assert error.hint == "Convert them to PNG."
