import csv
import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaitkit.datasets.layouts import open_source, recognise
from gaitkit.datasets.manifest import COLUMNS, GeiManifestSource, ManifestSource, parse_manifest
from gaitkit.errors import DatasetError, LayoutError
from gaitkit.labels import SequenceKey


def keys(text):
    return [row.key for row in parse_manifest(text, "people.csv")]


def refusal(text):
    with pytest.raises(DatasetError) as caught:
        parse_manifest(text, "people.csv")
    return caught.value.message


def test_all_columns():
    assert parse_manifest("path,subject,condition,take,view\na/b,anna,bg,2,54\n") == [
        (2, "a/b", SequenceKey("anna", "bg", 2, 54.0))
    ]


def test_what_is_missing_has_a_default():
    assert keys("path,subject\na,anna") == [SequenceKey("anna", "nm", 1, None)]
    assert keys("path,subject,condition,take,view\na,anna,,,") == [
        SequenceKey("anna", "nm", 1, None)
    ]


@pytest.mark.parametrize("view", ["", "unknown", "Unknown"])
def test_a_view_may_be_unknown(view):
    assert keys(f"path,subject,view\na,anna,{view}")[0].view is None


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffpath,subject,view\na,anna,90\n",
        "path;subject;view\r\na;anna;90\r\n",
        "path\tsubject\tview\na\tanna\t90",
        "View, Subject ,PATH,,\n90, anna ,a,,\n\n,,,,\n",
        '"path","subject","view"\n"a","anna","90"\n',
    ],
)
def test_what_spreadsheets_write(text):
    assert parse_manifest(text)[0][1:] == ("a", SequenceKey("anna", "nm", 1, 90.0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "people.csv is empty"),
        ("path,subject\n", "people.csv lists no sequence below its header line"),
        (
            "path,subject,veiw\na,b,1",
            "the header of people.csv has a column 'veiw'; 'view' may be meant; the columns are "
            "path, subject, condition, take, view",
        ),
        (
            "path,view\na,1",
            "the header of people.csv lacks the column 'subject'; it has path, view",
        ),
        ("path,path,subject\n", "the header of people.csv has the column 'path' twice"),
        ("path,subject\na,b,c", "line 2 of people.csv has 3 values for 2 columns"),
        (
            "path,subject\n\na,\n",
            "line 3 of people.csv, column subject: expected a text that is not empty, got ''",
        ),
        (
            "path,subject\n,anna",
            "line 2 of people.csv, column path: expected a text that is not empty, got ''",
        ),
        (
            "path,subject\na,x/y",
            "line 2 of people.csv, column subject: expected a text without /, got 'x/y'",
        ),
        (
            "path,subject,take\na,b,-1",
            "line 2 of people.csv, column take: expected a whole number, 0 or more, got '-1'",
        ),
        (
            "path,subject,view\na,b,left",
            "line 2 of people.csv, column view: expected degrees of at most a full circle (360), "
            "or nothing where it is unknown, got 'left'",
        ),
        (
            "path,subject,view\na,b,90\nc,b,1000",
            "line 3 of people.csv, column view: expected degrees of at most a full circle (360), "
            "or nothing where it is unknown, got '1000'",
        ),
        (
            "path,subject,view\na,b,inf",
            "line 2 of people.csv, column view: expected degrees of at most a full circle (360), "
            "or nothing where it is unknown, got 'inf'",
        ),
        (
            "path,subject,take\na,b,1.5",
            "line 2 of people.csv, column take: expected a whole number, 0 or more, got '1.5'",
        ),
        (
            "path,subject\na,nan",
            "line 2 of people.csv, column subject: expected a text that is not empty, got ''",
        ),
        (
            "path,subject\na,b\nc,d\ne,b",
            "lines 2 and 4 of people.csv stand for the same sequence b/nm-01/unknown",
        ),
    ],
)
def test_errors_name_line_and_column(text, message):
    assert refusal(text) == message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("path,subject,take,view\na,1,1.0,90.0\nb,2,,\n", ["1/nm-01/090", "2/nm-01/unknown"]),
        ("path,subject,view\na,1,nan\n", ["1/nm-01/unknown"]),
        ("path,subject,condition,take,view\na,1,NaN,<NA>,None\n", ["1/nm-01/unknown"]),
        (",path,subject\n0,a,1\n1,b,2\n", ["1/nm-01/unknown", "2/nm-01/unknown"]),
        ("Unnamed: 0,path,subject\n0,a,1\n", ["1/nm-01/unknown"]),
        ("path,subject\na,1.0\nb,2.0\n", ["1/nm-01/unknown", "2/nm-01/unknown"]),
        ("path,subject\na,1.0\nb,anna\n", ["1.0/nm-01/unknown", "anna/nm-01/unknown"]),
        ("path;subject;view\na;1;22,5\n", ["1/nm-01/022.5"]),
        ("path,subject,view\na,1,90°\nb,1,36 °\n", ["1/nm-01/090", "1/nm-01/036"]),
        ('path,subject,view\na,1,"22,5"\n', ["1/nm-01/022.5"]),
        ("path;subject;take\na;1;2,0\n", ["1/nm-02/unknown"]),
        ("sep=;\r\npath;subject\r\na;1\r\n", ["1/nm-01/unknown"]),
        ("path,subject,date,time,object,views,view\na,1,x,y,z,u,90\n", ["1/nm-01/090"]),
        ("path,subject\na,NA\n", ["NA/nm-01/unknown"]),
        ("path,subject,age,age\na,1,31,32\n", ["1/nm-01/unknown"]),
    ],
)
def test_what_pandas_and_spreadsheets_make_of_a_table(text, expected):
    assert [str(key) for key in keys(text)] == expected


