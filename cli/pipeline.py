"""What `run` and `demo` share: all steps with their progress, the table and the page at the end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gaitkit.cli import console
from gaitkit.cli.training_runs import stop_on_signal

if TYPE_CHECKING:
    from gaitkit.stages.run import PipelineOptions
    from gaitkit.stages.workshop import Workshop

__all__ = ["run_and_print", "say_report"]


def run_and_print(
    source: Path,
    workshop: Workshop,
    chosen: PipelineOptions,
    *,
    title: str,
    checkpoint_every: int,
    as_json: bool,
) -> None:
    """Run the pipeline and print its results, as a table or as JSON."""
    from gaitkit.cli.command_lines import command_line
    from gaitkit.identification.formats import to_json
    from gaitkit.identification.tables import overview_text
    from gaitkit.stages.run import run_pipeline
    from gaitkit.training.callbacks import Callbacks

    with stop_on_signal() as stop_requested, console.progress(title) as progress:
        callbacks = Callbacks(
            stop_requested=stop_requested, checkpoint_every=checkpoint_every
        ).moving(progress)
        results = run_pipeline(
            source,
            workshop,
            chosen,
            callbacks=callbacks,
            progress=progress,
            begin=None if progress is None else progress.begin,
            write_step=command_line,
        )
    if as_json:
        console.print_json(to_json([result for _, result in results]))
        return
    # By what LDA's values are compared is worth points; pixels and vectors have one way each.
    names = [
        f"{name}, {result.feature}" + f" {result.metric}" * (result.feature == "lda")
        for name, result in results
    ]
    console.print_text(overview_text([result for _, result in results], names))


def say_report(workshop: Workshop) -> None:
    """The last line: where the page is that explains it all."""
    from gaitkit.stages.run import REPORT

    console.say(f"The report, for any browser: {workshop.path(REPORT)}")
