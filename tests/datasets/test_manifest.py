from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaitkit.datasets.manifest import ManifestSource, parse_manifest
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
            "line 2 of people.csv, column view: expected degrees, or nothing where it is unknown, "
            "got 'left'",
        ),
        (
            "path,subject,view\na,b,nan",
            "line 2 of people.csv, column view: expected degrees, or nothing where it is unknown, "
            "got 'nan'",
        ),
        (
            "path,subject\na,b\nc,d\ne,b",
            "lines 2 and 4 of people.csv stand for the same sequence b/nm-01/unknown",
        ),
    ],
)
def test_errors_name_line_and_column(text, message):
    assert refusal(text) == message


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
