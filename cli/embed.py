"""`gaitkit embed`: GEIs or silhouettes become vectors that tell who it is; or vectors are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gaitkit.cli import console, options
from gaitkit.printable import counted

_OF_VECTORS = ("array", "axes", "metric", "name", "dataset")


@click.command("embed", short_help="Turn GEIs or silhouettes into identity embeddings.")
@click.argument("input", type=options.INPUT_FILE, required=False)
@click.option("--model", type=options.INPUT_FILE, help="An embedder from gaitkit train-embedding.")
@click.option(
    "--from",
    "source",
    type=options.INPUT_FILE,
    metavar="FILE.npz",
    help="In place of INPUT and --model: vectors that were computed elsewhere, and their keys.",
)
@options.output("The embedding artefact to write.")
@click.option(
    "--weights",
    type=click.Choice(["best", "last"]),
    help="Which weights of the model.  [default: the best, where its training was validated]",
)
@click.option(
    "--array",
    help="With --from: the array of vectors.  [default: vectors, embeddings, or the only one of "
    "floats]",
)
@click.option(
    "--axes",
    type=click.Choice(["npc", "ncp"]),
    help="With --from: (n, parts, values), or OpenGait's (n, values, parts).  [default: the "
    "shorter axis counts the parts]",
)
@click.option(
    "--metric",
    type=options.METRIC,
    help="With --from: the distance by which the vectors are compared.  [default: parts of three "
    "axes, else euclidean]",
)
@click.option("--name", help="With --from: what to call the model behind it.  [default: elsewhere]")
@click.option("--dataset", help="With --from: name of the data set.  [default: the file's name]")
@options.device
@options.restart
@options.overwrite
@options.json_output
@options.verbosity
def command(
    input: Path | None,
    model: Path | None,
    source: Path | None,
    output: Path,
    weights: str | None,
    device: str,
    restart: bool,
    overwrite: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Turn the GEIs or silhouettes INPUT into vectors that tell who it is.

    Each sequence becomes a matrix, a part of the body down and values across; gaitkit evaluate,
    enroll and identify compare them by the distance that the model names. With --from the vectors
    come from an npz: arrays vectors, subject, condition, take and view, or OpenGait's embeddings,
    labels, types and views. Nobody knows whom such a model was trained on, and results say so.
    """
    if source is not None:
        if input is not None or model is not None or weights is not None:
            raise click.UsageError(
                "--from takes the place of INPUT, --model and --weights; give one or the other."
            )
        _import(source, output, given, overwrite=overwrite, as_json=as_json)
        return
    if input is None or model is None:
        raise click.UsageError("INPUT and its --model are needed, or --from with vectors.")
    if wrong := [f"--{name}" for name in _OF_VECTORS if given[name] is not None]:
        raise click.UsageError(f"{wrong[0]} is for --from: vectors from elsewhere.")
    # Loads torch, which given vectors do not need.
    from gaitkit.stages.embed import embed  # type: ignore[import-not-found, unused-ignore]

    wrote = console.writing(output)
    with console.progress("embed", "sequences") as progress:
        digest = embed(
            input,
            model,
            output,
            device=device,
            weights=weights,
            overwrite=overwrite,
            restart=restart,
            progress=progress,
        )
    if as_json:
        console.print_json({"output": str(output), "content_sha256": digest})
        return
    wrote(".")


def _import(
    source: Path, output: Path, given: dict[str, Any], *, overwrite: bool, as_json: bool
) -> None:
    from gaitkit.stages.import_embedding import import_embedding

    wrote = console.writing(output)
    chosen = {name: value for name, value in given.items() if value is not None}
    done = import_embedding(source, output, overwrite=overwrite, **chosen)
    if as_json:
        console.print_json({"output": str(output), **done})
        return
    people, parts = counted(done["subjects"], "person"), counted(done["parts"], "part")
    wrote(
        f": {counted(done['sequences'], 'sequence')} of {people}, {parts} × "
        f"{counted(done['values'], 'value')}, compared by {done['metric']}. Nobody knows whom the "
        "model behind them was trained on."
    )
