"""evaluate: run for real on made-up people, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gaitkit.artifacts import write_artifact
from gaitkit.identification.results import read_results
from gaitkit.labels import Labels, SequenceKey

WALKS = [("nm", take) for take in range(1, 7)] + [("bg", 1), ("bg", 2), ("cl", 1), ("cl", 2)]


def write(path: Path, subjects: str = "abcdefgh", *, seed: int = 0) -> Path:
    labels = Labels.from_keys(
        SequenceKey(subject, condition, take, view)
        for subject in subjects
        for condition, take in WALKS
        for view in (0.0, 90.0)
    )
    random = np.random.default_rng(seed)
    person = {name: random.integers(0, 256, (16, 16)) for name in subjects}
    images = [person[name] // 2 + random.integers(0, 128, (16, 16)) for name in labels.subject]
    write_artifact(
        path,
        kind="gei",
        arrays={
            "gei": np.array(images, dtype=np.uint8),
            "frames_used": np.full(len(labels), 30),
        },
        labels=labels,
        parameters={},
        dataset="made-up",
        dropped=[],
    )
    return path


def test_every_figure_is_printed_with_its_interval(gaitkit: Callable, tmp_path: Path) -> None:
    path, output = write(tmp_path / "gei.h5"), tmp_path / "results.h5"
    ran = gaitkit("evaluate", path, "--json", "-o", output, "--feature", "pca", "--k", 3)
    assert ran.code == 0
    data = json.loads(ran.stdout)
    (result,) = read_results(output)
    assert (data["feature"], data["k"]) == ("pca", 3)
    for name, numbers in result.numbers.items():
        printed = data["conditions"][name]["numbers"]
        assert printed["rank1"] == numbers.rank1._asdict()
        assert printed["verification"]["eer"] == numbers.verification.eer._asdict()
        assert printed["failures_to_acquire"]["counted_as_errors"] is False
    text = gaitkit("evaluate", path, "--matrices").stdout
    assert "95 % interval" in text
    assert "EER" in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_headline_fits_80_columns(gaitkit: Callable, tmp_path: Path) -> None:
    path = write(tmp_path / "gei.h5")
    brief = gaitkit("evaluate", path)
    assert "add --matrices" in brief.stderr
    assert "add --matrices" not in gaitkit("evaluate", path, "--matrices").stderr
    both = gaitkit("evaluate", path, "--metric", "cosine", "--metric", "manhattan")
    at_0 = gaitkit("evaluate", path, "--probe-view", 0, "--feature", "pixels", "--feature", "pca")
    for ran in (brief, both, at_0):
        assert ran.code == 0
        assert max(map(len, ran.stdout.splitlines())) <= 80


def test_artefacts_are_fused_or_side_by_side(gaitkit: Callable, tmp_path: Path) -> None:
    one, other = write(tmp_path / "one.h5"), write(tmp_path / "other.h5", seed=1)
    output = tmp_path / "results.h5"
    assert gaitkit("evaluate", one, other, "--fuse", "-o", output).code == 0
    assert len(read_results(output)) == 1
    assert len(json.loads(gaitkit("evaluate", one, other, "--json").stdout)["results"]) == 2


@pytest.mark.parametrize("how", [[], ["--fuse"]])
def test_nothing_is_compared_with_itself(gaitkit: Callable, tmp_path: Path, how: list[str]) -> None:
    path = write(tmp_path / "gei.h5")
    ran = gaitkit("evaluate", path, tmp_path / "." / "gei.h5", *how)
    assert ran.code == 2
    assert "gei.h5 is given twice" in ran.stderr
    copy = tmp_path / "copy.h5"
    copy.write_bytes(path.read_bytes())
    ran = gaitkit("evaluate", path, copy, *how)
    assert ran.code == 0
    assert f"{copy} holds the same as {path}" in ran.stderr
    other = write(tmp_path / "other.h5", seed=1)
    assert "holds the same" not in gaitkit("evaluate", path, other, *how).stderr


def test_the_protocol_of_several_inputs_is_told_once(gaitkit: Callable, tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{seed}.h5", seed=seed) for seed in range(3)]
    assert gaitkit("evaluate", *paths).stderr.count("protocol halves:") == 1


def test_fused_artefacts_weigh_what_they_are_told_to(gaitkit: Callable, tmp_path: Path) -> None:
    one, other = write(tmp_path / "one.h5"), write(tmp_path / "other.h5", seed=1)
    ran = gaitkit("evaluate", one, other, "--fuse", "--weights", "3,1", "--json")
    assert ran.code == 0, ran.stderr
    result = json.loads(ran.stdout)
    assert result["fusion"]["weights"] == [0.75, 0.25]
    assert "chosen on the training people" not in ran.stderr
    # An artefact without weight is as if it were not there.
    alone = json.loads(gaitkit("evaluate", one, "--json").stdout)
    ran = gaitkit("evaluate", one, other, "--fuse", "--weights", "1,0", "--json")
    result = json.loads(ran.stdout)
    assert result["conditions"] == alone["conditions"]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("1", "one for each of the 2 fused artefacts, got 1"),
        ("1,-1", "must be 0 or more"),
        ("0,0", "one of them above 0"),
        ("1,inf", "must be a number"),
        ("a,b", "not numbers with commas"),
    ],
)
def test_weights_that_are_none_are_refused(
    gaitkit: Callable, tmp_path: Path, weights: str, message: str
) -> None:
    one, other = write(tmp_path / "one.h5"), write(tmp_path / "other.h5", seed=1)
    ran = gaitkit("evaluate", one, other, "--fuse", "--weights", weights)
    assert ran.code == 2
    assert message in " ".join(ran.stderr.split())


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--fuse"], 2, "there is one only"),
        (["--weights", "1,2"], 2, "those of --fuse"),
        (["--k", 0], 2, "--k"),
        (["--feature", "embedding"], 2, "pixels, pca, lda"),
        (["--rounding", "up"], 2, "--rounding"),
    ],
)
def test_what_cannot_be_done_writes_nothing(
    gaitkit: Callable, tmp_path: Path, options: list[object], code: int, message: str
) -> None:
    path, output = write(tmp_path / "gei.h5"), tmp_path / "results.h5"
    ran = gaitkit("evaluate", path, "-o", output, *options)
    assert ran.code == code
    assert message in ran.stderr
    assert sorted(item.name for item in tmp_path.iterdir()) == ["gei.h5"]


def test_other_people_are_not_fused(gaitkit: Callable, tmp_path: Path) -> None:
    one, other = write(tmp_path / "one.h5"), write(tmp_path / "other.h5", "abcdefgi")
    ran = gaitkit("evaluate", one, other, "--fuse", "-o", tmp_path / "results.h5")
    assert ran.code == 1
    assert "do not hold the same sequences" in ran.stderr
    assert not (tmp_path / "results.h5").exists()


def write_own(path: Path, takes: dict[str, int], size: int = 12) -> Path:
    """People with a few recordings each, of unknown view."""
    labels = Labels.from_keys(
        SequenceKey(who, "nm", take, None)
        for who, count in takes.items()
        for take in range(1, count + 1)
    )
    random = np.random.default_rng(1)
    person = {who: random.integers(0, 256, (size, size)) for who in takes}
    noise = random.integers(0, 200, (len(labels), size, size))
    images = [(person[who] + some) // 2 for who, some in zip(labels.subject, noise, strict=True)]
    write_artifact(
        path,
        kind="gei",
        arrays={"gei": np.array(images, np.uint8), "frames_used": np.full(len(labels), 30)},
        labels=labels,
        parameters={},
        dataset="colleagues",
        dropped=[],
    )
    return path


def test_own_people_with_few_takes_need_no_option(gaitkit: Callable, tmp_path: Path) -> None:
    path = write_own(tmp_path / "own.h5", {"alice": 3, "bob": 2, "王小明": 2, "dave": 1})
    output, page = tmp_path / "results.h5", tmp_path / "page.html"
    ran = gaitkit("evaluate", path, "-o", output, "--json")
    assert ran.code == 0
    data = json.loads(ran.stdout)
    assert data["protocol"] == "leave-one-out"
    assert data["conditions"]["all"]["probes"] == [[7]]
    assert any("(dave): 1 sequence is enrolled and not searched" in one for one in data["remarks"])
    assert ran.stderr.count("protocol leave-one-out: ") == 1
    (result,) = read_results(output)
    assert result.protocol.leave_one_out
    assert result.split.skipped == {"all": 1}
    # It is the same by name.
    assert gaitkit("evaluate", path, "--protocol", "leave-one-out", "--json").stdout == ran.stdout
    assert gaitkit("report", output, "-o", page).code == 0
    assert "leave-one-out" in page.read_text(encoding="utf-8")
    for form in ("text", "csv", "markdown", "latex"):
        assert "leave-one-out" in gaitkit("evaluate", path, "--format", form).stdout


def test_answers_are_a_sheet_with_a_line_for_each_probe(gaitkit: Callable, tmp_path: Path) -> None:
    path = write_own(tmp_path / "own.h5", {"alice": 2, "bob": 2, "007": 1})
    sheet = tmp_path / "answers.csv"
    ran = gaitkit("evaluate", path, "--answers", sheet)
    assert ran.code == 0
    head, *lines = [line.split(",") for line in sheet.read_text(encoding="utf-8").splitlines()]
    assert head == ["videoId", *(f"rank{place}" for place in range(1, 21))]
    assert [line[0] for line in lines] == ["alice-nm-01", "alice-nm-02", "bob-nm-01", "bob-nm-02"]
    for line in lines:
        # Each person once; the last places are empty, and numbers have no leading zeros.
        assert sorted(line[1:4]) == ["7", "alice", "bob"]
        assert line[4:] == [""] * 17
    before = sheet.read_bytes()
    again = gaitkit("evaluate", path, "--answers", sheet)
    assert (again.code, sheet.read_bytes()) == (0, before)
    sheet.write_bytes(b"of somebody else")
    other = gaitkit("evaluate", path, "--answers", sheet)
    assert other.code == 2
    assert "--overwrite" in other.stderr
    assert sheet.read_bytes() == b"of somebody else"
    assert gaitkit("evaluate", path, "--answers", sheet, "--overwrite").code == 0
    assert sheet.read_bytes() == before


def test_answers_are_of_one_input_and_one_metric(gaitkit: Callable, tmp_path: Path) -> None:
    path = write_own(tmp_path / "own.h5", {"alice": 2, "bob": 2})
    sheet = tmp_path / "answers.csv"
    several = gaitkit("evaluate", path, path, "--answers", sheet)
    assert (several.code, sheet.exists()) == (2, False)
    two = gaitkit(
        "evaluate", path, "--metric", "cosine", "--metric", "euclidean", "--answers", sheet
    )
    assert (two.code != 0, sheet.exists()) == (True, False)
    assert "--answers" in two.stderr


def test_ranks_by_rows_stand_in_the_file(gaitkit: Callable, tmp_path: Path) -> None:
    path = write_own(tmp_path / "own.h5", dict.fromkeys("abcdefgh", 3), size=2)
    found = {}
    for by in ("people", "rows"):
        output = tmp_path / f"{by}.h5"
        ran = gaitkit("evaluate", path, "-o", output, "--rank-by", by, "--json")
        data = json.loads(ran.stdout)
        (found[by],) = read_results(output)
        assert data["rank_by"] == found[by].rank_by == by
        printed = data["conditions"]["all"]["numbers"]["rank5"]
        assert printed == found[by].numbers["all"].rank5._asdict()
    people, rows = found["people"], found["rows"]
    assert people.headline("all") == rows.headline("all")
    # Several rows of one person fill the places of a list of rows.
    assert rows.numbers["all"].rank5.estimate < people.numbers["all"].rank5.estimate
    assert np.all(rows.matches.rank >= people.matches.rank)
    assert gaitkit("evaluate", path, "--rank-by", "rows", "--k", 3).code != 0
