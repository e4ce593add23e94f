"""`gaitkit models`: which systems and recipes there are, and what can be set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from gaitkit.cli import console, options
from gaitkit.errors import OptionError, did_you_mean
from gaitkit.training.config import setting_text

if TYPE_CHECKING:
    from gaitkit.training.recipes import Recipe

_MET = {
    "views": "--to-view, --to-condition",
    "strength": "--strength",
    "embedding": "evaluate --feature embedding",
    "data sets": "--also",
}
"""Where a user meets what a system offers."""

_READS = {"gei": "GEIs, measured or translated", "silhouettes": "silhouettes"}


@click.command("models", short_help="List systems, recipes, and their settings.")
@click.argument("name", required=False)
@options.json_output
@options.verbosity
def command(name: str | None, as_json: bool) -> None:
    """List the translators, the embedders and the recipes: what each is, needs and can do.

    With NAME, the settings of one are listed as well.

    A setting is changed by --set NAME=VALUE of gaitkit train-gan or train-embedding. A recipe is a
    system with some of its settings, and of the training's options, changed.
    """
    from gaitkit.embedders.recipes import EMBEDDER_RECIPES
    from gaitkit.embedders.registry import embedder_names
    from gaitkit.translators.recipes import RECIPES
    from gaitkit.translators.registry import translator_names

    known = [*translator_names(), *RECIPES, *embedder_names(), *EMBEDDER_RECIPES]
    if name is not None and name not in known:
        raise OptionError(
            f"there is no model or recipe {name!r}; known: {', '.join(dict.fromkeys(known))}",
            hint=did_you_mean(name, known).strip() or None,
        )
    recipes = _recipes(RECIPES.values(), name)
    described: dict[str, Any] = {
        "systems": _chosen(translator_names(), RECIPES, name, _translator, as_json),
        "recipes": {recipe.name: _recipe(recipe) for recipe in recipes},
        "embedders": _chosen(embedder_names(), EMBEDDER_RECIPES, name, _embedder, as_json),
    }
    for system, said in described["embedders"].items():
        said["recipes"] = {
            recipe.name: _recipe(recipe)
            for recipe in _recipes(EMBEDDER_RECIPES.values(), name)
            if recipe.system == system
        }
    if as_json:
        console.print_json(described)
        return
    begun = False
    for trained_by, title, systems in (
        ("train-gan", "translators", described["systems"]),
        ("train-embedding", "embedders", described["embedders"]),
    ):
        if not systems:
            continue
        if begun:
            console.print_line()
        begun = True
        console.print_line(f"{title}, for gaitkit {trained_by} --model NAME")
        for system, said in systems.items():
            _tell_system(system, said, with_settings=name is not None)
        its_recipes = described["recipes"] if title == "translators" else _all_recipes(systems)
        _tell_recipes(its_recipes, name, trained_by)


def _tell_system(system: str, said: dict[str, Any], *, with_settings: bool) -> None:
    from gaitkit.translators.registry import OFFERS

    console.print_entry(f"  {system}: ", said["summary"])
    console.print_entry("      ", said["source"])
    if "reads" in said:
        console.print_entry("      reads ", _READS[said["reads"]])
    else:
        console.print_entry("      needs ", said["needs"])
    for offer in said.get("offers", ()):
        console.print_entry("      can: ", f"{OFFERS[offer]} ({_MET[offer]})")
    if with_settings:
        for departure in said.get("adapted", ()):
            console.print_entry("      adapted: ", departure)
        _tell_settings(said)


def _all_recipes(systems: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: told for said in systems.values() for name, told in said["recipes"].items()}


def _chosen(
    names: Iterable[str],
    recipes: Mapping[str, Recipe],
    name: str | None,
    describe: Callable[[str, bool], dict[str, Any]],
    as_json: bool,
) -> dict[str, dict[str, Any]]:
    """The models of one kind that are asked for, and what each is."""
    wanted = recipes[name].system if name is not None and name in recipes else name
    chosen = [one for one in names if wanted in (None, one)]
    return {system: describe(system, as_json or name is not None) for system in chosen}


def _recipes(recipes: Iterable[Recipe], name: str | None) -> list[Recipe]:
    return [recipe for recipe in recipes if name in (None, recipe.name, recipe.system)]


def _recipe(recipe: Recipe) -> dict[str, Any]:
    return {"summary": recipe.summary, **recipe.as_parameters()}


def _translator(system: str, with_settings: bool) -> dict[str, Any]:
    from gaitkit.translators.registry import OFFERS, describe_translator, translator_class

    found = describe_translator(system)
    return {
        "summary": found.summary,
        "source": found.source,
        "needs": found.needs,
        "adapted": list(found.adapted),
        "offers": [offer for offer in OFFERS if offer in found.offers],
        "training": dict(found.default_training),
        "settings": _settings(translator_class, system) if with_settings else [],
    }


def _embedder(system: str, with_settings: bool) -> dict[str, Any]:
    from gaitkit.embedders.registry import describe_embedder, embedder_class

    found = describe_embedder(system)
    return {
        "summary": found.summary,
        "source": found.source,
        "reads": found.reads,
        "training": dict(found.default_training),
        "settings": _settings(embedder_class, system) if with_settings else [],
    }


def _settings(class_of: Callable[[str], type[Any]], system: str) -> list[dict[str, Any]]:
    from gaitkit.training.config import describe_settings

    # Only here is the system imported, and torch with it: that takes seconds.
    return [vars(setting) for setting in describe_settings(class_of(system).config_class)]


def _tell_recipes(recipes: dict[str, dict[str, Any]], name: str | None, trained_by: str) -> None:
    if recipes:
        console.print_line()
        console.print_line(f"recipes, for gaitkit {trained_by} --recipe NAME")
        console.print_entries([(n, r["summary"]) for n, r in recipes.items()], "  ")
    for recipe_name, recipe in recipes.items():
        changed = {**recipe["training"], **recipe["config"]}
        if name == recipe_name and changed:
            console.print_line()
            console.print_line("what it changes")
            told = [(key, setting_text(value)) for key, value in changed.items()]
            console.print_entries(told, "  ")


def _tell_settings(said: dict[str, Any]) -> None:
    if said["training"]:
        changed = ", ".join(f"{key} {setting_text(v)}" for key, v in said["training"].items())
        console.print_entry("      trained with ", changed)
    console.print_line()
    console.print_line("settings, for --set NAME=VALUE")
    settings = said["settings"]
    told = [(s["name"], s["default"], s["allowed"], s["help"]) for s in settings]
    console.print_entries(told, "  ")
