"""The front door: what a notebook calls, and what it is told when something is wrong."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gaitkit
from gaitkit.errors import DatasetError, GaitkitError, MixtureError, OptionError, ProtocolError
from gaitkit.labels import Labels, SequenceKey

ROOMS = (
    "artifacts",
    "datasets",
    "embedders",
    "gei",
    "identification",
    "protocols",
    "reporting",
    "silhouettes",
    "stages",
    "training",
    "translators",
    "walkers",
)
WALKER = gaitkit.walkers.WalkerOptions(frames=24, seed=3, noise=0.0)


def walk(subject: int = 0, condition: str = "nm", view: float = 90.0, take: int = 1) -> np.ndarray:
    return gaitkit.walkers.render_sequence(WALKER, subject, condition, take, view)


def test_importing_and_looking_loads_nothing_heavy():
    code = (
        "import sys, gaitkit\n"
        f"names = dir(gaitkit), [dir(getattr(gaitkit, room)) for room in {ROOMS}]\n"
        "heavy = 'torch', 'cv2', 'matplotlib', 'h5py', 'scipy', 'sklearn', 'skimage', 'numpy'\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_a_gei_needs_no_torch_and_no_files():
    code = (
        "import sys, gaitkit, numpy\n"
        "masks = numpy.zeros((12, 60, 90), bool)\n"
        "masks[:, 10:50, 40:50] = True\n"
        "gaitkit.gait_energy_image(masks)\n"
        "print([name for name in ('torch', 'h5py', 'matplotlib') if name in sys.modules])\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


@pytest.mark.parametrize("room", ["", *ROOMS])
def test_names_are_shown_and_are_there(room):
    package = importlib.import_module(f"gaitkit.{room}".rstrip("."))
    shown = [name for name in dir(package) if not name.startswith("_")]
    assert shown
    assert sorted(package.__all__) == shown
    for name in shown:
        value = getattr(package, name)
        if callable(value) or isinstance(value, type(sys)):
            assert value.__doc__, name


@pytest.mark.parametrize("room", ["", *ROOMS])
def test_the_type_checker_sees_the_same_names(room):
    import ast

    package = importlib.import_module(f"gaitkit.{room}".rstrip("."))
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    told = [name.asname for line in block.body for name in line.names]
    assert sorted(told) == sorted(package.__all__)


def test_a_misspelt_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'mean_silhouete'"):
        _ = gaitkit.gei.mean_silhouete


KINDS = {
    "bool": lambda m: m > 0,
    "0 and 1": lambda m: (m > 0).astype(np.uint8),
    "16 bits": lambda m: m.astype(np.uint16) * 257,
    "signed": lambda m: m.astype(np.int32),
    "float": lambda m: m / 255,
    "float greys": lambda m: m.astype(np.float32),
    "list": list,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("alignment", ["person", "opengait"])
def test_masks_of_every_kind_give_the_same_image(kind, alignment):
    masks = walk()
    expected = gaitkit.gait_energy_image(masks, alignment=alignment)
    assert expected.dtype == np.uint8
    assert expected.shape == (64, 64)
    assert expected.max() > 200
    found = gaitkit.gait_energy_image(KINDS[kind](masks), alignment=alignment)
    assert np.array_equal(found, expected)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 60), st.integers(0, 90), st.integers(1, 255))
def test_position_and_scale_do_not_matter(down, right, white):
    mask = walk()[::4] > 0
    rows, columns = np.flatnonzero(mask.any((0, 2))), np.flatnonzero(mask.any((0, 1)))
    cut = mask[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    frame = np.zeros((len(cut), cut.shape[1] + 62, cut.shape[2] + 92), np.uint8)
    frame[:, 1 + down : 1 + down + cut.shape[1], 1 + right : 1 + right + cut.shape[2]] = cut
    assert np.array_equal(gaitkit.gait_energy_image(frame * white), gaitkit.gait_energy_image(mask))


def test_the_same_as_the_stages_make_by_str_or_path(tiny_tree, tmp_path):
    from gaitkit._opencv import cv2

    silhouettes, geis = gaitkit.silhouettes.SilhouetteOptions(), gaitkit.gei.GeiOptions()
    aligned, two_steps, one_step = (str(tmp_path / f"{name}.h5") for name in ("s", "two", "one"))
    gaitkit.stages.normalize.normalize(str(tiny_tree), aligned, silhouettes)
    two = gaitkit.stages.gei_from_silhouettes(aligned, two_steps, geis)
    one = gaitkit.stages.gei_from_frames(str(tiny_tree), one_step, silhouettes, geis)
    assert one.content_sha256 == two.content_sha256
    folder = tiny_tree / "001" / "nm-01" / "090"
    masks = [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in sorted(folder.iterdir())]
    with gaitkit.open_artifact(one_step, "gei") as artifact:
        row = artifact.labels.keys().index(SequenceKey("001", "nm", 1, 90.0))
        assert np.array_equal(gaitkit.gait_energy_image(masks), artifact.read("gei")[row])


def test_people_who_are_dark_on_bright_are_turned():
    masks = walk()
    with pytest.raises(DatasetError, match="Give `invert=True`"):
        gaitkit.normalize_silhouettes(masks == 0)
    turned = gaitkit.normalize_silhouettes(masks == 0, invert=True)
    assert np.array_equal(turned.silhouettes, gaitkit.normalize_silhouettes(masks > 0).silhouettes)


def test_what_was_dropped_is_said():
    masks = walk()
    masks[5] = 0
    masks[7, :40] = 255
    found = gaitkit.normalize_silhouettes(masks)
    assert [(name, reason) for name, reason, _ in found.dropped] == [
        ("05", "empty"),
        ("07", "cut-by-border"),
    ]
    assert len(found) == len(found.silhouettes) == 22
    assert 5 not in found.frame_index
    text = repr(found)
    assert len(text.splitlines()) <= 3
    assert "22 of 24 frames kept" in text
    assert "1 × empty" in text
    assert np.array_equal(gaitkit.gait_energy_image(found), gaitkit.gait_energy_image(masks))


def test_options_are_fields_by_name():
    assert gaitkit.normalize_silhouettes(walk(), height=32, width=22).silhouettes.shape[1:] == (
        32,
        22,
    )
    with pytest.raises(OptionError, match="(?s)'hieght'.*Did you mean 'height'"):
        gaitkit.gait_energy_image(walk(), hieght=32)
    with pytest.raises(OptionError, match="`height` must be 8 to 1024 rows, got 2"):
        gaitkit.normalize_silhouettes(walk(), height=2)
    with pytest.raises(OptionError, match="too late"):
        gaitkit.gait_energy_image(gaitkit.normalize_silhouettes(walk()), height=32)


WRONG = {
    "a path": lambda m: "walk.png",
    "a Path": lambda m: Path("walk.png"),
    "None": lambda m: None,
    "colour": lambda m: np.repeat(m[..., None], 3, axis=-1),
    "one colour picture": lambda m: np.repeat(m[0][..., None], 3, axis=-1),
    "one frame": lambda m: m[0],
    "no frame": lambda m: m[:0],
    "nobody": np.zeros_like,
    "nobody, float": lambda m: m * 0.0,
    "NaN": lambda m: np.where(m > 0, np.nan, 0),
    "text": lambda m: m.astype(str),
    "objects": lambda m: m.astype(object),
    "sizes": lambda m: [m[0], m[1, 1:]],
    "inverted": lambda m: 255 - m,
    "tight": lambda m: m[:, np.flatnonzero(m.any((0, 2)))[0] :][:, :90],
    "small": lambda m: m[:, ::16, ::16],
    "negative": lambda m: -m.astype(int),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_walk_is_said(name):
    for call in (gaitkit.gait_energy_image, gaitkit.normalize_silhouettes):
        with pytest.raises(GaitkitError, match="^(Expected|The masks of a walk)"):
            call(WRONG[name](walk()))


def geis(condition: str = "nm", people: int = 3, take: int = 1) -> np.ndarray:
    walks = [walk(who, condition, take=take) for who in range(people)]
    return np.stack([gaitkit.gait_energy_image(frames) for frames in walks])


NAMES = ["ada", "ben", "cid"]


def test_people_are_found_by_arrays_and_names():
    gallery, probes = geis(), geis(take=2)
    found = gaitkit.identify(probes, (gallery, NAMES), top=2)
    assert [answer.name for answer in found] == NAMES
    assert len(found) == 3
    assert [len(answer.candidates) for answer in found] == [2, 2, 2]
    expected = np.sqrt(((probes[0].astype(float) - gallery[0].astype(float)) ** 2).sum())
    assert found[0].candidates[0].distance == pytest.approx(expected)
    assert len(repr(found).splitlines()) <= 3
    assert "ada" in repr(found)
    assert found.names == NAMES
    assert str(found) == found.table()
    assert all(name in str(found) for name in NAMES)
    assert "ada" in found._repr_html_()
    same = gaitkit.identify(probes, gallery, 2, names=np.array(NAMES))
    assert str(same) == str(found)
    floats = gaitkit.identify(probes.astype(np.float32), (gallery.astype(np.float64), NAMES), 2)
    assert str(floats) == str(found)


def test_one_probe_vectors_and_several_rows_of_a_person():
    gallery = np.concatenate([geis(), geis("cl")])
    (answer,) = gaitkit.identify(geis("bg")[1], (gallery, NAMES + NAMES))
    assert answer.name == "ben"
    assert [c.sequence.subject for c in answer.candidates].count("ben") == 1
    vectors = gallery.reshape(6, -1)
    found = gaitkit.identify(vectors[:1], (vectors, NAMES + NAMES), metric="cosine")
    assert found[0].candidates[0].distance == pytest.approx(0, abs=1e-12)


def test_a_gei_set_brings_its_labels():
    labels = Labels.from_keys([SequenceKey(name, "nm", 1, 90.0) for name in NAMES])
    known = gaitkit.GeiSet(geis(), labels)
    found = gaitkit.identify(known, known)
    assert [answer.name for answer in found] == NAMES


def test_strangers_are_unknown():
    gallery = geis()
    found = gaitkit.identify(geis("bg"), (gallery, NAMES), threshold=1.0)
    assert [answer.name for answer in found] == [None, None, None]
    assert "unknown" in str(found)


def test_artefacts_by_str_or_path(write_geis):
    gallery, probes = write_geis("gallery.h5"), write_geis("probe.h5")
    one = gaitkit.identify(str(probes), str(gallery), top=1)
    assert one.answers == gaitkit.identify(probes, gallery, top=1).answers
    by_object = gaitkit.identify(
        probes, gallery, metric=gaitkit.identification.get_metric("manhattan")
    )
    assert by_object.metric == "manhattan"
    with pytest.raises(OptionError, match="names"):
        gaitkit.identify(probes, gallery, names=NAMES)
    with pytest.raises(OptionError, match="found the path"):
        gaitkit.identify(geis(), gallery)


def test_searches_that_cannot_be():
    images = geis()
    for error, match, probes, gallery, options in (
        (OptionError, "found none", images, images, {}),
        (OptionError, "found 2 for 3", images, (images, ["a", "b"]), {}),
        (OptionError, "sequence of text", images, images, {"names": "ada"}),
        (MixtureError, "one size", images[:, :32], (images, NAMES), {}),
        (MixtureError, "one scale", images / 255, (images, NAMES), {}),
        (OptionError, "NaN", np.full((1, 64, 64), np.nan), (images, NAMES), {}),
        (ProtocolError, "holds ada only", images, (images[:1], ["ada"]), {}),
        (OptionError, "at least|At least", images, (images, NAMES), {"top": 0}),
        (OptionError, "no metric", images, (images, NAMES), {"metric": "x"}),
        (OptionError, "need artefacts", images, (images, NAMES), {"feature": "lda"}),
        (GaitkitError, "Expected", None, (images, NAMES), {}),
        (GaitkitError, "Expected", images, {"ada": 1}, {}),
    ):
        with pytest.raises(error, match=match):
            gaitkit.identify(probes, gallery, **options)


def test_a_walk_without_a_person_is_no_black_image():
    with pytest.raises(DatasetError, match="found none in 24 frames: 24 × empty"):
        gaitkit.gait_energy_image(np.zeros((24, 64, 64), bool))


def nobody(masks):
    return masks * 0


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (nobody, "empty"),
        (lambda masks: masks[:, ::8, ::8], "too-small"),
        (lambda masks: masks == 0, "inverted"),
    ],
)
def test_the_hint_is_the_one_that_the_stages_give(make, reason):
    from gaitkit.stages.advice import HINTS

    with pytest.raises(DatasetError) as caught:
        gaitkit.normalize_silhouettes(make(walk()))
    assert caught.value.hint.startswith(HINTS[reason])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top": "5"}, "`top` must be a whole number"),
        ({"top": 2.0}, "`top` must be a whole number"),
        ({"threshold": "far"}, "threshold of euclidean distances is 0 or more; got a str"),
        ({"metric": ["cosine"]}, "no metric"),
        ({"threads": "two"}, "`threads` must be a whole number"),
        ({"tpo": 5}, r"no option 'tpo'\n.*mean 'top'"),
    ],
)
def test_identify_refuses_values_of_another_kind(options, message):
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 9), dtype=np.uint8)
    with pytest.raises(OptionError, match=message):
        gaitkit.identify(images, (images, ["a", "b", "c"]), **options)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((0, 8, 9)), "at least one image in `probes`"),
        (np.zeros((3, 20, 20, 3)), "looks like a colour picture"),
        (np.zeros((20, 20, 3)), "looks like a colour picture"),
    ],
)
def test_what_holds_no_gei_is_not_identified(images, message):
    with pytest.raises(OptionError, match=message):
        gaitkit.identify(images, (images, [str(row) for row in range(len(images))]))


def test_a_metric_by_object_keeps_its_name():
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 9), dtype=np.uint8)
    metric = gaitkit.identification.METRICS["cosine"]
    assert gaitkit.identify(images, (images, ["a", "b", "c"]), metric=metric).metric == "cosine"


def test_people_are_split_by_the_name_of_a_protocol():
    geis = gaitkit.GeiSet.from_arrays(np.zeros((90, 8, 9)), [f"{n:03d}" for n in range(90)])
    people = gaitkit.split_subjects("halves", geis)
    assert people == gaitkit.split_subjects(gaitkit.get_protocol("halves"), geis.labels)
    with pytest.raises(OptionError, match="Expected the Labels of a data set, found a list"):
        gaitkit.split_subjects("halves", ["a", "b"])
    with pytest.raises(OptionError, match=r"no protocol 'halvs'\.\nDid you mean 'halves'"):
        gaitkit.get_protocol("halvs")
    for shown in (people, geis.labels, gaitkit.identification.METRICS["cosine"]):
        assert len(repr(shown).splitlines()) <= 3
        assert len(repr(shown)) < 400
        assert "array(" not in repr(shown)
