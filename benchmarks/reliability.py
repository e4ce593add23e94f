r"""What gaitkit promises of its files, put to the test at large.

    python benchmarks/reliability.py --out reliability
    python benchmarks/reliability.py --out small --tries 3 --mutants 500
    python benchmarks/reliability.py --out one --only kills signals --stages enroll run

Part by part:

- kills: every stage is killed at random moments, alone and with its session; the same command again
  has to leave the same bytes as one that was left in peace, no other file, no process.
- signals: the same with what users and systems send: SIGTERM, Ctrl-C, Ctrl-C twice, SIGHUP.
- two-writers: the same command twice at once, the first one stopped in the middle every other time.
- full-disk: no room on the disk (Linux, as root), or a limit on a file's size.
- artefacts: changed artefacts of each kind, their digest left wrong or made right again.
- inputs: changed pictures, archives, protocols, configurations, manifests and unfinished work.

The folder --out then holds `reliability.txt`, one page; `reliability.jsonl`, a line for each trial
of a stage and each kind of outcome of the mutants; and `broken/`, the files that broke a promise.
The exit code is 1 if there are any. The same --seed gives the same mutants, and kills at the same
shares of the work. Everything runs in forked children, which needs Linux, macOS or their like. It
runs from a clone, with what gaitkit itself needs. At full size it takes hours.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gpu_parts.clone import find_command_line

if TYPE_CHECKING:
    from reliability_parts.bench import Bench
    from reliability_parts.stages import Stage

PARTS = ("kills", "signals", "two-writers", "full-disk", "artefacts", "inputs")


def main(arguments: list[str] | None = None) -> int:
    """Run the parts; 1 if a promise was broken."""
    options = parse(arguments)
    if not hasattr(os, "fork"):
        print("This needs forked processes, which this system does not have.", file=sys.stderr)
        return 2
    # Threads do not survive a fork, and two processes at a time are enough.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    find_command_line()
    from reliability_parts.bench import Bench
    from reliability_parts.record import RECORDS, Record
    from reliability_parts.stages import all_stages, make_inputs

    out, stages = options.out.resolve(), all_stages()
    unknown = sorted(set(options.stages or ()) - stages.keys())
    if unknown:
        print(f"There is no stage {unknown[0]}; there are {', '.join(stages)}.", file=sys.stderr)
        return 2
    if out.exists() and any(out.iterdir()) and not (out / RECORDS).exists():
        print(f"{out} holds something else; give a new folder.", file=sys.stderr)
        return 2
    chosen = [stages[name] for name in options.stages or stages]
    out.mkdir(parents=True, exist_ok=True)
    for name in ("inputs", "work", "broken"):
        shutil.rmtree(out / name, ignore_errors=True)
    began, record = time.monotonic(), Record(out)
    bench = Bench(out / "inputs", out / "work", record, seed=options.seed, tries=options.tries)
    complete = False
    try:
        print("inputs of all parts ...", flush=True)
        make_inputs(out / "inputs")
        for part in options.only:
            print(f"{part} ...", flush=True)
            since, broken = time.monotonic(), record.broken
            run_part(part, out, bench, options.mutants, chosen)
            taken = time.monotonic() - since
            record.note(part, f"{taken:.0f} seconds")
            print(f"{part}: {record.broken - broken} broken, {taken:.0f} s", flush=True)
        complete = True
    finally:
        minutes = (time.monotonic() - began) / 60
        head = f"reliability.py, seed {options.seed}, {options.tries} tries, "
        head += f"{options.mutants} mutants of each kind, {minutes:.1f} minutes"
        print("\n" + record.write(head, complete=complete), end="")
        record.close()
        shutil.rmtree(out / "work", ignore_errors=True)
    return int(record.broken > 0)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the report")
    parser.add_argument(
        "--tries", type=int, default=20, help="of each kind and stage  [default: 20]"
    )
    parser.add_argument(
        "--mutants",
        type=int,
        default=10_000,
        help="of each kind of artefact; of each kind of input a tenth  [default: 10000]",
    )
    parser.add_argument("--seed", type=int, default=1, help="[default: 1]")
    parser.add_argument(
        "--only", nargs="+", metavar="PART", help=f"some of: {', '.join(PARTS)}", default=PARTS
    )
    parser.add_argument("--stages", nargs="+", metavar="NAME", help="[default: all]")
    options = parser.parse_args(arguments)
    options.only = [part for words in options.only for part in words.split(",")]
    for part in options.only:
        if part not in PARTS:
            parser.error(f"there is no part {part}; there are {', '.join(PARTS)}")
    if options.tries < 1 or options.mutants < 10:
        parser.error("expected at least 1 try and 10 mutants")
    return options


def run_part(part: str, out: Path, bench: Bench, count: int, stages: list[Stage]) -> None:
    """Run one part."""
    from reliability_parts import artefacts, disk, inputs, rivals, stops

    of_stages = {
        "kills": stops.kills,
        "signals": stops.signals,
        "two-writers": rivals.two_writers,
        "full-disk": disk.full_disk,
    }
    if part in of_stages:
        of_stages[part](bench, stages)
    elif part == "artefacts":
        artefacts.try_artefacts(out, bench.record, seed=bench.seed, count=count)
    else:
        inputs.try_inputs(out, bench.record, seed=bench.seed, count=count // 10)


if __name__ == "__main__":
    sys.exit(main())
