import pytest

from gaitkit.datasets import sources
from gaitkit.datasets.casia_b import TreeSource
from gaitkit.errors import DatasetError, LayoutError


def test_a_tree_is_read_sequence_by_sequence(tree, contents):
    found = contents(TreeSource(tree))
    assert {key: [name for name, _ in frames] for key, frames in found.items()} == {
        "001/bg-01/000": ["001-bg-01-000-001.png"],
        "001/nm-01/000": ["001-nm-01-000-001.png", "001-nm-01-000-002.png"],
        "001/nm-01/018": ["001-nm-01-018-001.png"],
        "Zoë/cl-02/-022.5": ["1.png", "2.png", "10.png"],
    }
    assert b"001/nm-01/018/001-nm-01-018-001.png" in found["001/nm-01/018"][0][1]


def test_a_tree_is_named_after_its_folder_or_by_option(tree):
    assert TreeSource(tree).name == "walkers"
    assert TreeSource(tree, name="mine").name == "mine"


def test_a_synthetic_tree_names_itself_and_its_marker_is_no_stray(tree):
    (tree / "synth.json").write_text('{"dataset": "synthetic-seed-0"}')
    source = TreeSource(tree)
    assert source.name == "synthetic-seed-0"
    assert source.ignored == {}


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"dataset": 3}', '{"dataset": ""}'])
def test_a_marker_that_says_nothing_is_told_of_once(tree, text, caplog):
    (tree / "synth.json").write_text(text)
    assert [TreeSource(tree).name, TreeSource(tree).name] == ["walkers", "walkers"]
    assert [record.getMessage() for record in caplog.records] == [
        f"synth.json in {tree} does not say which walkers there are: the data set goes by another "
        "name."
    ]


def test_strays_are_counted_by_class_and_change_nothing(tree, contents):
    before = contents(TreeSource(tree))
    view = tree / "001/nm-01/000"
    for path in (
        tree / "Thumbs.db",
        tree / "001/.DS_Store",
        view / "desktop.ini",
        view / "._001-nm-01-000-001.png",
        view / "notes.txt",
        tree / "readme",
        tree / "preview.png",
        tree / "001/nm-01/mean.png",
        tree / "001.tar.gz",
    ):
        path.write_bytes(b"x")
    (tree / "__MACOSX/001").mkdir(parents=True)
    (tree / "docs/a/b").mkdir(parents=True)
    (view / "masks").mkdir()
    source = TreeSource(tree)
    assert contents(source) == before
    assert source.ignored == {
        "archives": 1,
        "files that are not images": 2,
        "folders within views": 1,
        "folders without images": 1,
        "hidden files": 1,
        "images at another depth": 2,
        "system files": 4,
    }


def test_an_empty_view_folder_is_a_sequence_without_frames(tree, contents):
    (tree / "001/nm-01/144").mkdir()
    assert contents(TreeSource(tree))["001/nm-01/144"] == []


def test_a_subject_without_sequences_is_no_trouble(tree, contents):
    (tree / "005").mkdir()
    assert len(contents(TreeSource(tree))) == 4


def test_a_view_that_is_no_number_is_an_error(tree):
    (tree / "001/nm-01/left").mkdir()
    (tree / "001/nm-01/left/1.png").write_bytes(b"x")
    with pytest.raises(LayoutError) as caught:
        TreeSource(tree).units()
    assert caught.value.message == (
        f"the view folder {tree}/001/nm-01/left should be named by a number of degrees "
        "(000, 18, 22.5, -30), got 'left'"
    )
    assert "manifest" in caught.value.hint


def test_one_sequence_in_two_folders_is_an_error(make_tree):
    root = make_tree("twice", "001/nm-01/000/1.png", "001/nm_1/0/1.png")
    with pytest.raises(LayoutError) as caught:
        TreeSource(root).units()
    assert caught.value.message == (
        f"two folders of {root} stand for the same sequence 001/nm-01/000: 001/nm-01/000 and "
        "001/nm_1/0"
    )


def test_units_depend_on_the_sequences_alone(make_tree):
    root = make_tree("many", *(f"{n:03d}/nm-01/000/1.png" for n in range(20)))
    units = TreeSource(root).units()
    assert [unit.label for unit in units] == [
        "000/nm-01/000 to 015/nm-01/000 (16)",
        "016/nm-01/000 to 019/nm-01/000 (4)",
    ]
    assert [unit.index for unit in units] == [0, 1]
    assert sources.cut_into_units([], 16, str) == []


def test_frames_are_read_when_their_turn_comes(tree):
    source = TreeSource(tree)
    (unit,) = source.units()
    sequence = next(s for s in source.read(unit) if s.key.view == 18.0)
    (tree / "001/nm-01/018/001-nm-01-018-001.png").write_bytes(b"changed")
    assert list(sequence.frames) == [("001-nm-01-018-001.png", b"changed")]


def test_a_file_that_is_too_large_for_a_frame_is_an_error(tree, monkeypatch):
    monkeypatch.setattr(sources, "MAX_FRAME_BYTES", 10)
    source = TreeSource(tree)
    with pytest.raises(DatasetError, match="no silhouette"):
        [list(s.frames) for unit in source.units() for s in source.read(unit)]


def test_linked_folders_are_followed(tree, tmp_path, contents):
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked/001").symlink_to(tree / "001")
    assert len(contents(TreeSource(tmp_path / "linked"))) == 3


def test_what_nobody_may_look_at_is_an_error_that_names_it(make_tree, monkeypatch):
    root = make_tree("tree", "001/nm-01/000/1.png")
    source = TreeSource(root)

    def refuse():
        raise PermissionError(13, "Permission denied", str(root / "link"))

    monkeypatch.setattr(source, "list_units", refuse)
    with pytest.raises(LayoutError, match=r"link cannot be looked at: Permission denied"):
        source.units()
