"""`gaitkit models`: which systems and recipes there are, and what can be set."""

from __future__ import annotations

from typing import Any

import click

from gaitkit.cli import console, options

_MET = {
    "views": "--to-view, --to-condition",
    "strength": "--strength",
    "embedding": "evaluate --feature embedding",
    "data sets": "--also",
}
"""Where a user meets what a system offers."""


@click.command("models", short_help="List systems, recipes, and their settings.")
@click.argument("name", required=False)
@options.json_output
@options.verbosity
def command(name: str | None, as_json: bool) -> None:
    """List the translators and recipes: what each is, needs and can do.

    With NAME, the settings of one are listed as well.

    A setting is changed by gaitkit train-gan --set NAME=VALUE. A recipe is a system with some of
    its settings, and of the training's options, changed.
    """
    from gaitkit.training.config import describe_settings
    from gaitkit.translators.recipes import RECIPES
    from gaitkit.translators.registry import (
        OFFERS,
        describe_translator,
        translator_class,
        translator_names,
    )

    systems = translator_names()
    if name is None:
        chosen = list(systems)
    else:
        chosen = [RECIPES[name].system if name in RECIPES else name]
    recipes = [r for r in RECIPES.values() if name in (None, r.name, r.system)]

    def settings(system: str) -> list[dict[str, Any]]:
        # Only here is the system imported, and torch with it: that takes seconds.
        found = translator_class(system).config_class
        return [vars(setting) for setting in describe_settings(found)]

    told = {system: describe_translator(system) for system in chosen}
    described: dict[str, Any] = {
        "systems": {
            system: {
                "summary": found.summary,
                "source": found.source,
                "needs": found.needs,
                "offers": [offer for offer in OFFERS if offer in found.offers],
                "training": dict(found.default_training),
                "settings": settings(system) if as_json or name is not None else [],
            }
            for system, found in told.items()
        },
        "recipes": {
            recipe.name: {
                "summary": recipe.summary,
                "system": recipe.system,
                "config": dict(recipe.config),
                "training": dict(recipe.training),
            }
            for recipe in recipes
        },
    }
    if as_json:
        console.print_json(described)
        return
    console.print_line("systems, for --model NAME")
    for system, said in described["systems"].items():
        console.print_line(f"  {system}: {said['summary']}")
        console.print_line(f"      {said['source']}")
        console.print_line(f"      needs {said['needs']}")
        for offer in said["offers"]:
            console.print_line(f"      can: {OFFERS[offer]} ({_MET[offer]})")
        if name is not None:
            _tell_settings(said)
    if described["recipes"]:
        console.print_line()
        console.print_line("recipes, for --recipe NAME")
        for line in _table([[n, r["summary"]] for n, r in described["recipes"].items()]):
            console.print_line(f"  {line}")
    for recipe_name, recipe in described["recipes"].items():
        changed = {**recipe["training"], **recipe["config"]}
        if name == recipe_name and changed:
            console.print_line()
            console.print_line("what it changes")
            for line in _table([[key, _typed(value)] for key, value in changed.items()]):
                console.print_line(f"  {line}")


def _tell_settings(said: dict[str, Any]) -> None:
    if said["training"]:
        changed = ", ".join(f"{key} {_typed(value)}" for key, value in said["training"].items())
        console.print_line(f"      trained with {changed}")
    console.print_line()
    console.print_line("settings, for --set NAME=VALUE")
    settings = said["settings"]
    for line in _table([[s["name"], s["default"], s["allowed"], s["help"]] for s in settings]):
        console.print_line(f"  {line}")


def _typed(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _table(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
