"""What the README and the pages in docs/ show runs, and what they point to is there."""

import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import click
import pytest

from gaitkit.cli.main import COMMANDS, cli
from gaitkit.protocols import get_protocol, split_subjects
from gaitkit.training.options import TrainingOptions
from gaitkit.training.store import load_history
from gaitkit.translators import GeiSet, registry, train

ROOT = Path(__file__).parents[1]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}


def fences(page: str, language: str = "") -> list[str]:
    """The blocks of code of a page that are in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGES[page], re.DOTALL | re.MULTILINE)


def prose(page: str) -> str:
    return re.sub(r"^```.*?^```$", "", PAGES[page], flags=re.DOTALL | re.MULTILINE)


def inline_code(page: str) -> list[str]:
    return [" ".join(code.split()) for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", prose(page))]


def command_lines() -> list[tuple[str, str, bool]]:
    """Page and text of every ``gaitkit ...``, and whether it is in a block, and so a whole one."""
    found = []
    for page in PAGES:
        lines = [
            part.strip()
            for block in fences(page)
            for line in block.replace("\\\n", " ").splitlines()
            for part in line.split("&&")
        ]
        # Several processes are started by torchrun -m gaitkit.
        texts = [line.partition("-m ")[2] if "torchrun" in line else line for line in lines]
        found += [(page, text, True) for text in texts]
        found += [(page, text, False) for text in inline_code(page)]
    return [line for line in found if re.match(r"gaitkit [a-z]", line[1])]


def test_the_python_examples_run(
    gaitkit: Callable,
    tiny_tree: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert gaitkit("make-gei", tiny_tree, "-o", tmp_path / "gei.h5", "--workers", 1).code == 0
    monkeypatch.chdir(tmp_path)
    notebook: dict[str, object] = {}
    front, first, second = fences("README.md", "python")
    exec(compile(front, "README.md", "exec"), notebook)
    assert capsys.readouterr().out == "(64, 64) uint8\n"
    exec(compile(first, "README.md", "exec"), notebook)
    assert capsys.readouterr().out == "(120, 64, 64) uint8 2 2\n"

    # As it stands there, it trains for a minute.
    small = second
    for setting, less in (("width=32", 2), ("iterations=1000", 4), ("batch_size=32", 4)):
        assert small.count(setting) == 1
        small = small.replace(setting, f"{setting.split('=')[0]}={less}")
    exec(compile(small, "README.md", "exec"), notebook)
    told = re.fullmatch(
        r"\(60, 64, 64\) float32 \{'bg': ([\d.]+), 'cl': ([\d.]+), 'nm': ([\d.]+)\}\n",
        capsys.readouterr().out,
    )
    assert told is not None
    assert all(0 <= float(rate) <= 100 for rate in told.groups())


def test_a_sixth_system_is_one_file_and_one_line(
    gaitkit: Callable, tiny_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, line = fences("docs/extending.md", "python")
    assert len([text for text in module.splitlines() if text.strip()]) <= 28
    monkeypatch.setitem(sys.modules, "gaitkit.translators.linear", ModuleType("linear"))
    exec(compile(module, "linear.py", "exec"), vars(sys.modules["gaitkit.translators.linear"]))
    monkeypatch.setattr(registry, "TRANSLATORS", dict(registry.TRANSLATORS))
    exec(compile(line, "registry.py", "exec"), vars(registry))
    geis, model, translated = (tmp_path / f"{name}.h5" for name in ("gei", "linear", "t"))
    assert gaitkit("make-gei", tiny_tree, "-o", geis, "--workers", 1).code == 0
    subjects = split_subjects(get_protocol("halves"), GeiSet.open(geis).labels).train
    # The command's choices were made before the line was added; what it calls was not.
    train(
        geis,
        model,
        subjects=subjects,
        system="linear",
        options=TrainingOptions(iterations=30, batch_size=4, log_every=10),
    )
    losses = [row[0] for row in load_history(model).losses]
    assert losses[-1] < losses[0]
    assert "a toy" in gaitkit("models").stdout
    assert gaitkit("translate", geis, "--model", model, "-o", translated).code == 0
    assert gaitkit("evaluate", translated, "--protocol", "halves").code == 0


def test_python_is_shown_only_where_it_is_run() -> None:
    run = {"README.md", "docs/extending.md", "docs/tour.md"}
    assert {page for page in PAGES if fences(page, "python")} <= run


def make_input(word: str) -> None:
    """Something under the name of a file or folder that a command reads."""
    path = Path(word)
    if word.endswith("/") or word == "GEI_CASIA_B/gei":
        path.mkdir(parents=True, exist_ok=True)
    elif path.suffix in (".h5", ".csv", ".npz", ".zip", ".mp4", ".tflite"):
        path.touch()


@pytest.mark.parametrize(("page", "line", "whole"), command_lines())
def test_every_command_is_one_that_click_accepts(
    gaitkit: Callable,
    page: str,
    line: str,
    whole: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(gaitkit("protocol", "show", "halves").stdout, "utf-8")
    _, name, *words = shlex.split(line.partition(" > ")[0].partition("  #")[0])
    for word in words:
        make_input(word)
    group = click.Context(cli, info_name="gaitkit")
    command: click.Command | None = cli.get_command(group, name)
    if isinstance(command, click.Group) and words:
        command = command.get_command(group, words.pop(0))
    assert command is not None, f"{page}: there is no command {name}"
    try:
        # Reads and checks every option and argument, and does nothing.
        command.make_context(name, words, parent=group)
    except click.MissingParameter:
        # A sentence may name a command without what it takes.
        if whole:
            raise


def test_commands_are_found_in_blocks_and_in_sentences() -> None:
    lines = [line for _, line, _ in command_lines()]
    assert "gaitkit demo" in lines
    assert "gaitkit train-gan gei.h5 -o gaitgan.h5" in lines
    assert "gaitkit inspect FILE.h5" in lines
    assert len(lines) > 50
    assert {line.split()[1] for line in lines} >= set(COMMANDS) - {"completion"}


@pytest.mark.parametrize("page", PAGES)
def test_every_option_in_a_sentence_is_one_of_a_command(page: str) -> None:
    known = {"--help", *(f"--{name}" for name in ("config", "version"))}
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        known |= {
            spelling
            for option in command.params
            for spelling in (*option.opts, *option.secondary_opts)
        }
    spoken = [
        code for code in inline_code(page) if not code.startswith(("python ", "pip ", "mypy "))
    ]
    options = re.findall(r"(?<!\S)--[a-z][a-z-]*", "\n".join(spoken))
    if page == "docs/walkers.md":
        known |= {"--only"}  # Of a script in benchmarks/.
    assert set(options) <= known


@pytest.mark.parametrize("page", PAGES)
def test_every_script_is_there(page: str) -> None:
    scripts = re.findall(r"python (benchmarks/\S+\.py)", PAGES[page])
    assert [script for script in scripts if not (ROOT / script).is_file()] == []


def anchors(text: str) -> set[str]:
    """What the headings of a page are linked by."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_and_picture_leads_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    text = prose(page)
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    for target in targets:
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        file = folder / path if path else ROOT / page
        assert file.is_file(), f"{page}: {target}"
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), f"{page}: {target}"


