"""What was tried and what broke: a line of JSON each, and one page for people."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

RECORDS = "reliability.jsonl"
REPORT = "reliability.txt"
_SHOWN = 12
"""Broken promises that the page tells in full, of each part."""


class Record:
    """Collects trials.

    Parameters
    ----------
    folder : Path
        Gets `RECORDS` line by line, and `REPORT` in the end.

    Attributes
    ----------
    broken : int
        Trials in which a promise was broken.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = (folder / RECORDS).open("w", encoding="utf-8")
        self._outcomes: dict[tuple[str, str], Counter[str]] = {}
        self._told: dict[str, list[str]] = {}
        self._notes: dict[str, list[str]] = {}
        self.broken = 0

    def add(
        self,
        part: str,
        what: str,
        outcome: str,
        broken: list[str] | None = None,
        *,
        count: int = 1,
        **case: Any,
    ) -> None:
        """Add one trial, or many that ended alike.

        Parameters
        ----------
        part, what : str
            ``kills``, ``make-gei``.
        outcome : str
            In one or two words; equal ones are counted.
        broken : list of str, optional
            Promises that were broken.
        count : int
            How many.
        case : JSON-able
            What is needed to see it again.
        """
        line: dict[str, Any] = {
            "part": part,
            "what": what,
            "outcome": outcome,
            "broken": broken or [],
        }
        line |= {"count": count, **case}
        self._file.write(json.dumps(line, default=str) + "\n")
        self._file.flush()
        counts = self._outcomes.setdefault((part, what), Counter())
        counts["tried"] += count
        counts[outcome] += count
        if broken:
            counts["BROKEN"] += 1
            self.broken += 1
            told = ", ".join(f"{name} {value}" for name, value in case.items() if name != "said")
            self._told.setdefault(part, []).append(f"{what}: {'; '.join(broken)} [{told}]")

    def note(self, part: str, text: str) -> None:
        """Add a line on a part: what was left out, or a figure."""
        self._notes.setdefault(part, []).append(text)
        self._file.write(json.dumps({"part": part, "note": text}) + "\n")

    def write(self, head: str, *, complete: bool) -> str:
        """Write the page; its text."""
        lines = [head, ""]
        for part in dict.fromkeys([part for part, _ in self._outcomes] + list(self._notes)):
            lines.append(f"== {part} ==")
            for (of, what), counts in self._outcomes.items():
                if of == part:
                    rest = ", ".join(
                        f"{count} {outcome}"
                        for outcome, count in sorted(counts.items())
                        if outcome not in ("tried", "BROKEN")
                    )
                    broken = f"{counts['BROKEN']} BROKEN" if counts["BROKEN"] else "0 broken"
                    lines.append(f"{what:24}{counts['tried']:7} tried, {broken}: {rest}")
            lines += self._notes.get(part, [])
            told = self._told.get(part, [])
            lines += [f"  BROKEN  {text[:600]}" for text in told[:_SHOWN]]
            if len(told) > _SHOWN:
                lines.append(f"  and {len(told) - _SHOWN} more in {RECORDS}")
            lines.append("")
        if not complete:
            lines.append("STOPPED before its end.")
        if self.broken:
            lines.append(f"{self.broken} broken promises, see {RECORDS}.")
        elif complete:
            lines.append("No promise was broken.")
        text = "\n".join(lines) + "\n"
        (self._folder / REPORT).write_text(text, encoding="utf-8")
        return text

    def close(self) -> None:
        """Close the file of the lines."""
        self._file.close()