@pytest.mark.parametrize("name", ["veiw", "views", "tak", "vew"])
def test_a_column_that_is_spelled_wrongly_is_no_column_of_ones_own(name):
    assert "may be meant" in refusal(f"path;subject;{name}\na;b;1\n")


_CELLS = st.tuples(
    st.from_regex(r"[a-z]{1,6}", fullmatch=True),
    st.integers(1, 200),
    st.sampled_from(["nm", "bg", None]),
    st.one_of(st.none(), st.integers(0, 99)),
    st.one_of(st.none(), st.integers(-180, 360), st.sampled_from([22.5, 67.5])),
)


def as_pandas(value, gap, missing, comma):
    """A cell as DataFrame.to_csv writes it: whole numbers beside a gap have become real ones."""
    if value is None:
        return missing
    text = str(float(value)) if gap and isinstance(value, int) else str(value)
    return f"{text}".replace(".", comma) if isinstance(value, float | int) else text


@given(
    st.lists(_CELLS, min_size=1, max_size=8, unique_by=lambda row: row[0]),
    st.sampled_from(["", "nan", "NaN", "None", "<NA>"]),
    st.sampled_from([",", ";", "\t"]),
    st.booleans(),
)
def test_a_table_reads_the_same_however_it_was_written(rows, missing, mark, index):
    plain = io.StringIO()
    csv.writer(plain).writerows([COLUMNS, *(["" if c is None else c for c in r] for r in rows)])
    gaps = [any(row[column] is None for row in rows) for column in range(5)]
    pandas = io.StringIO()
    writer = csv.writer(pandas, delimiter=mark)
    writer.writerow([*([""] if index else []), *COLUMNS, "age"])
    for number, row in enumerate(rows):
        cells = [
            as_pandas(value, gap or index, missing, "," if mark == ";" else ".")
            for value, gap in zip(row, gaps, strict=True)
        ]
        writer.writerow([*([number] if index else []), *cells, 31])
    try:
        expected = keys(plain.getvalue())
    except DatasetError:
        assert "stand for the same sequence" in refusal(pandas.getvalue())
        return
    assert keys(pandas.getvalue()) == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_a_table_of_excel_may_be_utf_16(tree, encoding):
    bom = b"\xfe\xff" if encoding == "utf-16-be" else b""
    text = "path\tsubject\n001/nm-01/018\t张三\n"
    (tree / "people.csv").write_bytes(bom + text.encode(encoding))
    (unit,) = ManifestSource(tree / "people.csv").units()
    assert unit.work[0].key.subject == "张三"


def test_columns_that_are_passed_over_are_named_once(tree, caplog):
    (tree / "people.csv").write_text(",path,subject,age\n0,001/nm-01/018,anna,31\n")
    source = ManifestSource(tree / "people.csv")
    with caplog.at_level("INFO", "gaitkit"):
        source.units()
        source.refuse_changed()
    (message,) = caplog.messages
    assert message.endswith(
        "people.csv: a column without a name, 'age'; its columns are path, subject, condition, "
        "take, view."
    )


@pytest.mark.parametrize(
    ("rows", "warned"),
    [
        ("001/nm-01/000,1\n001/nm-01/018,1\n", True),
        ("001/nm-01/000,001\n001/nm-01/018,001\n", False),
        ("001/nm-01/000,1\n001/nm-01/018,7\n", False),
        ("001/nm-01/000,anna\n", False),
    ],
)
def test_zeros_that_a_spreadsheet_took_away_are_missed(tree, caplog, rows, warned):
    rows = "".join(f"{row},{take}\n" for take, row in enumerate(rows.split()))
    (tree / "people.csv").write_text(f"path,subject,take\n{rows}")
    ManifestSource(tree / "people.csv").units()
    assert any("without the zeros" in message for message in caplog.messages) == warned


