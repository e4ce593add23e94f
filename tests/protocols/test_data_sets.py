"""The protocols of the field's data sets, on labels as their layouts give them."""

import json
import logging
import re
from dataclasses import replace

import numpy as np
import pytest

from gaitkit.errors import ProtocolError
from gaitkit.labels import Labels, SequenceKey
from gaitkit.protocols import (
    PROTOCOLS,
    Protocol,
    SubjectRange,
    default_protocol,
    get_protocol,
    load_protocol,
    protocol_toml,
    resolve,
    split_subjects,
)
from gaitkit.protocols.model import compressed


def labels_of(*keys):
    return Labels.from_keys(SequenceKey(*key) for key in keys)


def mvlp(people):
    return labels_of(
        *(
            (f"{p:05d}", "walk", take, view)
            for p in people
            for take in (0, 1)
            for view in (0.0, 90.0)
        )
    )


GAIT3D = labels_of(
    ("0001", "camid0", 2000, None),
    *((who, "camid0", 2000, None) for who in ("3000", "3001")),
    *((who, "camid4", 2001, None) for who in ("3000", "3001")),
    ("3002", "camid1", 1000, None),
)
PARTITION = {
    "TRAIN_SET": ["0001"],
    "TEST_SET": ["3000", "3001", "3002"],
    "PROBE_SET": ["3000-camid0_videoid2-seq0", "3002-camid1_videoid1-seq0"],
}
GREW = labels_of(
    ("00001train", "aaaaaaaa", 0, None),
    ("00001", "bbbbbbbb", 1, None),
    ("00001", "cccccccc", 2, None),
    ("00002", "dddddddd", 1, None),
    ("probe", "eeeeeeee", 3, None),
)


def test_odd_numbers_of_ou_mvlp_train_and_even_ones_and_the_last_are_tested():
    people = split_subjects("ou-mvlp", mvlp(range(1, 10308)))
    assert (len(people.train), len(people.test)) == (5153, 5154)
    assert people.train[:2] == ("00001", "00003")
    assert people.test[-2:] == ("10306", "10307")


def test_ou_mvlp_searches_take_0_in_take_1():
    labels = mvlp(range(1, 9))
    split = resolve(default_protocol(labels), labels)
    assert split.protocol.name == "ou-mvlp"
    assert set(labels.take[split.gallery]) == {1}
    assert set(labels.take[split.probe]) == {0}
    assert set(labels.subject[split.gallery]) == {"00002", "00004", "00006", "00008"}


@pytest.mark.parametrize("first", [0, 1])
def test_casia_c_enrols_normal_walks_wherever_its_takes_begin(first):
    labels = labels_of(
        *((who, "fn", take, None) for who in ("001", "002") for take in range(first, first + 4)),
        *((who, kind, first, None) for who in ("001", "002") for kind in ("fs", "fq", "fb")),
    )
    split = resolve(default_protocol(labels), labels)
    assert set(labels.condition[split.gallery]) == {"fn"}
    assert all(rows.any() for rows in split.probes.values())
    assert not np.any(split.gallery & split.probe)
    assert np.all(split.gallery | split.probe)


def test_casia_a_searches_take_4():
    labels = labels_of(
        *(
            (who, "nm", t, v)
            for who in ("fyc", "hy")
            for t in (1, 2, 3, 4)
            for v in (0.0, 45.0, 90.0)
        )
    )
    split = resolve(default_protocol(labels), labels)
    assert split.protocol.name == "casia-a"
    assert set(labels.take[split.probe]) == {4}


def test_nobody_knows_whom_grews_probes_show():
    split = resolve(default_protocol(GREW), GREW)
    assert split.subjects.train == ("00001train",)
    assert GREW.subject[split.gallery].tolist() == ["00001", "00001", "00002"]
    assert not split.probe.any()
    assert GREW.subject[split.nameless].tolist() == ["probe"]


def test_gait3d_needs_its_list(tmp_path):
    with pytest.raises(ProtocolError, match="needs its list of probes"):
        resolve("gait3d", GAIT3D)
    path = tmp_path / "Gait3D.json"
    path.write_text(json.dumps(PARTITION))
    split = resolve(path, GAIT3D)
    (probe,) = np.flatnonzero(split.probe)
    assert str(GAIT3D.key(probe)) == "3000/camid0-2000/unknown"
    assert split.skipped == {"probe": 1}
    assert int(split.gallery.sum()) == 3
    assert Protocol.from_parameters(split.protocol.as_parameters()) == split.protocol


