"""What gaitkit says of the files beside it: printed as JSON, by make.sh, where they were made."""

import contextlib
import hashlib
import io
import json
import sys
from pathlib import Path

import gaitkit.__main__ as module

module._find_command_line()
from gaitkit.artifacts import open_artifact  # noqa: E402
from gaitkit.cli.main import main  # noqa: E402
from gaitkit.identification.reading import read_results  # noqa: E402
from gaitkit.identification.results import to_json  # noqa: E402

ROW = 5
SYSTEMS = ("gaitgan", "stargan", "attgan", "dgnet", "deformable", "validated")


def asked(*words):
    """What a command prints as JSON."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        main([*map(str, words), "--json"])
    return json.loads(said.getvalue())


def inspected(path):
    """What inspect says; the arrays of a model are many, and a digest stands for their list."""
    said = asked("inspect", path)
    if said["kind"] in ("translator", "checkpoint"):
        listed = json.dumps(said["arrays"], sort_keys=True)
        said["arrays"] = hashlib.sha256(listed.encode()).hexdigest()
    return said


def translation(system):
    """The mean of each translated image, and one of them whole."""
    asked("translate", "gei.h5", "--model", f"{system}.h5", "-o", "t.h5", "--device", "cpu")
    with open_artifact("t.h5", "gei") as artifact:
        images = artifact.read("gei")
    Path("t.h5").unlink()
    return {
        "means": [round(float(image.mean()), 5) for image in images],
        "row": ROW,
        "image": [[round(float(value), 4) for value in line] for line in images[ROW]],
    }


files = sorted(Path().glob("*.h5"))
answers = {
    "inspect": {path.name: inspected(path) for path in files},
    "translated": {system: translation(system) for system in SYSTEMS},
    "evaluated": asked("evaluate", "gei.h5", "--protocol", "halves"),
    "identified": asked("identify", "gei-ready.h5", "--gallery", "gallery.h5", "--top", 2),
    "results": {
        path.name: to_json(read_results(path)) for path in files if path.name.startswith("results")
    },
}
json.dump(answers, sys.stdout, separators=(",", ":"), sort_keys=True)
