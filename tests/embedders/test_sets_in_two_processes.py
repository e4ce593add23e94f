"""Two processes that train an embedder of sets together keep the same state."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from small_sets import FEW, SMALL, in_memory

from gaitkit.embedders import embedder_class
from gaitkit.embedders.options import EmbedderOptions
from gaitkit.errors import TrainingError
from gaitkit.training.distributed import World, joined
from gaitkit.training.loop import Training

sys.path.append(str(Path(__file__).parents[1] / "training"))

from test_distributed import ends, train_in_two_processes


def training(system: str, world: World, **options: int) -> Training:
    how = {name: SMALL[system][name] for name in ("device", "threads")}
    settings = {k: v for k, v in SMALL[system].items() if k not in how}
    kind = embedder_class(system)
    config = kind.config_class.from_parameters({**settings, "subjects": 4, "image_size": (32, 32)})
    model = kind(config, **how)
    model.join(world)
    return Training(model, in_memory(), EmbedderOptions(**(FEW | options)))


def take_part(rank: int, port: int, device: str, folder: Path) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with joined(device) as world:
        for system in SMALL:
            done = training(system, world, people=4, batch_size=8)
            done.run()
            np.savez(folder / f"{system}-{rank}.npz", **done.model.state_arrays())


@pytest.mark.slow
def test_two_processes_stay_the_same(tmp_path: Path) -> None:
    train_in_two_processes(tmp_path, part=take_part)
    for system in SMALL:
        one, other = ends(tmp_path, f"{system}-")
        assert one.keys() == other.keys()
        for name, values in one.items():
            np.testing.assert_array_equal(other[name], values, err_msg=f"{system} {name}")
            assert np.isfinite(values).all(), f"{system} {name}"


def test_people_are_not_divided_between_processes() -> None:
    with pytest.raises(TrainingError, match="each needs whole people, at least two"):
        training("gaitset", World(0, 2), people=2, batch_size=8)
