"""The artefact `embedding`: float32 (sequences, parts, values), and who made it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gaitkit.artifacts import open_artifact, write_artifact
from gaitkit.artifacts.embeddings import EmbedderInfo
from gaitkit.artifacts.summary import describe
from gaitkit.errors import DamagedArtifactError, WrongKindError
from gaitkit.labels import Labels, SequenceKey

KNOWN = {"name": "gei-parts", "content_sha256": "ab" * 32, "weights": "best", "metric": "parts"}


def write(
    path: Path, vectors: NDArray[Any], embedder: Any = KNOWN, labels: Labels | None = None
) -> Path:
    keys = [SequenceKey(f"p{row}", "nm", 1, 90.0) for row in range(len(vectors))]
    write_artifact(
        path,
        kind="embedding",
        arrays={"vectors": vectors},
        labels=labels or Labels.from_keys(keys),
        parameters={"embedder": embedder},
        dataset="made-up",
        dropped=[],
    )
    return path


def test_what_an_embedding_says_of_itself(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", np.zeros((3, 16, 128), np.float32))
    with open_artifact(path, "embedding") as artifact:
        assert describe(artifact)["embedding"] == {
            "parts": 16,
            "values": 128,
            "embedder": "gei-parts",
            "model": "ab" * 32,
            "weights": "best",
            "metric": "parts",
            "trained_on": "known",
        }
    with pytest.raises(WrongKindError, match="identity embeddings; this step reads gait energy"):
        open_artifact(path, "gei")


@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize(
    "vectors",
    [
        np.zeros((3, 16, 128)),
        np.zeros((3, 16), np.float32),
        np.zeros((3, 16, 8, 8), np.float32),
        np.zeros((3, 16, 128), np.uint8),
        np.zeros((3, 0, 128), np.float32),
        np.zeros((3, 16, 0), np.float32),
        np.zeros((1, 4097, 1), np.float32),
        np.zeros((1, 2, (1 << 19) + 1), np.float32),
    ],
    ids=lambda vectors: f"{vectors.dtype}-{'x'.join(map(str, vectors.shape))}",
)
def test_other_vectors_are_no_embedding(
    tmp_path: Path, vectors: NDArray[Any], guarded: bool
) -> None:
    path = write(tmp_path / "a.h5", vectors)
    with pytest.raises(DamagedArtifactError, match="its vectors (are|have the unlikely)"):
        open_artifact(path, guarded=guarded)


def test_every_vector_has_its_key(tmp_path: Path) -> None:
    keys = [SequenceKey("a", "nm", 1, 90.0)]
    path = write(tmp_path / "a.h5", np.zeros((2, 1, 4), np.float32), labels=Labels.from_keys(keys))
    with (
        open_artifact(path) as artifact,
        pytest.raises(DamagedArtifactError, match="it has 2 vectors and 1 sequence"),
    ):
        len(artifact.labels)


def test_without_vectors_it_is_none(tmp_path: Path) -> None:
    write_artifact(tmp_path / "a.h5", kind="embedding", arrays={}, parameters={}, dataset="")
    with pytest.raises(DamagedArtifactError, match="it has no vectors"):
        open_artifact(tmp_path / "a.h5")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=50)
@given(
    st.dictionaries(
        st.sampled_from(["name", "content_sha256", "weights", "metric", "trained_on", "x"]),
        anything,
    )
)
def test_whatever_somebody_writes_there_can_be_told(described: dict[str, Any]) -> None:
    info = EmbedderInfo.of({"embedder": described})
    assert info is not None
    assert info.name
    assert info.metric
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", info.title)
    # A model that nobody can name has seen nobody knows whom.
    assert info.known <= bool(info.content_sha256)
    again = EmbedderInfo.of({"embedder": info.as_parameters()})
    assert again == info


@pytest.mark.parametrize("nothing", [{}, {"embedder": None}, {"embedder": "gei-parts"}])
def test_where_no_embedder_is_told_there_is_none(nothing: dict[str, Any]) -> None:
    assert EmbedderInfo.of(nothing) is None


@pytest.mark.parametrize(
    ("kinds", "hint"),
    [
        ("embedding", "Copy it again. Make identity embeddings with: "),
        (("gei", "embedding"), "Copy it again, or make it again with the command that wrote it."),
        (None, "Copy it again, or make it again with the command that wrote it."),
    ],
)
def test_a_damaged_file_is_only_said_to_hold_what_it_must(
    tmp_path: Path, kinds: Any, hint: str
) -> None:
    path = write(tmp_path / "a.h5", np.zeros((3, 16, 128), np.float32))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DamagedArtifactError, match="is cut short") as caught:
        open_artifact(path, kinds)
    assert str(caught.value.hint).startswith(hint)


def test_a_view_is_finite_or_unknown(tmp_path: Path) -> None:
    labels = Labels(np.array(["a"]), np.array(["nm"]), np.array([1]), np.array([np.inf]))
    path = write(tmp_path / "a.h5", np.zeros((1, 1, 4), np.float32), labels=labels)
    with (
        open_artifact(path) as artifact,
        pytest.raises(DamagedArtifactError, match="a view of it is infinite"),
    ):
        len(artifact.labels)
