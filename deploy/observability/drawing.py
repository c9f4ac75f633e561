"""Draws dashboards from what a Prometheus knows, as SVG: renderings for the documents, not what Grafana shows.

    python -m deploy.observability.drawing http://127.0.0.1:9090 --minutes 5       while make observe runs

Of each panel the queries are run over the time that is asked for, and drawn in its place and its unit.
"""

import argparse
import math
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from deploy.observability.dashboards.board import Board, Panel, Query, places
from deploy.observability.dashboards.boards import BOARDS
from deploy.observability.prometheus import Prometheus, Series

PICTURES = Path(__file__).parents[2] / "docs/pictures"
COLUMN, ROW, GAP = 50.0, 30.0, 8.0
POINTS = 120
COLOURS = ("#7eb26d", "#eab839", "#6ed0e0", "#ef843c", "#e24d42", "#1f78c1", "#ba43a9", "#705da0", "#508642", "#cca300")
NUMBERS = {"green": "#7eb26d", "red": "#e24d42"}
LEGENDS = 6  # lines of a legend at most
RATE = "20s"  # for $__rate_interval; a scrape every two seconds

STYLE = """
text { font: 11px system-ui, sans-serif; fill: #d8d9da } .dim { fill: #8e8e8e; font-size: 9px } .title { font-weight: 600 }
.number { font-size: 26px; font-weight: 600; text-anchor: middle } .end { text-anchor: end }
path { fill: none; stroke-width: 1.2 } .grid { stroke: #2c3235 } .exemplar { fill: #ff00ff }
"""


@dataclass(frozen=True, slots=True)
class Span:
    start: float
    end: float

    @property
    def step(self) -> float:
        return max(1.0, (self.end - self.start) / POINTS)


@dataclass(frozen=True, slots=True)
class Box:
    x: float
    y: float
    width: float
    height: float


def draw(board: Board, prometheus: Prometheus, span: Span) -> str:
    found = list(zip(board.panels, places(board.panels), strict=True))
    width = 24 * COLUMN + 2 * GAP
    height = max(place.y + place.h for _, place in found) * ROW + 56
    when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(span.end))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}">',
        f"<style>{STYLE}</style>",
        f'<rect width="{width:g}" height="{height:g}" fill="#111217"/>',
        f'<text x="{2 * GAP:g}" y="22" class="title" style="font-size:15px">{escape(board.title)}</text>',
        f'<text x="{width - 2 * GAP:g}" y="22" class="dim end">rendering of live data, {when} UTC, not Grafana</text>',
    ]
    for panel, place in found:
        box = Box(place.x * COLUMN + GAP, place.y * ROW + 36, place.w * COLUMN - GAP, place.h * ROW - GAP)
        parts += _panel(panel, box, prometheus, span)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel, box: Box, prometheus: Prometheus, span: Span) -> Iterator[str]:
    yield f'<g transform="translate({box.x:g},{box.y:g})">'
    yield f'<rect width="{box.width:g}" height="{box.height:g}" rx="3" fill="#181b1f" stroke="#2c3235"/>'
    yield f'<text x="8" y="16" class="title">{escape(panel.title)}</text>'
    series = [(query, labels, points) for query in panel.queries for labels, points in _ask(prometheus, query, span)]
    inside = Box(46, 26, box.width - 66, box.height - 26 - 28)
    match panel.kind:
        case "number":
            yield from _number(panel, series[0][2] if series else (), box)
        case "heatmap":
            yield from _heatmap([(labels, points) for _, labels, points in series], inside, span)
            yield from _exemplars(prometheus, panel.queries[0], [labels for _, labels, _ in series], inside, span)
        case "lines":
            yield from _lines(panel, series, inside, span)
    yield "</g>"


def _ask(prometheus: Prometheus, query: Query, span: Span) -> Sequence[Series]:
    seconds = f"{math.ceil(span.end - span.start)}s"
    filled = query.expr.replace("$__rate_interval", RATE).replace("$__range", seconds)
    return prometheus.range(filled, span.start, span.end, span.step)


def _number(panel: Panel, points: Sequence[tuple[float, float]], box: Box) -> Iterator[str]:
    known = [value for _, value in points if not math.isnan(value)]
    said = (f"{known[-1]:.0f}" if panel.unit == "short" else spoken(known[-1], panel.unit)) if known else "no data"
    reached = [name for value, name in panel.steps if known and (value is None or known[-1] >= value)]
    colour = NUMBERS[reached[-1]] if reached else "#8e8e8e"
    yield f'<text x="{box.width / 2:g}" y="{box.height / 2 + 20:g}" class="number" style="fill:{colour}">{said}</text>'


