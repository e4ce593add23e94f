import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaitkit.datasets.naming import (
    archive_stem,
    clean_text,
    in_natural_order,
    natural_order,
    parse_gei_name,
    parse_sequence,
    parse_view,
    stray_class,
)
from gaitkit.labels import format_view, sequence_name

_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=30)
_CONDITIONS = st.from_regex(r"[a-zäß]{1,8}", fullmatch=True)
_TAKES = st.integers(0, 10**9)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nm-01", ("nm", 1)),
        ("nm_1", ("nm", 1)),
        ("nm01", ("nm", 1)),
        ("nm-10", ("nm", 10)),
        ("00", ("walk", 0)),
        ("01", ("walk", 1)),
        ("-7", ("walk", 7)),
        ("normal", ("normal", 1)),
        ("fast walk 3", ("fast walk", 3)),
        ("2024-01-05", ("2024-01", 5)),
        ("bag-", ("bag-", 1)),
        ("nm-01b", ("nm-01b", 1)),
        ("x" + "9" * 30, ("x" + "9" * 12, 999999999999999999)),
    ],
)
def test_sequence_folders_are_a_condition_and_a_take(name, expected):
    assert parse_sequence(name) == expected


@given(_CONDITIONS, _TAKES, st.sampled_from(["-", "_", "", " ", "--"]))
def test_separators_do_not_matter(condition, take, separator):
    assert parse_sequence(f"{condition}{separator}{take}") == (clean_text(condition), take)


@given(_CONDITIONS, _TAKES)
def test_our_own_names_of_sequences_are_read_back(condition, take):
    assert parse_sequence(sequence_name(condition, take)) == (clean_text(condition), take)


@given(_TEXT)
def test_any_folder_gives_a_condition_that_is_not_empty(name):
    condition, take = parse_sequence(name)
    assert condition
    assert 0 <= take < 2**63


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("000", 0.0),
        ("18", 18.0),
        ("22.5", 22.5),
        ("-30", -30.0),
        ("+45", 45.0),
        ("360", 360.0),
        ("left", None),
        ("nm-01", None),
        ("090deg", None),
        ("", None),
        ("nan", None),
        ("1e2", None),
        ("٠٩٠", None),
        ("18.", None),
    ],
)
def test_views_are_numbers_of_degrees(name, expected):
    assert parse_view(name) == expected


@given(st.floats(-720, 720).map(lambda view: round(view, 6) + 0.0))
def test_our_own_names_of_views_are_read_back(view):
    assert parse_view(format_view(view)) == view


def test_minus_zero_is_zero():
    assert format_view(parse_view("-0")) == "000"


def test_text_is_composed_so_that_a_zip_from_macos_has_the_same_people():
    assert clean_text("Ame\u0301lie") == "Am\u00e9lie"


def test_undecodable_bytes_become_text_that_can_be_stored():
    assert clean_text("caf\udce9").encode() == "caf\ufffd".encode()


@pytest.mark.parametrize("half", [0xD800, 0xDC7F, 0xDD00, 0xDFFF])
def test_half_a_character_that_stands_for_no_byte_is_replaced_as_well(half):
    assert clean_text(f"a{chr(half)}b") == "a\ufffdb"


def test_frames_are_counted_not_spelt():
    names = ["f-10.png", "f-9.png", "f-1.png", "a.png", "7.png"]
    assert sorted(names, key=natural_order) == ["7.png", "a.png", "f-1.png", "f-9.png", "f-10.png"]


@given(st.lists(st.integers(0, 999), min_size=1, max_size=20))
def test_names_of_equal_width_sort_as_text(numbers):
    names = [f"001-nm-01-000-{number:03d}.png" for number in numbers]
    assert sorted(names, key=natural_order) == sorted(names)


@given(st.lists(_TEXT, max_size=8))
def test_any_names_can_be_sorted(names):
    assert sorted(sorted(names, key=natural_order)) == sorted(names)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("001.tar.gz", "001"),
        ("Ann.B.TGZ", "Ann.B"),
        ("x.zip", "x"),
        (".zip", None),
        ("x.png", None),
    ],
)
def test_archives_are_told_by_their_suffix(name, expected):
    assert archive_stem(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Thumbs.db", "system files"),
        (".DS_Store", "system files"),
        ("__MACOSX", "system files"),
        ("._001.png", "hidden files"),
        ("notes.txt", "files that are not images"),
        ("mean.png", "images at another depth"),
        ("001.tar.gz", "archives"),
    ],
)
def test_strays_are_counted_by_class(name, expected):
    assert stray_class(name) == expected


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("001-nm-01-090", ("001", "nm-01", 90.0)),
        ("00001-00-090", ("00001", "00", 90.0)),
        ("ann-normal-090", ("ann", "normal", 90.0)),
        ("001-nm-01--30", ("001", "nm-01", -30.0)),
        ("001-nm-01-090-001", None),
        ("001-nm-01-left", None),
        ("090", None),
    ],
)
def test_names_of_flat_geis(stem, expected):
    assert parse_gei_name(stem) == expected


@given(st.lists(st.text("019ab-\u0661", max_size=6)), st.lists(st.integers(0, 999)))
def test_names_in_order_are_as_sorted_one_by_one(names, numbers):
    for some in (names, [f"walk-{number:03d}.png" for number in numbers]):
        assert in_natural_order(some) == sorted(some, key=natural_order)
