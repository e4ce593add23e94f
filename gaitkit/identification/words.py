"""Results in words, for people who do not know the field's abbreviations."""

from __future__ import annotations

from math import isnan

from gaitkit.identification.evaluation import EvaluationResult, rank1_of
from gaitkit.printable import printable

__all__ = ["chance", "condition_word", "people_enrolled", "sentence", "short_sentence"]

_CONDITIONS = {
    "nm": ("normal", ""),
    "bg": ("bag", "with a bag"),
    "cl": ("coat", "in a coat"),
}
"""CASIA-B's conditions: as a heading, and within a sentence."""

_SEEN = {
    "different views": " seen from another side",
    "all views": " seen from any side",
    "equal views": " seen from the same side",
}
"""By `EvaluationResult.over`."""


def condition_word(result: EvaluationResult, probe_set: str) -> str:
    """What to call a probe set in a heading.

    Parameters
    ----------
    result : EvaluationResult
        It has the set.
    probe_set : str
        Name of the set in the protocol.

    Returns
    -------
    str
        ``normal``, ``bag`` or ``coat`` for CASIA-B's conditions, where the set holds nothing else;
        else the protocol's own name.
    """
    return _CONDITIONS[probe_set][0] if _is_casia_b(result, probe_set) else probe_set


def _is_casia_b(result: EvaluationResult, probe_set: str) -> bool:
    """Whether a set holds the walks of the condition of CASIA-B that it is called after."""
    return probe_set in _CONDITIONS and any(
        one.name == probe_set and all(walks.condition == probe_set for walks in one.walks)
        for one in result.protocol.probes
    )


def people_enrolled(result: EvaluationResult) -> int:
    """How many names there are to be given."""
    return len(set(result.labels.subject[result.split.gallery].tolist()))


def chance(result: EvaluationResult) -> float:
    """What guessing one of the enrolled names gives, per cent."""
    return 100.0 / max(1, people_enrolled(result))


def sentence(result: EvaluationResult) -> str:
    """The headline of a result as a sentence or two, rates rounded to whole walks of a hundred.

    Parameters
    ----------
    result : EvaluationResult
        With at least one probe set.

    Returns
    -------
    str
        Such as ``Of 100 walks seen from another side, 66 are given the right one of 62 names;
        guessing would give 2. With a bag 51, in a coat 35.``; empty where nothing was searched.
    """
    first, *others = _told(result) or [("", "")]
    if not first[1]:
        return ""
    people, guessed = people_enrolled(result), chance(result)
    of = f" {first[0]}" if first[0] else ""
    given = f"the right one of {people:,} names" if people > 1 else "the only name"
    guess = f"{guessed:.0f}" if guessed >= 0.5 else "less than 1"
    are = "is" if first[1] == "1" else "are"
    told = f"Of 100 walks{of}{_SEEN.get(result.over, '')}, {first[1]} {are} given {given}"
    told += f"; guessing would give {guess}."
    return f"{told} {_upper(_listed(others))}." if others else told


def short_sentence(result: EvaluationResult) -> str:
    """The rates alone, for a result that stands beside one that was told in full.

    Returns
    -------
    str
        Such as ``65 of 100; with a bag 54, in a coat 46``; empty where nothing was searched.
    """
    first, *others = _told(result) or [("", "")]
    if not first[1]:
        return ""
    told = f"{first[1]} of 100"
    return f"{told}; {_listed(others)}" if others else told


def _told(result: EvaluationResult) -> list[tuple[str, str]]:
    """Which walks, and how many of a hundred are right, per set with probes."""
    several = len(result.tables) > 1
    told = []
    for name in result.tables:
        rate = rank1_of(result, name)
        if rate is None or isnan(rate.estimate):
            continue
        which = f"of {printable(name)}" if several else ""
        if _is_casia_b(result, name):
            which = _CONDITIONS[name][1]
        told.append((which, f"{rate.estimate:.0f}"))
    return told


def _listed(told: list[tuple[str, str]]) -> str:
    return ", ".join(f"{which or 'walking normally'} {rate}" for which, rate in told)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