@pytest.mark.parametrize(("written", "there"), [("4", "00004"), ("00004", "4"), (4, "00004")])
def test_names_of_a_partition_match_with_or_without_zeros(tmp_path, written, there):
    labels = labels_of(*((who, "walk", t, 0.0) for who in (there, "00006") for t in (0, 1)))
    labels = replace(
        labels, condition=np.where(labels.take < 9, "nm", ""), take=labels.take * 5 + 1
    )
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"TRAIN_SET": [], "TEST_SET": [written, "00006"]}))
    labels.take[labels.take == 6] = 5
    split = resolve(path, labels)
    assert set(split.subjects.test) == {there, "00006"}
    assert set(labels.take[split.gallery]) == {1}
    assert split.protocol.name == "mine"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "expected the keys TRAIN_SET and TEST_SET"),
        ("{", "JSON"),
        ('{"TRAIN_SET": 3, "TEST_SET": []}', "TRAIN_SET: expected a list"),
        ('{"TRAIN_SET": [], "TEST_SET": []}', "nobody is tested"),
        ('{"TRAIN_SET": ["1"], "TEST_SET": ["1"]}', "1 are in TRAIN_SET and in TEST_SET"),
        ('{"TRAIN_SET": [], "TEST_SET": ["1"], "PROBE_SET": ["x"]}', "PROBE_SET: expected names"),
        ('{"TRAIN_SET": [], "TEST_SET": [[]]}', "TEST_SET: expected names"),
    ],
)
def test_a_file_that_is_no_partition(tmp_path, text, message):
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(ProtocolError, match=message):
        get_protocol(path)


def test_a_partition_of_walks_that_nobody_knows_says_what_to_do(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"TRAIN_SET": [], "TEST_SET": ["a", "b"]}))
    labels = labels_of(*((who, "jog", take, None) for who in "ab" for take in (1, 2)))
    with pytest.raises(ProtocolError, match="no known data set: jog"):
        resolve(path, labels)


@pytest.mark.parametrize("name", list(PROTOCOLS))
def test_every_protocol_is_the_same_again_as_text_and_as_parameters(tmp_path, name):
    path = tmp_path / "again.toml"
    path.write_text(protocol_toml(PROTOCOLS[name]))
    assert load_protocol(path) == PROTOCOLS[name]
    parameters = json.loads(json.dumps(PROTOCOLS[name].as_parameters()))
    assert Protocol.from_parameters(parameters) == PROTOCOLS[name]


def test_many_names_are_few_ranges():
    names = [f"{n:05d}" for n in range(1, 10306, 2)]
    (people,) = compressed(names)
    assert people == SubjectRange("00001", "10305", 2)
    assert list(people.names()) == names
    assert len(people) == len(names)
    assert "00007" in people
    assert "00008" not in people
    assert "10307" not in people
    odd = ["b", "003", "a", "001", "0002"]
    assert sorted(who for one in compressed(odd) for who in one.names()) == sorted(odd)


# --- advice ---

ADVICE = {
    "Gait3D's others": [("4001", "camid0", t, None) for t in (0, 1000)]
    + [("4002", "camid3", t, None) for t in (0, 2000)],
    "Gait3D without its list": [(f"300{n}", "camid0", t, None) for n in (0, 1) for t in (0, 1000)],
    "OU-MVLP's training people": [
        (who, "walk", t, view) for who in ("00001", "00003") for t in (0, 1) for view in (0.0, 90.0)
    ],
    "CASIA-C, one person of two with bags": [
        (who, how, t, None)
        for who in ("001", "002")
        for how, t in (("fn", 3), ("fn", 4), ("fb", 1))
    ],
    "GREW's training people": [
        (f"0000{n}train", walk, 0, None) for n in (1, 2) for walk in ("AbcdEfgh", "BcdeFghi")
    ],
    "own people": [(who, "nm", t, None) for who in ("alice", "bob") for t in (1, 2)],
    "CASIA-B's first takes": [(who, "nm", t, 90.0) for who in ("001", "002") for t in (1, 2, 3, 4)],
}


def hint_of(protocol, labels):
    """What is advised where a protocol does not fit; `None` where it does."""
    try:
        resolve(protocol, labels)
    except ProtocolError as error:
        return str(error.hint)
    return None


NAMED = ("casia-b-62-62", "casia-a", "casia-c", "ou-mvlp", "grew", "gait3d", "halves", "everybody")


@pytest.mark.parametrize("data", ADVICE)
@pytest.mark.parametrize("protocol", NAMED)
def test_what_is_advised_where_a_protocol_does_not_fit_works(data, protocol):
    labels = Labels.from_keys([SequenceKey(*key) for key in ADVICE[data]])
    hint = hint_of(protocol, labels)
    if hint is not None:
        (named,) = re.findall(r"`protocol='(.*?)'`", hint)
        split = resolve(named, labels)
        assert any(rows.any() for rows in split.probes.values())


@pytest.mark.parametrize("data", ADVICE)
def test_halves_takes_the_walks_that_there_are_where_none_is_called_as_in_casia_b(data, caplog):
    caplog.set_level(logging.INFO)
    labels = Labels.from_keys([SequenceKey(*key) for key in ADVICE[data]])
    if "nm" in labels.conditions() or "CASIA-C" in data:
        return
    # Of four people two are tested.
    keys = labels.keys()
    more = [SequenceKey("9" + key.subject[1:], *key[1:]) for key in keys]
    split = resolve("halves", Labels.from_keys([*keys, *more]))
    assert len(split.subjects.train) == 2
    assert split.gallery.any()
    assert "protocol halves: the first half of the sorted subjects trains" in caplog.text
    assert "walks as in" in caplog.text


def test_who_has_one_walk_is_told_what_is_missing():
    labels = Labels.from_keys([SequenceKey(who, "nm", 1, None) for who in ("alice", "bob")])
    with pytest.raises(ProtocolError) as caught:
        resolve("ou-mvlp", labels)
    assert "a second recording of one of them" in str(caught.value.hint)
