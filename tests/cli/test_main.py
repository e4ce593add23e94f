"""The group: help, version, configuration, environment, errors and exit codes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gaitkit import __version__
from gaitkit.cli.helped import EXAMPLES
from gaitkit.cli.main import COMMANDS, cli

ROOT = Path(__file__).parents[2]


def test_help_lists_the_commands_in_the_order_of_the_pipeline(gaitkit: Callable) -> None:
    ran = gaitkit("--help")
    assert ran.code == 0
    lines = ran.stdout.split("Commands:")[1].splitlines()
    listed = [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "]
    assert listed[: len(COMMANDS)] == list(COMMANDS)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help_and_every_option_says_what_it_does(name: str) -> None:
    import click

    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.help
    undocumented = [
        option.opts
        for option in command.params
        if isinstance(option, click.Option) and not option.help
    ]
    assert undocumented == []


@pytest.mark.parametrize("width", ["40", "80", "100"])
def test_help_breaks_no_name_at_its_hyphens(
    width: str, gaitkit: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    for name in COMMANDS:
        ran = gaitkit(name, "--help")
        assert ran.code == 0
        assert [line for line in ran.stdout.splitlines() if line.endswith("-")] == []
    assert "casia-b-packed" in gaitkit("normalize", "--help").stdout


def test_version(gaitkit: Callable) -> None:
    assert gaitkit("--version").stdout == f"gaitkit {__version__}\n"


def test_help_does_not_import_heavy_libraries() -> None:
    code = (
        "import sys; sys.argv=['gaitkit','--help']\n"
        "import runpy\n"
        "try: runpy.run_module('gaitkit', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "heavy = {'torch','cv2','sklearn','skimage','matplotlib','scipy','h5py','numpy','rich'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stderr.strip() == "[]"


def test_python_m_gaitkit_works_inside_the_clone(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": ""}
    ran = subprocess.run(
        [sys.executable, "-m", "gaitkit", "--version"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == f"gaitkit {__version__}\n"


def test_a_mistyped_command_is_a_usage_error_with_a_guess(gaitkit: Callable) -> None:
    ran = gaitkit("make-gie")
    assert ran.code == 2
    assert "Did you mean 'make-gei'?" in ran.stderr
    assert ran.stdout == ""
    assert "Did you mean 'train-gan' or 'train-embedding'?" in gaitkit("train").stderr


@pytest.mark.parametrize("command", [[], ["protocol"]])
def test_without_arguments_a_group_prints_its_help(command: list[str], gaitkit: Callable) -> None:
    ran = gaitkit(*command)
    assert ran.code == 2
    assert ran.stderr == gaitkit(*command, "--help").stdout
    assert "\n  list " in ran.stderr or "\n  make-gei " in ran.stderr


def test_a_configuration_file_sets_options(
    gaitkit: Callable, tmp_path: Path, tiny_tree: Path
) -> None:
    config = tmp_path / "gaitkit.toml"
    config.write_text("[make-gei]\nmin-frames = 100\n")
    ran = gaitkit(
        "--config", config, "make-gei", tiny_tree, "-o", tmp_path / "a.h5", "--workers", 1
    )
    assert ran.code == 1
    assert "too-few-frames" in ran.stderr
    # The command line wins over the file.
    ran = gaitkit(
        "--config",
        config,
        "make-gei",
        tiny_tree,
        "-o",
        tmp_path / "a.h5",
        "--workers",
        1,
        "--min-frames",
        2,
    )
    assert (ran.code, ran.stderr.count("Wrote")) == (0, 1)


def test_a_configuration_may_stand_behind_the_command(
    gaitkit: Callable, tmp_path: Path, tiny_tree: Path
) -> None:
    outer, inner = tmp_path / "outer.toml", tmp_path / "inner.toml"
    outer.write_text("[make-gei]\nmin-frames = 100\nworkers = 1\n")
    inner.write_text("[make-gei]\nmin-frames = 99\n")
    given = ["make-gei", tiny_tree, "-o", tmp_path / "a.h5"]
    ran = gaitkit("--config", outer, *given, "--config", inner)
    assert ran.code == 1
    assert "at least 99 needed" in ran.stderr
    ran = gaitkit(*given, "--config", inner, "--min-frames", 98, "--workers", 1)
    assert "at least 98 needed" in ran.stderr


def test_a_variable_that_is_no_option_is_named(
    gaitkit: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAITKIT_MAKE_GEI_MINFRAMES", "8")
    monkeypatch.setenv("GAITKIT_PROTOCOL_LIST_JSON", "")
    monkeypatch.setenv("GAITKIT_EVALUATE_K", "1")
    ran = gaitkit("protocol", "list")
    assert ran.code == 0
    assert (
        "Warning: There is no option for the variable GAITKIT_MAKE_GEI_MINFRAMES. Did you mean "
        "'GAITKIT_MAKE_GEI_MIN_FRAMES'?\n"
    ) in ran.stderr
    assert "GAITKIT_EVALUATE_K" not in ran.stderr


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "protocol"])
def test_every_command_has_an_example_that_it_takes(
    name: str, gaitkit: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shlex

    import click

    monkeypatch.chdir(tmp_path)
    helped = gaitkit(name, "--help").stdout
    assert "Every command:" in helped
    group = click.Context(cli, info_name="gaitkit")
    command = cli.get_command(group, name)
    assert command is not None
    for example in EXAMPLES[name].splitlines():
        assert example in " ".join(helped.split())
        first, called, *words = shlex.split(example)
        assert (first, called) == ("gaitkit", name)
        for word in words:
            path = Path(word)
            if word.endswith("/"):
                path.mkdir(exist_ok=True)
            elif path.suffix in (".h5", ".mp4"):
                path.touch()
        command.make_context(name, words, parent=group)


def test_ctrl_c_says_how_to_go_on(
    gaitkit: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gaitkit.walkers.write_tree", stop)
    ran = gaitkit("synth", tmp_path / "walkers")
    assert ran.code == 130
    assert ran.stderr.endswith("Stopped. Give the same command again: it continues.\n")
    monkeypatch.setattr("gaitkit.artifacts.open_artifact", stop)
    (tmp_path / "a.h5").touch()
    ran = gaitkit("inspect", tmp_path / "a.h5")
    assert ran.stderr.endswith("Nothing is left half written: give the same command again.\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[make-gei]\nmin-frame = 3\n",
            "[make-gei] has no option 'min-frame'. Did you mean 'min-frames'?",
        ),
        ("[make-gie]\nx = 3\n", "expected tables named after commands, found 'make-gie'"),
        ("x = 3\n", "expected tables named after commands, found 'x'"),
        ("[make-gei\n", "is not valid TOML"),
        ('[make-gei]\nmin-frames = "three"\n', "'three' is not a whole number in the range x>=1"),
    ],
)
def test_a_wrong_configuration_is_a_usage_error(
    gaitkit: Callable, tmp_path: Path, tiny_tree: Path, text: str, message: str
) -> None:
    config = tmp_path / "gaitkit.toml"
    config.write_text(text)
    ran = gaitkit("--config", config, "make-gei", tiny_tree, "-o", tmp_path / "a.h5")
    assert ran.code == 2
    assert message in " ".join(ran.stderr.split())
    assert not (tmp_path / "a.h5").exists()


def test_the_environment_sets_options(
    gaitkit: Callable, tmp_path: Path, tiny_tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAITKIT_MAKE_GEI_MIN_FRAMES", "100")
    ran = gaitkit("make-gei", tiny_tree, "-o", tmp_path / "a.h5", "--workers", 1)
    assert ran.code == 1
    assert "too-few-frames" in ran.stderr


def test_errors_are_one_or_two_sentences_and_tracebacks_only_on_demand(
    gaitkit: Callable, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    ran = gaitkit("make-gei", tmp_path / "empty", "-o", tmp_path / "a.h5")
    assert ran.code == 1
    assert ran.stderr.startswith("Error: ")
    assert "Traceback" not in ran.stderr
    ran = gaitkit("-vv", "make-gei", tmp_path / "empty", "-o", tmp_path / "a.h5")
    assert "Traceback" in ran.stderr
    assert not (tmp_path / "a.h5").exists()


@pytest.mark.parametrize("usable", [True, False])
def test_a_library_without_a_place_for_temporary_files(
    gaitkit: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, usable: bool
) -> None:
    def fails(*given: object, **how: object) -> None:
        raise OSError("Matplotlib requires access to a writable cache directory")

    def no_place() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr("gaitkit.artifacts.open_artifact", fails)
    if not usable:
        monkeypatch.setattr("tempfile.gettempdir", no_place)
    (tmp_path / "a.h5").touch()
    ran = gaitkit("inspect", tmp_path / "a.h5")
    assert ran.code == 1
    told = "in a way that it should not: OSError: Matplotlib" if usable else "variable TMPDIR"
    assert told in ran.stderr


def test_quiet_says_nothing(gaitkit: Callable, tmp_path: Path, tiny_tree: Path) -> None:
    ran = gaitkit("make-gei", tiny_tree, "-o", tmp_path / "a.h5", "--workers", 1, "-q")
    assert (ran.code, ran.stdout, ran.stderr) == (0, "", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_command(gaitkit: Callable, shell: str) -> None:
    ran = gaitkit("completion", shell)
    assert ran.code == 0
    assert "_GAITKIT_COMPLETE" in ran.stdout


@pytest.mark.skipif(os.name != "posix", reason="has no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_command_that_is_asked_to_end_leaves_nothing_half(
    tiny_tree: Path, tmp_path: Path, name: str
) -> None:
    number = getattr(signal, name)
    code = (
        "import os, sys; import gaitkit.outputs as outputs\n"
        "from gaitkit.cli.main import main\n"
        "flush = os.fsync\n"
        f"outputs.os.fsync = lambda file: (os.kill(os.getpid(), {int(number)}), flush(file))\n"
        "main(sys.argv[1:])\n"
    )
    output = tmp_path / "out.h5"
    command = ["make-gei", str(tiny_tree), "-o", str(output), "--workers", "1"]
    ran = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 128 + number
    assert "Stopped" in ran.stderr
    assert "Traceback" not in ran.stderr
    # What is done is kept; no lock and no half file is.
    assert [item.name for item in tmp_path.iterdir()] == ["out.h5.parts"]