def test_a_manifest_of_images_lists_ready_made_geis(tree, contents):
    (tree / "geis.csv").write_text(
        "path,subject,view\n001\\nm-01\\018\\001-nm-01-018-001.png,anna,18\n"
    )
    assert recognise(tree / "geis.csv") == "gei-manifest"
    (found,) = contents(GeiManifestSource(tree / "geis.csv")).items()
    assert found[0] == "anna/nm-01/018"
    assert [name for name, _ in found[1]] == ["001-nm-01-018-001.png"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (("001/nm-01/018/001-nm-01-018-001.png", "001/nm-01/000"), "is no image, and the first"),
        (("001/nm-01/000", "001/nm-01/018/001-nm-01-018-001.png"), "is a single image, and the"),
        (("001/nm-01/018/001-nm-01-018-001.png", "gone.png"), "there is no file"),
    ],
)
def test_a_manifest_is_of_images_or_has_none(tree, rows, message):
    text = "".join(f"{row},{number}\n" for number, row in enumerate(rows))
    (tree / "people.csv").write_text(f"path,subject\n{text}")
    with pytest.raises(LayoutError) as caught:
        open_source(tree / "people.csv", holds=None).units()
    assert caught.value.message.startswith(f"line 3 of {tree}/people.csv, column path: ")
    assert message in caught.value.message


def test_an_open_quotation_is_an_error():
    assert "is not CSV" in refusal('path,subject\n"a,b\n')


@given(st.text(max_size=80))
def test_any_text_is_a_manifest_or_an_error(text):
    with suppress(DatasetError):
        assert parse_manifest(text)


def test_folders_relative_to_the_manifest(tree, contents):
    (tree / "people.csv").write_text(
        "path;subject;view\nZoë/cl-02/-22.5;Zoë;\n001\\nm-01\\018;anna;18\n", encoding="utf-8"
    )
    (tree / "001/nm-01/018/notes.txt").write_text("x")
    source = ManifestSource(tree / "people.csv")
    found = contents(source)
    assert {key: [name for name, _ in frames] for key, frames in found.items()} == {
        "Zoë/nm-01/unknown": ["1.png", "2.png", "10.png"],
        "anna/nm-01/018": ["001-nm-01-018-001.png"],
    }
    assert source.name == "people"
    assert source.ignored == {"files that are not images": 1}


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("gone", "there is no file or folder"),
        ("001", "there is no image directly in the folder"),
        ("data.zip", "is an archive: unpack it"),
        ("people.csv", "is no video that gaitkit knows"),
    ],
)
def test_paths_are_looked_at_first(tree, path, message):
    (tree / "data.zip").write_bytes(b"x")
    (tree / "people.csv").write_text(f"path,subject\n{path},anna")
    with pytest.raises(LayoutError) as caught:
        ManifestSource(tree / "people.csv").units()
    assert caught.value.message.startswith(f"line 2 of {tree}/people.csv, column path: ")
    assert message in caught.value.message


def test_other_encodings_are_named(tmp_path):
    (tmp_path / "people.csv").write_bytes(b"path,subject\na,Zo\xeb\n")
    with pytest.raises(DatasetError, match=r"line 2 of .* is not UTF-8 text"):
        ManifestSource(tmp_path / "people.csv").units()


def test_a_manifest_that_is_not_there(tmp_path):
    with pytest.raises(DatasetError, match="There is no file or folder"):
        ManifestSource(tmp_path / "people.csv").units()


def test_a_path_that_stands_twice_is_told(tree, caplog):
    text = "path,subject\n001/nm-01/018,anna\n./001/nm-01/018,zoe\n"
    (tree / "people.csv").write_text(text)
    ManifestSource(tree / "people.csv").units()
    (message,) = caplog.messages
    assert "1 line of " in message
    assert (
        "has a path that another line has: './001/nm-01/018' is anna/nm-01/unknown in line 2 and "
        "zoe/nm-01/unknown in line 3." in message
    )


@pytest.mark.parametrize(
    ("path", "hint"), [("a", "Leave one of the two out: they are equal."), ("c", "different takes")]
)
def test_lines_of_one_sequence_are_told_apart(path, hint):
    with pytest.raises(DatasetError) as caught:
        parse_manifest(f"path,subject\na,b\n{path},b", "people.csv")
    assert hint in caught.value.hint
