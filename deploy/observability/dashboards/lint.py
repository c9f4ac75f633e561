"""What every dashboard has to keep to, whatever made its JSON. A pure function of it."""

import re
from collections.abc import Iterator
from typing import Any

Dashboard = dict[str, Any]

_FIXED_RATE = re.compile(r"(rate|increase)\([^)]*\[\d+[smhd]\]")


def complaints(dashboard: Dashboard) -> list[str]:
    """Empty when there is nothing to be said against it."""
    return [f"{dashboard.get('title', '?')}: {said}" for said in _all(dashboard)]


def _all(dashboard: Dashboard) -> Iterator[str]:
    if not dashboard.get("uid"):
        yield "has no uid: its address changes with each import"
    if not dashboard.get("description"):
        yield "has no description"
    sources = [it["name"] for it in dashboard.get("templating", {}).get("list", []) if it["type"] == "datasource"]
    if sources != ["datasource"]:
        yield "its data source is not the variable `datasource`"
    panels = dashboard.get("panels", [])
    ids = [panel.get("id") for panel in panels]
    if len(ids) != len(set(ids)):
        yield "two panels have one id"
    for panel in panels:
        yield from (f"{panel.get('title', panel.get('id'))}: {said}" for said in _panel(panel))
    for one, other in _pairs(panels):
        if _overlap(one["gridPos"], other["gridPos"]):
            yield f"{one['title']} and {other['title']} lie upon each other"


def _panel(panel: Dashboard) -> Iterator[str]:
    for needed in ("title", "description"):
        if not panel.get(needed):
            yield f"has no {needed}"
    if not panel.get("fieldConfig", {}).get("defaults", {}).get("unit"):
        yield "has no unit"
    place = panel["gridPos"]
    if place["x"] + place["w"] > 24:
        yield "is wider than the page"
    if not panel.get("targets"):
        yield "asks for nothing"
    for target in panel.get("targets", []):
        if target.get("datasource", {}).get("uid") != "${datasource}":
            yield "asks a data source of its own"
        if _FIXED_RATE.search(target["expr"]):
            yield f"has a rate over a fixed time, where $__rate_interval would know the scrape interval: {target['expr']}"


def _pairs(panels: list[Dashboard]) -> Iterator[tuple[Dashboard, Dashboard]]:
    for number, one in enumerate(panels):
        yield from ((one, other) for other in panels[number + 1 :])


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    across = one["x"] < other["x"] + other["w"] and other["x"] < one["x"] + one["w"]
    return across and one["y"] < other["y"] + other["h"] and other["y"] < one["y"] + one["h"]
