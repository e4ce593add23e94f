"""HTML that is escaped by construction: text is escaped, only `Html` passes as it is."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from typing import Any

__all__ = ["Child", "Html", "data_block", "tag"]


class Html(str):
    """Markup that is already right; any other text is escaped where it enters a page."""

    __slots__ = ()


Child = str | None | Iterable["Child"]
"""What stands between two tags; `None` is nothing."""

_VOID = frozenset({"br", "img", "meta"})


def tag(name: str, /, *children: Child, **attributes: object) -> Html:
    """One element.

    Parameters
    ----------
    name : str
        Such as ``p``.
    *children : str, Html, None, or iterables of them
        The content; plain text is escaped.
    **attributes
        ``class_`` is ``class``; underscores become hyphens; `None` and `False` leave an attribute
        out, `True` writes it without a value.

    Returns
    -------
    Html

    Examples
    --------
    >>> tag("p", "1 < 2 ", tag("b", "& so on"), class_="note")
    '<p class="note">1 &lt; 2 <b>&amp; so on</b></p>'
    """
    words = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        word = key.rstrip("_").replace("_", "-")
        words.append(word if value is True else f'{word}="{html.escape(str(value))}"')
    opening = f"<{' '.join(words)}>"
    return Html(opening if name in _VOID else f"{opening}{_inside(children)}</{name}>")


def _inside(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return str(child)
    if isinstance(child, str):
        return html.escape(child)
    return "".join(map(_inside, child))


def data_block(identifier: str, value: Any) -> Html:
    """Data for the page's script, which nothing in it can end early.

    Parameters
    ----------
    identifier : str
        Of the element.
    value : Any
        JSON-able.
    """
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    # In a script element only "<" could begin a closing tag or a comment.
    safe = text.replace("<", "\\u003c")
    return Html(f'<script type="application/json" id="{identifier}">{safe}</script>')
