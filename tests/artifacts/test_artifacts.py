"""An artefact is whole or absent, checked before use, and says what is wrong with it."""

import itertools
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaitkit.artifacts import (
    ArtifactWriter,
    InputRef,
    Provenance,
    TrainedOn,
    free_to_write,
    open_artifact,
    schema,
    write_artifact,
)
from gaitkit.dropped import DroppedRow
from gaitkit.errors import (
    ArtifactError,
    DamagedArtifactError,
    ForeignFileError,
    NewerSchemaError,
    OptionError,
    OutputError,
    OutputExistsError,
    WrongKindError,
)
from gaitkit.labels import Labels, SequenceKey

KEYS = [SequenceKey("001", "nm", 1, 90.0), SequenceKey("Zoë", "bg", 2, None)]
DROPPED = [
    DroppedRow.of(KEYS[1], "empty", frame="b.png"),
    DroppedRow.of(KEYS[0], "too-few-frames", detail="3 of at least 5"),
]


def write_geis(path: Path, **changes: object) -> str:
    options: dict = {
        "kind": "gei",
        "arrays": {"gei": np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)},
        "labels": Labels.from_keys(KEYS),
        "dropped": DROPPED,
        "parameters": {"gei": {"min_frames": 5}},
        "dataset": "mine",
        "seed": 3,
        "inputs": [InputRef("silhouettes", "ab" * 32)],
        "trained_on": [TrainedOn("mine", "001", "training")],
        "ignored": {"hidden files": 2},
    }
    return write_artifact(path, **(options | changes))


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    digest = write_geis(tmp_path / "a.h5")
    with open_artifact(tmp_path / "a.h5", "gei") as artifact:
        assert artifact.read("gei").tolist() == np.arange(24).reshape(2, 4, 3).tolist()
        assert artifact.read_rows("gei", 1, 2).shape == (1, 4, 3)
        assert artifact.shape("gei") == (2, 4, 3)
        assert artifact.labels.keys() == KEYS
        assert artifact.dropped == sorted(DROPPED, key=lambda row: row.order)
        assert artifact.parameters == {"gei": {"min_frames": 5}}
        assert (artifact.kind, artifact.dataset, artifact.seed) == ("gei", "mine", 3)
        assert artifact.inputs == (InputRef("silhouettes", "ab" * 32),)
        assert artifact.trained_on == [TrainedOn("mine", "001", "training")]
        assert artifact.ignored == {"hidden files": 2}
        assert artifact.ref() == InputRef("gei", digest)
        assert artifact.recompute_content_sha256() == digest


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    write_geis(tmp_path / "a.h5")
    write_geis(tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_the_content_digest_covers_arrays_and_not_provenance(tmp_path: Path) -> None:
    first = write_geis(tmp_path / "a.h5")
    assert write_geis(tmp_path / "b.h5", dataset="other", seed=None, parameters={}) == first
    assert write_geis(tmp_path / "c.h5", dropped=DROPPED[:1]) != first
    assert write_geis(tmp_path / "d.h5", labels=Labels.from_keys([KEYS[0], KEYS[0]])) != first
    other = np.zeros((2, 4, 3), dtype=np.uint8)
    assert write_geis(tmp_path / "e.h5", arrays={"gei": other}) != first
    # The same bytes in another shape or under another dtype are other content.
    flat = np.arange(24, dtype=np.uint8).reshape(2, 12)
    assert write_geis(tmp_path / "f.h5", arrays={"gei": flat}) != first
    signed = np.arange(24, dtype=np.int8).reshape(2, 4, 3)
    assert write_geis(tmp_path / "g.h5", arrays={"gei": signed}) != first


@given(st.lists(st.integers(0, 7), max_size=6))
def test_appending_in_any_blocks_gives_the_same_content(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("blocks")
    rows = np.arange(7 * 5, dtype=np.float32).reshape(7, 5)
    digests = []
    for name, bounds in (("a", [0, 7]), ("b", sorted([0, *cuts, 7]))):
        provenance = Provenance("gei", {}, "mine")
        with ArtifactWriter(folder / f"{name}.h5", provenance) as writer:
            for start, stop in itertools.pairwise(bounds):
                writer.append("gei", rows[start:stop])
                writer.append_text("subject", [f"s{row}" for row in range(start, stop)])
        digests.append(writer.content_sha256)
        with open_artifact(folder / f"{name}.h5") as artifact:
            assert artifact.read("gei").tolist() == rows.tolist()
            assert artifact.recompute_content_sha256() == digests[0]
    assert digests[0] == digests[1]


def test_empty_text_and_empty_tables_survive(tmp_path: Path) -> None:
    write_geis(
        tmp_path / "a.h5", dropped=[], arrays={"gei": np.zeros((2, 1, 1)), "note": ["", "x"]}
    )
    with open_artifact(tmp_path / "a.h5") as artifact:
        assert artifact.dropped == []
        assert artifact.read("note").tolist() == ["", "x"]


def test_a_failure_leaves_nothing_and_spares_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_geis(path)
    before = path.read_bytes()
    with (
        pytest.raises(KeyError),
        ArtifactWriter(path, Provenance("gei", {}, "mine"), overwrite=True) as writer,
    ):
        writer.append("gei", np.zeros((1, 2, 2), np.uint8))
        raise KeyError("stopped")
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["a.h5"]


def test_an_existing_output_is_refused(tmp_path: Path) -> None:
    write_geis(tmp_path / "a.h5")
    with pytest.raises(OutputExistsError, match=r"a\.h5 exists.*\n.*`overwrite=True`"):
        write_geis(tmp_path / "a.h5")
    write_geis(tmp_path / "a.h5", overwrite=True)


def test_an_output_never_replaces_what_it_is_made_from(tmp_path: Path) -> None:
    write_geis(tmp_path / "a.h5")
    (tmp_path / "b.h5").symlink_to(tmp_path / "a.h5")
    with pytest.raises(OutputError, match="is what is read; the output would replace it"):
        free_to_write(tmp_path / "b.h5", overwrite=True, inputs=[tmp_path / "a.h5"])
    free_to_write(tmp_path / "c.h5", overwrite=True, inputs=[tmp_path / "a.h5"])


def test_an_unknown_kind_is_told_with_the_nearest(tmp_path: Path) -> None:
    write_geis(tmp_path / "a.h5")
    with pytest.raises(OptionError, match=r"no kind of artefact 'geis'\.\n.*mean 'gei'\?"):
        open_artifact(tmp_path / "a.h5", "geis")
    assert repr(open_artifact(tmp_path / "a.h5")).startswith("<Artifact a.h5: gei of the data set")


def test_an_output_without_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="folder .* does not exist"):
        write_geis(tmp_path / "none" / "a.h5")
    with pytest.raises(OutputError, match="is a folder"):
        write_geis(tmp_path)


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_geis(path)
    good = path.read_bytes()
    generator = np.random.default_rng(0)
    for position in [0, 20, 60, 200, 511, 512, *generator.integers(512, len(good), 100)]:
        bad = bytearray(good)
        bad[position] ^= 1 << int(generator.integers(8))
        path.write_bytes(bad)
        with pytest.raises(ArtifactError, match=r"damaged|changed|cut short|longer|did not write"):
            open_artifact(path)


@pytest.mark.parametrize(
    ("name", "content", "is_read"),
    [
        ("notes.txt", b"some text", False),
        ("walks", b"some text", True),  # It may be meant for an artefact.
        ("walks.bin", b"PK\3\4", True),
        ("walks.npz", b"", True),
        ("people.csv", b"path,subject,condition\n", True),
        ("dropped.csv", b"subject,condition\n", False),
    ],
)
def test_make_gei_is_advised_only_where_it_may_read_the_file(
    tmp_path: Path, name: str, content: bytes, is_read: bool
) -> None:
    (tmp_path / name).write_bytes(content)
    for kinds in ((), "gei"):
        with pytest.raises(ForeignFileError) as caught:
            open_artifact(tmp_path / name, kinds)
        assert ("Make gait energy images with" in str(caught.value)) == is_read
        assert " -o " in str(caught.value)
    if not is_read:
        assert caught.value.hint == (
            "Give a file that holds gait energy images. Of a folder of frames, a video or an "
            "archive one is made with: gaitkit make-gei INPUT -o gei.h5"
        )


def test_an_advised_name_is_typed_as_a_shell_wants_it(tmp_path: Path) -> None:
    path = tmp_path / "my walk.mp4"
    path.write_bytes(b"a video")
    with pytest.raises(ForeignFileError) as caught:
        open_artifact(path, "gei")
    assert f"gaitkit make-gei '{path}' -o '{tmp_path}/my walk.h5'" in str(caught.value)


@pytest.mark.parametrize("length", [0, 1, 16, 100, 512, 600, -1])
def test_every_truncation_is_noticed(tmp_path: Path, length: int) -> None:
    path = tmp_path / "a.h5"
    write_geis(path)
    path.write_bytes(path.read_bytes()[:length])
    kind = ForeignFileError if length == 0 else DamagedArtifactError
    with pytest.raises(kind, match="gaitkit make-gei"):
        open_artifact(path, "gei")


def test_a_file_of_another_program_is_foreign(tmp_path: Path) -> None:
    path = tmp_path / "theirs.h5"
    with h5py.File(path, "w") as file:
        file["x"] = [1, 2]
    with pytest.raises(ForeignFileError, match="an HDF5 file that gaitkit did not write"):
        open_artifact(path)
    path.write_bytes(b"PK\x03\x04")
    (tmp_path / "walk.mp4").write_bytes(b"a video")
    walk = tmp_path / "walk"
    for kind, hint in {
        "gei": f"Make gait energy images with: gaitkit make-gei {walk}.mp4 -o {walk}.h5",
        "identification": f"Make identification results with: gaitkit evaluate gei.h5 -o {walk}.h5",
    }.items():
        with pytest.raises(ForeignFileError) as caught:
            open_artifact(tmp_path / "walk.mp4", kind)
        assert caught.value.hint == hint
    with pytest.raises(ForeignFileError, match="a file that gaitkit did not write"):
        open_artifact(path)
    with pytest.raises(ArtifactError, match="does not exist"):
        open_artifact(tmp_path / "missing.h5")


def test_a_wrong_kind_names_the_command_that_makes_the_right_one(tmp_path: Path) -> None:
    write_geis(tmp_path / "a.h5")
    with pytest.raises(WrongKindError) as caught:
        open_artifact(tmp_path / "a.h5", "translator")
    assert str(caught.value).splitlines() == [
        f"{tmp_path / 'a.h5'} holds gait energy images; this step reads a trained translator.",
        "Make one with: gaitkit train-gan gei.h5 -o translator.h5",
    ]


def test_a_newer_schema_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("gaitkit.artifacts.writer.SCHEMA_VERSION", schema.SCHEMA_VERSION + 1)
        write_geis(tmp_path / "a.h5")
    with pytest.raises(NewerSchemaError, match="has schema 2; this gaitkit reads up to 1"):
        open_artifact(tmp_path / "a.h5")


def hostile(path: Path, change: object) -> Path:
    """A file whose outer digest is consistent and whose inside is not what it should be."""
    from gaitkit.artifacts.envelope import BLOCK_BYTES, seal

    write_geis(path)
    with h5py.File(path, "r+") as file:
        change(file)  # type: ignore[operator]
    assert BLOCK_BYTES == 512
    seal(path)
    return path


def external_link(file: h5py.File) -> None:
    file["secret"] = h5py.ExternalLink("/etc/other.h5", "/x")


def soft_link(file: h5py.File) -> None:
    file["alias"] = h5py.SoftLink("/gei")


def external_storage(file: h5py.File) -> None:
    file.create_dataset("raw", (4,), "u1", external=[("/etc/hostname", 0, 4)])


def absurd_shape(file: h5py.File) -> None:
    del file["gei"]
    file.create_dataset("gei", (1 << 40, 64, 64), "f8", chunks=(1, 64, 64))


def no_kind(file: h5py.File) -> None:
    del file.attrs["kind"]


def odd_parameters(file: h5py.File) -> None:
    file.attrs["parameters"] = "{"


def ragged_labels(file: h5py.File) -> None:
    del file["take"]
    file["take"] = np.zeros(5, np.int64)


@pytest.mark.parametrize(
    "change",
    [
        external_link,
        soft_link,
        external_storage,
        absurd_shape,
        no_kind,
        odd_parameters,
        ragged_labels,
    ],
)
def test_a_consistent_but_hostile_file_is_refused(tmp_path: Path, change: object) -> None:
    path = hostile(tmp_path / "a.h5", change)
    with (
        pytest.raises(DamagedArtifactError, match="not a well-formed artefact"),
        open_artifact(path, "gei") as artifact,
    ):
        artifact.read("gei")
        assert artifact.labels


@pytest.mark.parametrize("view", [90.0, np.nan])
@pytest.mark.parametrize("guarded", [False, True])
def test_two_rows_of_one_key_are_refused(tmp_path: Path, view: float, guarded: bool) -> None:
    keys = [("ann", "nm", 1), ("bob", "nm", 1), ("bob", "nm", 2), ("bob", "nm", 1)]
    subject, condition, take = (np.array(column) for column in zip(*keys, strict=True))
    labels = Labels(subject.astype(object), condition.astype(object), take, np.full(4, view))
    write_geis(tmp_path / "a.h5", labels=labels)
    name = "bob/nm-01/090" if view == 90 else "bob/nm-01/unknown"
    with (
        pytest.raises(DamagedArtifactError, match=f"rows 1 and 3 are both {name}") as refused,
        open_artifact(tmp_path / "a.h5", "gei", guarded=guarded) as artifact,
    ):
        assert artifact.labels
    assert "Make it again" in str(refused.value.hint)
