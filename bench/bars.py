"""Draws labelled bars as SVG: side by side panels, one row for each thing that is compared."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

ROW, BAR, LABEL, WIDTH, GAP = 30, 18, 190, 380, 40
INK, GRID, RED = "#24292f", "#d0d7de", "#cf222e"
BLUES = ("#0969da", "#54aeff", "#2c7be5", "#80ccff", "#1b6ac9")


@dataclass
class Bar:
    """Parts are drawn one after the other; on a logarithmic scale, and wherever `nested`, one within the other."""

    label: str
    parts: Sequence[float]
    slow: int | None = None  # the part to be drawn in red


@dataclass
class Panel:
    title: str
    unit: str
    log: bool = False
    bars: list[Bar] = field(default_factory=list)

    def scale(self, value: float) -> float:
        """To pixels."""
        largest = max((max(bar.parts) if self.log else sum(bar.parts)) for bar in self.bars)
        if not self.log:
            return WIDTH * value / largest
        return WIDTH * math.log10(max(1.0, value)) / math.log10(largest * 1.2)


def picture(title: str, panels: Sequence[Panel]) -> str:
    rows = max(len(panel.bars) for panel in panels)
    width = LABEL + len(panels) * (WIDTH + GAP) + 40
    height = 70 + rows * ROW + 20
    drawn = [_text(16, 26, title, size=16, weight="bold")]
    for row, bar in enumerate(panels[0].bars):
        drawn.append(_text(LABEL - 10, 70 + row * ROW + 13, bar.label, anchor="end"))
    for column, panel in enumerate(panels):
        drawn += _panel(panel, LABEL + column * (WIDTH + GAP))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" role="img">'
    )
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="#ffffff"/>', *drawn, "</svg>", ""])


def _panel(panel: Panel, left: float) -> list[str]:
    drawn = [_text(left, 54, f"{panel.title} ({panel.unit})", size=12, weight="bold")]
    for row, bar in enumerate(panel.bars):
        top, x = 70 + row * ROW, left
        drawn.append(f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{BAR}" fill="none" stroke="{GRID}"/>')
        parts = sorted(enumerate(bar.parts), key=lambda part: -part[1]) if panel.log else enumerate(bar.parts)
        for number, value in parts:
            colour = RED if number == bar.slow else BLUES[number % len(BLUES)]
            size = panel.scale(value)
            drawn.append(f'<rect x="{x:.1f}" y="{top}" width="{size:.1f}" height="{BAR}" fill="{colour}"/>')
            x += 0 if panel.log else size
        if panel.log:
            told = " / ".join(f"{value:,.0f}" for value in bar.parts)
            drawn.append(_text(left + panel.scale(max(bar.parts)) + 6, top + 13, told))
    return drawn


def _text(x: float, y: float, text: str, *, size: int = 11, weight: str = "normal", anchor: str = "start") -> str:
    style = f'font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" fill="{INK}"'
    return f'<text x="{x:.1f}" y="{y}" {style}>{escape(text)}</text>'