@pytest.mark.parametrize("page", PAGES)
def test_every_file_of_the_code_that_is_named_is_there(page: str) -> None:
    for name in inline_code(page):
        if re.fullmatch(r"(gaitkit|cli|tests|benchmarks)/[\w/.]+", name):
            assert (ROOT / name).exists(), f"{page}: {name}"


def test_where_is_leads_to_what_is_named() -> None:
    table = PAGES["docs/contributing.md"].partition("### Where is…")[2].partition("\n## ")[0]
    rows = [line.split("|")[2:4] for line in table.splitlines() if line.count("`") > 2]
    assert len(rows) > 9
    for file, names in rows:
        text = (ROOT / file.strip(" `")).read_text(encoding="utf-8")
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"^( *def |class |){name}\b", text, re.MULTILINE), f"{file}: {name}"


def test_every_page_is_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\]\((docs/\w+\.md)\)", PAGES["README.md"]))
    assert linked == set(PAGES) - {"README.md"}


def test_a_machine_without_a_gpu_is_thought_of_first() -> None:
    first = fences("README.md")[0]
    assert re.match(r"pip install torch==\S+ --index-url \S+/cpu\n", first)


def test_pinned_versions_agree() -> None:
    pinned = re.search(r"^torch==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    assert f"torch=={pinned[1]} " in PAGES["README.md"]


def test_the_distribution_has_its_own_name() -> None:
    setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    assert setup.startswith("[metadata]\nname = gaitkit-recognition\n")
    hints = [
        text
        for path in (ROOT / "gaitkit").rglob("*.py")
        for text in re.findall(r"pip install [^\n]*gaitkit\S*", path.read_text(encoding="utf-8"))
    ]
    assert all("gaitkit-recognition" in hint for hint in hints)
