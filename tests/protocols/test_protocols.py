"""Protocols: who trains, who is enrolled, who is searched, and what is said when it cannot be."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaitkit.errors import OptionError, ProtocolError
from gaitkit.labels import Labels, SequenceKey
from gaitkit.protocols import (
    PROTOCOLS,
    ProbeSet,
    Protocol,
    SubjectRange,
    Walks,
    default_protocol,
    describe_labels,
    get_protocol,
    load_protocol,
    protocol_toml,
    resolve,
    split_subjects,
)

CASIA_B_WALKS = [("nm", take) for take in range(1, 7)] + [
    (condition, take) for condition in ("bg", "cl") for take in (1, 2)
]


def make_labels(subjects, walks=CASIA_B_WALKS, views=(0.0, 90.0)) -> Labels:
    return Labels.from_keys(
        SequenceKey(subject, condition, take, view)
        for subject in subjects
        for condition, take in walks
        for view in views
    )


def numbered(first, last):
    return [f"{number:03d}" for number in range(first, last + 1)]


@pytest.mark.parametrize(("name", "last_training"), [("casia-b-62-62", 62), ("casia-b-74-50", 74)])
def test_casia_b_splits_by_number(name, last_training):
    people = split_subjects(PROTOCOLS[name], make_labels(numbered(1, 124)))
    assert people.train == tuple(numbered(1, last_training))
    assert people.test == tuple(numbered(last_training + 1, 124))


def test_halves_gives_the_odd_person_to_the_test():
    labels = make_labels(["ben", "ann", "eve", "dan", "cat"])
    assert split_subjects(PROTOCOLS["halves"], labels) == (("ann", "ben"), ("cat", "dan", "eve"))


def test_rows_of_each_part():
    labels = make_labels(["a", "b", "c", "d"], views=(0.0,))
    split = resolve(PROTOCOLS["halves"], labels)

    def names(rows):
        return list(map(str, labels.select(rows).keys()))

    assert split.train.sum() == 2 * 10
    assert names(split.gallery) == [
        *["c/nm-01/000", "c/nm-02/000", "c/nm-03/000", "c/nm-04/000"],
        *["d/nm-01/000", "d/nm-02/000", "d/nm-03/000", "d/nm-04/000"],
    ]
    assert list(split.probes) == ["nm", "bg", "cl"]
    assert names(split.probes["bg"]) == ["c/bg-01/000", "c/bg-02/000", "d/bg-01/000", "d/bg-02/000"]
    assert names(split.probe & (labels.subject == "d")) == [
        *["d/nm-05/000", "d/nm-06/000", "d/bg-01/000", "d/bg-02/000", "d/cl-01/000", "d/cl-02/000"]
    ]


def test_an_absent_condition_leaves_an_empty_probe_set():
    labels = make_labels(["a", "b", "c", "d"], walks=[("nm", take) for take in range(1, 7)])
    split = resolve(PROTOCOLS["halves"], labels)
    assert {name: int(rows.sum()) for name, rows in split.probes.items()} == {
        "nm": 8,
        "bg": 0,
        "cl": 0,
    }


def test_one_walk_per_person_says_what_is_missing():
    # As the Weizmann people: nine of them, one view, one take.
    labels = make_labels(numbered(1, 9), walks=[("nm", 1)], views=(90.0,))
    with pytest.raises(ProtocolError) as caught:
        resolve(PROTOCOLS["halves"], labels)
    text = str(caught.value)
    assert "nm-05, nm-06" in text
    assert "5 subjects (005 to 009); the walks nm-01; 1 view (090)" in text


def test_other_peoples_names_are_not_casia_b():
    labels = make_labels([*numbered(60, 70), "P1"])
    with pytest.raises(ProtocolError, match=r"(?s)1 of 12 subjects outside them: P1\..*halves"):
        resolve(PROTOCOLS["casia-b-62-62"], labels)


def test_nobody_to_test_suggests_halves():
    with pytest.raises(ProtocolError, match=r"(?s)tests subjects 063-124.*halves"):
        resolve(PROTOCOLS["casia-b-62-62"], make_labels(numbered(1, 36)))


def test_no_gallery_walks():
    labels = make_labels(["a", "b", "c", "d"], walks=[("bg", 1), ("bg", 2)])
    with pytest.raises(ProtocolError, match=r"none is of condition nm; .*the walks bg-01, bg-02"):
        resolve(PROTOCOLS["halves"], labels)


MINE = """
train = "first-half"
test = "rest"
{views}
[gallery]
{gallery}
[probes.other]
{probes}
"""


def mine(tmp_path, gallery="nm = [1, 2]", probes='bg = "all"', views=""):
    path = tmp_path / "mine.toml"
    path.write_text(MINE.format(gallery=gallery, probes=probes, views=views))
    return path


def test_a_protocol_of_ones_own(tmp_path):
    path = mine(tmp_path, views="gallery_views = [90]\nprobe_views = [0]")
    protocol = get_protocol(str(path))
    assert protocol.name == "mine"
    labels = make_labels(["a", "b", "c", "d"])
    split = resolve(protocol, labels)
    chosen = list(map(str, labels.select(split.gallery | split.probe).keys()))
    assert chosen[:4] == ["c/nm-01/090", "c/nm-02/090", "c/bg-01/000", "c/bg-02/000"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"gallery": "coat = [1]"},
            "gallery is empty: of their 40 sequences none is of condition coat;.*nm-01",
        ),
        (
            {"gallery": "nm = [7]"},
            "gallery is empty: of their 24 .* nm none is take nm-07;.*nm-01 to nm-06",
        ),
        (
            {"views": "gallery_views = [36]"},
            r"of their 8 .* none is seen from 036;.*2 views \(000, 090",
        ),
        ({"probes": "coat = [1]"}, "probe set other is empty.* of condition coat"),
        ({"views": "probe_views = [36]"}, "probe set other is empty.* seen from 036"),
    ],
)
def test_the_filter_that_left_nothing_is_named(tmp_path, changes, message):
    protocol = load_protocol(mine(tmp_path, **changes))
    with pytest.raises(ProtocolError, match=message):
        resolve(protocol, make_labels(["a", "b", "c", "d"]))


def test_a_name_that_is_not_there(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        MINE.format(gallery="nm=[1]", probes="bg=[1]", views="").replace(
            'test = "rest"', 'test = ["c", "dan"]'
        )
    )
    with pytest.raises(ProtocolError, match=r"mine, test: .* no subject dan. It has 4 subjects"):
        resolve(load_protocol(path), make_labels(["a", "b", "c", "d"]))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("galery = 1", "no key 'galery'"),
        ("identical_view = 1", "identical_view: expected true or false; found 1"),
        ("gallery_views = [true]", r"gallery_views: expected .*degrees.*; found \[True\]"),
        ("name = 'a b'", "name: expected letters.*'a b'"),
        ("description = 3", "description: expected text; found 3"),
        ("name = 'halves'", "name = 'halves' is that of a protocol of gaitkit"),
        ("train = 1", "not valid TOML"),
    ],
)
def test_the_key_that_is_wrong_is_named(tmp_path, line, message):
    with pytest.raises(ProtocolError, match=message):
        load_protocol(mine(tmp_path, views=line))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('train = "first-half"', "", "'train' is missing"),
        ('test = "rest"', "test = []", "test: expected .*rest"),
        ('train = "first-half"', 'train = ["9-10"]', "train: expected a range .* equal length"),
        ('train = "first-half"', "train = [7]", "train: expected names in quotes; found 7"),
        ('test = "rest"', 'test = "all"', "test: expected .*rest.*found 'all'"),
        ("nm = [1, 2]", "nm = [1.5]", r"gallery.nm: expected a list of takes.*found \[1.5\]"),
        ("nm = [1, 2]", "", "gallery: expected conditions"),
        ('bg = "all"', "bg = 5", "probes.other.bg: expected a list of takes"),
        ("[probes.other]", "[probes.'a/b']", "a/b"),
    ],
)
def test_what_is_in_a_value_is_checked(tmp_path, old, new, message):
    path = mine(tmp_path)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ProtocolError, match=message):
        load_protocol(path)


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(ProtocolError, match="No such file"):
        get_protocol(str(tmp_path / "none.toml"))


@pytest.mark.parametrize("name", list(PROTOCOLS))
def test_a_built_in_protocol_prints_as_a_file_of_ones_own(tmp_path, name):
    path = tmp_path / "copy.toml"
    path.write_text(protocol_toml(PROTOCOLS[name]))
    assert load_protocol(path) == PROTOCOLS[name]


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
people = st.lists(
    names.map(lambda name: SubjectRange(name, name)) | st.just(SubjectRange("001", "062")),
    min_size=1,
    max_size=3,
).map(tuple)
walks = st.dictionaries(
    names, st.none() | st.lists(st.integers(-9, 99), min_size=1, max_size=3).map(tuple), min_size=1
).map(lambda takes: tuple(Walks(name, some) for name, some in takes.items()))
views = st.none() | st.lists(st.floats(-360, 360), min_size=1, max_size=3).map(tuple)


@given(
    st.builds(
        Protocol,
        name=st.just("mine"),
        description=st.text(st.characters(exclude_categories=["Cs"])),
        train=st.just("first-half") | people,
        test=st.just("rest") | people,
        gallery=walks,
        probes=st.dictionaries(st.from_regex(r"[\w.+-]+", fullmatch=True), walks, min_size=1).map(
            lambda sets: tuple(ProbeSet(name, some) for name, some in sets.items())
        ),
        identical_view=st.booleans(),
        covers_everybody=st.booleans(),
        empty_probes=st.booleans(),
        gallery_views=views,
        probe_views=views,
    )
)
def test_any_protocol_survives_its_file(tmp_path_factory, protocol):
    path = tmp_path_factory.mktemp("protocol") / "mine.toml"
    path.write_text(protocol_toml(protocol), encoding="utf-8", newline="")
    assert load_protocol(path) == protocol
    assert Protocol.from_parameters(json.loads(json.dumps(protocol.as_parameters()))) == protocol


def test_a_gallery_of_one_person_identifies_nobody():
    with pytest.raises(ProtocolError, match="one subject only, b"):
        resolve(PROTOCOLS["halves"], make_labels(["a", "b"]))


def test_training_and_tested_people_may_not_overlap():
    protocol = Protocol(
        name="mine",
        description="",
        train=(SubjectRange("001", "003"),),
        test=(SubjectRange("003", "004"),),
        gallery=(Walks("nm"),),
        probes=(ProbeSet("nm", (Walks("bg"),)),),
    )
    with pytest.raises(ProtocolError, match="puts 003 among"):
        split_subjects(protocol, make_labels(numbered(1, 4)))


@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        (numbered(1, 124), "casia-b-62-62"),
        ([name for name in numbered(1, 124) if name != "005"], "casia-b-62-62"),
        (numbered(1, 36), "halves"),
        (numbered(1, 125), "halves"),
        (["ann", "ben", "cid"], "halves"),
        (["ann", "ben"], "everybody"),
    ],
)
def test_the_default_protocol(subjects, expected):
    labels = make_labels(subjects, walks=[("nm", 1), ("nm", 5)])
    assert default_protocol(labels).name == expected


def test_who_wants_to_train_gets_a_protocol_that_trains_somebody():
    labels = make_labels(["ann", "ben"], walks=[("nm", 1)])
    assert default_protocol(labels, trains=True).name == "halves"


def test_nobody_needs_to_train(tmp_path):
    path = tmp_path / "all.toml"
    path.write_text(protocol_toml(replace(PROTOCOLS["halves"], name="all", train=())))
    protocol = load_protocol(path)
    assert protocol.train == ()
    assert Protocol.from_parameters(protocol.as_parameters()) == protocol
    people = split_subjects(protocol, make_labels(["ann", "ben"], walks=[("nm", 1)]))
    assert people == ((), ("ann", "ben"))


def test_ranges_compare_numbers_of_equal_length_only():
    people = SubjectRange("001", "062")
    assert "062" in people
    assert "063" not in people
    assert "62" not in people
    assert "0010" not in people
    assert "ann" not in people
    assert "ann" in SubjectRange("ann", "ann")
    assert "b" not in SubjectRange("ann", "carl")


def test_all_takes():
    labels = make_labels(["a"], views=(0.0,))
    assert Walks("nm").mask(labels).sum() == 6
    assert str(Walks("nm")) == "nm (all takes)"


@pytest.mark.parametrize("name", list(PROTOCOLS))
def test_protocols_survive_json(name):
    protocol = get_protocol(name)
    data = json.loads(json.dumps(protocol.as_parameters()))
    assert Protocol.from_parameters(data) == protocol


def test_an_unknown_protocol_names_the_known_ones():
    with pytest.raises(OptionError, match=", ".join(PROTOCOLS)):
        get_protocol("casia")


def test_a_probe_set_needs_a_usable_and_distinct_name():
    fields = {"name": "mine", "description": "", "train": "first-half", "test": "rest"}
    walks = (Walks("nm"),)
    with pytest.raises(ProtocolError, match="a/b"):
        Protocol(**fields, gallery=walks, probes=(ProbeSet("a/b", walks),))
    with pytest.raises(ProtocolError, match="distinct"):
        Protocol(**fields, gallery=walks, probes=(ProbeSet("a", walks), ProbeSet("a", walks)))
    with pytest.raises(ProtocolError, match="gallery"):
        Protocol(**fields, gallery=(), probes=(ProbeSet("a", walks),))


def test_unknown_views_are_counted_in_the_description():
    labels = make_labels(["a"], walks=[("nm", 1), ("nm", 3)], views=(None,))
    assert describe_labels(labels) == ("1 subject (a); the walks nm-01, nm-03; views unknown")


def test_takes_that_are_dates_are_described_without_counting_to_them():
    walks = [("nm", take) for take in (1, 2, 3, 20_261_128_235_959, 2**62 - 1)]
    assert "the walks nm-01, nm-02, nm-03, nm-20261128235959, nm-4611686018427387903;" in (
        describe_labels(make_labels(["a"], walks=walks))
    )
    many = [("nm", take) for take in range(1, 100, 2)]
    assert "the walks nm-01, nm-03, nm-05, nm-07, nm-09, …;" in (
        describe_labels(make_labels(["a"], walks=many))
    )


def test_a_list_of_probes_may_leave_nothing_to_enrol():
    labels = make_labels(numbered(1, 4))
    listed = tuple((who, "nm", take) for who in ("003", "004") for take in range(1, 5))
    protocol = replace(get_protocol("halves"), name="mine", probe_sequences=listed)
    with pytest.raises(ProtocolError, match="gallery is empty: 16 such sequences are used otherw"):
        resolve(protocol, labels)


def test_somebody_of_the_tested_must_be_known():
    labels = make_labels(numbered(1, 4))
    protocol = replace(get_protocol("halves"), name="mine", unknown_people=("003", "004"))
    with pytest.raises(ProtocolError, match="everybody who is tested is of unknown_people") as e:
        resolve(protocol, labels)
    assert "those alone whom nobody knows" in e.value.hint


def test_all_empty_probe_sets_are_named():
    labels = make_labels(["ann", "bob"], walks=[("nm", 1), ("nm", 2)], views=(None,))
    with pytest.raises(ProtocolError) as caught:
        resolve(PROTOCOLS["everybody"], labels)
    assert caught.value.message == (
        "Protocol everybody: probe set nm is empty. It is nm-05, nm-06 of the tested people, and "
        "of their 4 sequences of condition nm none is take nm-05, nm-06; there are 2 subjects "
        "(ann, bob); the walks nm-01, nm-02; views unknown. 2 other probe sets are "
        "empty, too: bg, cl."
    )


@given(st.lists(st.text("abc01", min_size=1, max_size=3), min_size=4, max_size=12, unique=True))
def test_nobody_is_both_trained_on_and_tested(subjects):
    labels = make_labels(subjects, views=(0.0,))
    split = resolve(PROTOCOLS["halves"], labels)
    assert not np.any(split.train & (split.gallery | split.probe))
    assert not np.any(split.gallery & split.probe)
    assert len(split.subjects.test) - len(split.subjects.train) in (0, 1)
    assert sorted((*split.subjects.train, *split.subjects.test)) == sorted(subjects)


def test_a_toy_protocol_through_the_command_line(gaitkit, write_gei, tmp_path, monkeypatch):
    toy = replace(PROTOCOLS["halves"], name="toy", description="like halves", identical_view=True)
    monkeypatch.setitem(PROTOCOLS, "toy", toy)
    assert "toy" in gaitkit("protocol", "list").stdout
    assert gaitkit("evaluate", write_gei(), "--protocol", "toy", "--json").code == 0
    ran = gaitkit("evaluate", write_gei("other.h5"), "--protocol", "tyo")
    assert ran.code == 2
    assert "halves, toy" in ran.stderr


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_a_protocol_shows_itself_in_three_lines(protocol):
    assert len(repr(protocol).splitlines()) == 3
    assert len(repr(protocol)) < 400
    assert protocol.name in repr(protocol)
    assert "<table>" in protocol._repr_html_()


def test_a_protocol_of_many_people_is_short_too():
    people = tuple(SubjectRange(f"{n:03d}", f"{n:03d}") for n in range(500))
    protocol = replace(PROTOCOLS["halves"], name="<b>", test=people, description="x\n" * 300)
    assert len(repr(protocol).splitlines()) == 3
    assert len(repr(protocol)) < 600
    assert "&lt;b&gt;" in protocol._repr_html_()


def test_the_old_place_of_protocols_goes_on_working():
    from gaitkit.datasets import protocols as before

    assert before.get_protocol is get_protocol
    assert before.split_subjects is split_subjects
