"""Thousands of people have room: in a protocol, in what a model was trained on, in results."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from gaitkit.artifacts import TrainedOn, open_artifact, write_artifact
from gaitkit.artifacts.envelope import seal
from gaitkit.artifacts.schema import PARAMETERS, PARAMETERS_BYTES, STORED_BYTES
from gaitkit.errors import DamagedArtifactError, OptionError
from gaitkit.protocols import Protocol, get_protocol

PEOPLE = [f"person {number:05d}" for number in range(10_000)]


def written(path: Path, parameters: dict[str, Any], **options: Any) -> str:
    arrays = {"x": np.arange(3, dtype=np.int64)}
    return write_artifact(
        path,
        kind="identification",
        arrays=arrays,
        parameters=parameters,
        dataset="d",
        overwrite=True,
        **options,
    )


@pytest.mark.parametrize("guarded", [False, True])
def test_a_protocol_and_a_model_of_ten_thousand_named_people(tmp_path: Path, guarded: bool) -> None:
    named = get_protocol("halves").as_parameters() | {"train": [[name, name] for name in PEOPLE]}
    protocol = Protocol.from_parameters(named)
    seen = [TrainedOn("d", name, "training") for name in PEOPLE]
    parameters = {"protocol": protocol.as_parameters()}
    digest = written(tmp_path / "a.h5", parameters, trained_on=seen)
    with open_artifact(tmp_path / "a.h5", guarded=guarded) as artifact:
        assert artifact.parameters == parameters
        assert Protocol.from_parameters(artifact.parameters["protocol"]) == protocol
        assert artifact.trained_on == seen
        assert artifact.recompute_content_sha256() == artifact.content_sha256 == digest
    first = (tmp_path / "a.h5").read_bytes()
    written(tmp_path / "a.h5", parameters, trained_on=seen)
    assert (tmp_path / "a.h5").read_bytes() == first


def test_only_what_has_no_room_in_an_attribute_is_an_array(tmp_path: Path) -> None:
    def parameters(size: int) -> dict[str, str]:
        return {"a": "x" * (size - len('{"a":""}'))}

    small = written(tmp_path / "small.h5", parameters(STORED_BYTES))
    large = written(tmp_path / "large.h5", parameters(STORED_BYTES + 1))
    with open_artifact(tmp_path / "small.h5") as artifact:
        assert artifact.names() == ["x"]
    with open_artifact(tmp_path / "large.h5") as artifact:
        assert artifact.names() == [PARAMETERS, "x"]
        assert artifact.parameters == parameters(STORED_BYTES + 1)
    assert small == written(tmp_path / "small.h5", {}) != large
    with pytest.raises(OptionError, match=r"take 8,388,609 bytes of at most 8,388,608"):
        written(tmp_path / "more.h5", parameters(PARAMETERS_BYTES + 1))


def gone(file: h5py.File) -> None:
    del file[PARAMETERS]


def replaced(values: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        gone(file)
        file.create_dataset(PARAMETERS, data=values, compression="gzip")

    return change


@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        gone,
        replaced(np.zeros(PARAMETERS_BYTES + 1, np.uint8)),
        replaced(np.frombuffer(b"[1]", np.uint8)),
        replaced(np.frombuffer(b'{"a":\xff}', np.uint8)),
        replaced(np.frombuffer(b"[" * 5000, np.uint8)),
        replaced(np.zeros((2, 2), np.uint8)),
        replaced(np.zeros(4, np.float64)),
    ],
    ids=["gone", "too large", "no table", "no text", "too deep", "two axes", "no bytes"],
)
def test_hostile_ones_are_damage(
    tmp_path: Path, change: Callable[[h5py.File], None], guarded: bool
) -> None:
    path = tmp_path / "a.h5"
    written(path, {"a": "x" * 70_000})
    with h5py.File(path, "r+") as file:
        change(file)
    seal(path)
    with pytest.raises(DamagedArtifactError, match="not a well-formed artefact"):
        open_artifact(path, guarded=guarded)
