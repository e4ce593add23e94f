"""A table of keys is the list of them, in less room."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaitkit.artifacts.schema import canonical_json
from gaitkit.labels import Labels, SequenceKey
from gaitkit.stages.key_table import KeyTable
from gaitkit.stages.piecework import source_digest

KEYS = st.builds(
    SequenceKey,
    st.sampled_from(["001", "002", "10", "é", ""]),
    st.sampled_from(["nm", "bg"]),
    st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3),
    st.none() | st.sampled_from([0.0, -0.0, 90, 90.0, 22.5]),
)


@given(st.lists(KEYS, max_size=12))
def test_order_and_labels_are_those_of_the_list(keys: list[SequenceKey]) -> None:
    table = KeyTable()
    for key in keys:
        table.append(key)
    assert [table[row] for row in range(len(table))] == keys
    order = table.order().tolist()
    assert order == sorted(range(len(keys)), key=lambda row: keys[row].order)
    found, expected = table.labels(order), Labels.from_keys([keys[row] for row in order])
    assert found.keys() == expected.keys()
    for name in ("subject", "condition", "take", "view"):
        assert getattr(found, name).dtype == getattr(expected, name).dtype


@given(st.lists(st.tuples(KEYS, st.sampled_from("abc")), max_size=12))
def test_the_digest_of_a_source_goes_over_its_sorted_keys(
    rows: list[tuple[SequenceKey, str]],
) -> None:
    records = [(key, hashlib.sha256(text.encode()).hexdigest()) for key, text in rows]
    plain = hashlib.sha256()
    for key, digest in sorted(records, key=lambda row: (row[0].order, row[1])):
        plain.update(canonical_json([*key, digest]).encode() + b"\n")
    numbers = [(key.order, str(key.view)) for key in (row[0] for row in records)]
    if len({order for order, _ in numbers}) == len(set(numbers)):  # 90 or 90.0, not both.
        assert source_digest(records) == plain.hexdigest()


def test_what_is_no_digest_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a SHA-256, found 1 bytes"):
        KeyTable(digests=True).append(SequenceKey("001", "nm", 1, 90.0), "00")


def test_no_keys_are_no_rows() -> None:
    assert len(KeyTable().labels(np.empty(0, np.int64))) == 0
    assert KeyTable().order().tolist() == []
