"""What `identify` and `who` say of their answers: what a distance and a threshold mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from gaitkit.cli import console
from gaitkit.printable import counted

if TYPE_CHECKING:
    from gaitkit.dropped import DroppedRow
    from gaitkit.identification.figures.binomial import Share
    from gaitkit.identification.gallery import Candidate, Identification
    from gaitkit.identification.own_distances import OwnDistances, OwnRates
    from gaitkit.labels import SequenceKey

__all__ = ["answers_json", "dropped_json", "explain", "key_json"]

_ENOUGH_PEOPLE = 100


def explain(found: Identification) -> None:
    """Say on stderr what the threshold does, or that there is none."""
    own = found.own
    if found.embedder is not None and not found.embedder.known:
        console.say(f"Embedded by {found.embedder.title}: nobody knows whom it was trained on.")
    if found.threshold is None:
        console.say(f"No threshold: everybody gets a name, strangers too.{_offer(own)}")
    else:
        unknown = sum(answer.name is None for answer in found.answers)
        console.say(
            f"{unknown:,} of {counted(len(found.answers), 'walk')} unknown: further than "
            f"{found.threshold:.6g} from all {counted(found.people, 'person')}."
        )
        if own is not None:
            _explain_threshold(own, found.threshold)
    if own is not None and found.answers:
        both = "one person (own) and of 10 of " if len(own.mated) else ""
        console.say(
            f"“nearer” says how many of 10 walks of {both}people who are not enrolled (strangers) "
            "come nearer than this distance: a hint, never proof."
        )


def _offer(own: OwnDistances | None) -> str:
    if own is None:
        return ""
    return f" This gallery finds one by --fpir {own.least_rate:g} or more."


def _explain_threshold(own: OwnDistances, threshold: float) -> None:
    rates = own.rates(threshold)
    strangers, missed = rates
    text = (
        f"At this threshold {_of(strangers)} walks of strangers would be named "
        f"({strangers.interval}; each person of the gallery left out in turn"
    )
    text += f", {own.left_out:,} drawn of {own.people:,})" if own.is_sample else ")"
    if missed is not None:
        text += f", and {_of(missed)} walks of enrolled people would not get their name "
        text += f"({missed.interval})"
    console.say(f"{text}.")
    _offer_nearer(own, rates)
    if missed is None:
        console.say("Nobody has two walks in it: enrol more of each to see how many are missed.")
    elif own.left_out < _ENOUGH_PEOPLE:
        console.say("Enrol more walks to miss fewer, and more people to be surer of strangers.")


def _offer_nearer(own: OwnDistances, rates: OwnRates) -> None:
    """Say where a nearer threshold names fewer strangers and misses no more walks."""
    missed = rates.false_negative
    nearest = own.farthest_found
    if missed is None or nearest is None:
        return
    nearer = float(f"{nearest:.3g}")
    if nearer < nearest:
        nearer = float(f"{nearest * 1.005:.3g}")
    there = own.rates(nearer)
    if there.false_negative is None or there.false_negative.number > missed.number:
        return
    if there.false_positive.number < rates.false_positive.number:
        console.say(
            f"--threshold {nearer:g} would name fewer, {_of(there.false_positive)}, and miss no "
            "more of these."
        )


def _of(share: Share) -> str:
    return f"{share.number:,} of {share.of:,}"


def answers_json(found: Identification) -> dict[str, Any]:
    """The answers, and what explains them, as one JSON document."""
    return {
        "feature": found.feature,
        "metric": found.metric,
        "threshold": found.threshold,
        "people": found.people,
        **_embedder(found),
        **_own(found),
        "probes": [
            {
                **key_json(answer.probe),
                "name": answer.name,
                "candidates": [_candidate(found, candidate) for candidate in answer.candidates],
            }
            for answer in found.answers
        ],
        "dropped": dropped_json(found.dropped),
    }


def _candidate(found: Identification, candidate: Candidate) -> dict[str, Any]:
    told = {**key_json(candidate.sequence), "distance": candidate.distance}
    if found.own is None:
        return told
    return told | {"nearer_of_10": found.own.nearer(candidate.distance)._asdict()}


def _own(found: Identification) -> Mapping[str, Any]:
    own = found.own
    if own is None:
        return {}
    told: dict[str, Any] = {
        "people_left_out": own.left_out,
        "walks_of_people_left_out": len(own.non_mated),
        "walks_searched_among_others": len(own.mated),
        "least_fpir": own.least_rate,
    }
    if found.threshold is not None:
        rates = own.rates(found.threshold)
        missed = rates.false_negative
        told["fpir"] = rates.false_positive._asdict()
        told["fnir"] = None if missed is None else missed._asdict()
    return {"left_out_in_turn": told}


def _embedder(found: Identification) -> dict[str, Any]:
    if found.embedder is None:
        return {}
    known = "known" if found.embedder.known else "unknown"
    return {"embedder": found.embedder.as_parameters() | {"trained_on": known}}


def dropped_json(dropped: Iterable[DroppedRow]) -> list[dict[str, Any]]:
    """Walks that were left out on the way, each with its key and why."""
    return [{**key_json(row.key), "reason": row.reason, "detail": row.detail} for row in dropped]


def key_json(key: SequenceKey) -> dict[str, Any]:
    """The key of a sequence; a view that nobody knows is null."""
    return dict(key._asdict())