def _lines(
    panel: Panel, series: Sequence[tuple[Query, Mapping[str, str], Sequence[tuple[float, float]]]], box: Box, span: Span
) -> Iterator[str]:
    told = [(_named(query, labels), points) for query, labels, points in series]
    shown = [(name, points) for name, points in told if any(math.isfinite(value) for _, value in points)]
    rows = min(LEGENDS, math.ceil(len(shown) / 2))
    box = Box(box.x, box.y, box.width, box.height - 12 * rows)
    values = [value for _, points in shown for _, value in points if math.isfinite(value)]
    top = _nice(max(values, default=1.0) or 1.0)
    yield from _axes(box, span, [(share, spoken(top * share, panel.unit)) for share in (0.0, 0.5, 1.0)])
    for number, (name, points) in enumerate(shown):
        colour = COLOURS[number % len(COLOURS)]
        path = _path(points, top, box, span)
        yield f'<path d="{path}" stroke="{colour}"/>'
        if number < 2 * rows:
            x, y = box.x + number % 2 * box.width / 2, box.y + box.height + 26 + 12 * (number // 2)
            letters = int(box.width / 2 / 5.6)
            yield f'<rect x="{x:g}" y="{y - 6:g}" width="8" height="3" fill="{colour}"/>'
            yield f'<text x="{x + 12:g}" y="{y:g}" class="dim">{escape(name[:letters])}</text>'


def _path(points: Sequence[tuple[float, float]], top: float, box: Box, span: Span) -> str:
    """Where there was nothing, there is no line."""
    drawn, last = [], -math.inf
    for at, value in points:
        if math.isfinite(value):
            pen = "L" if at - last < 1.5 * span.step else "M"
            drawn.append(f"{pen}{_x(at, box, span):.0f} {box.y + box.height * (1 - value / top):.1f}")
            last = at
    return " ".join(drawn)


def _heatmap(series: Sequence[Series], box: Box, span: Span) -> Iterator[str]:
    """The buckets are cumulative: what is in one is what it has more than the one below."""
    ordered = sorted(series, key=lambda it: float(it[0]["le"]))
    below: dict[float, float] = {}
    most = max((value for _, points in ordered for _, value in points), default=1.0) or 1.0
    height = box.height / max(1, len(ordered))
    width = box.width * span.step / (span.end - span.start)
    for row, (_, points) in enumerate(ordered):
        for at, value in points:
            share = max(0.0, value - below.get(at, 0.0)) / most
            below[at] = value
            if share > 0.002:
                x, y = _x(at, box, span), box.y + box.height - (row + 1) * height
                yield (
                    f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height - 1:.1f}" fill="#3274d9" '
                    f'opacity="{min(1.0, 0.15 + share):.2f}"/>'
                )
    ticks = [((row + 1) / len(ordered), f"{labels['le']} s") for row, (labels, _) in enumerate(ordered)]
    yield from _axes(box, span, ticks[::2])


def _exemplars(
    prometheus: Prometheus, query: Query, buckets: Sequence[Mapping[str, str]], box: Box, span: Span
) -> Iterator[str]:
    histogram = re.search(r"\w+_bucket", query.expr)
    if not query.exemplars or histogram is None:
        return
    bounds = sorted(float(labels["le"]) for labels in buckets)
    height = box.height / max(1, len(bounds))
    for found in prometheus.exemplars(histogram.group(), span.start, span.end):
        row = sum(bound < float(found["value"]) for bound in bounds)
        x, y = _x(float(found["timestamp"]), box, span), box.y + box.height - (row + 0.5) * height
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" class="exemplar"/>'


def _axes(box: Box, span: Span, ticks: Sequence[tuple[float, str]]) -> Iterator[str]:
    for share, said in ticks:
        y = box.y + box.height * (1 - share)
        yield f'<line x1="{box.x:g}" x2="{box.x + box.width:g}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
        yield f'<text x="{box.x - 4:g}" y="{y + 3:.1f}" class="dim end">{said}</text>'
    for share in (0.0, 0.5, 1.0):
        x = box.x + box.width * share
        at = time.strftime("%H:%M:%S", time.gmtime(span.start + share * (span.end - span.start)))
        yield f'<text x="{x:.1f}" y="{box.y + box.height + 12:g}" class="dim" text-anchor="middle">{at}</text>'


def _x(at: float, box: Box, span: Span) -> float:
    return box.x + box.width * (at - span.start) / (span.end - span.start)


def _named(query: Query, labels: Mapping[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found.group(1), ""), query.legend) or "value"


def _nice(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if value <= step * power * 1.0001)


def spoken(value: float, unit: str) -> str:
    match unit:
        case "percentunit":
            return f"{100 * value:.4g} %"
        case "s" if abs(value) >= 3600:
            return f"{value / 3600:.3g} h"
        case "s" if 0 < abs(value) < 1:
            return f"{1000 * value:.3g} ms"
        case "s":
            return f"{value:.3g} s"
        case "bytes":
            return f"{value / 1e6:.3g} MB"
        case "reqps" | "ops":
            return f"{value:.3g} /s"
        case _:
            return f"{value:.4g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prometheus", help="its URL")
    parser.add_argument("--minutes", type=float, default=5.0, help="how much of the past is drawn")
    parser.add_argument("--into", type=Path, default=PICTURES, help="the folder")
    given = parser.parse_args()
    span = Span(time.time() - 60 * given.minutes, time.time())
    for name, board in BOARDS.items():
        path = given.into / f"dashboard-{name}.svg"
        path.write_text(draw(board, Prometheus(given.prometheus), span))
        sys.stdout.write(f"drew {path.name}\n")


if __name__ == "__main__":
    main()
