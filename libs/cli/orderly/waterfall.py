"""A trace as lines for a terminal: who did what because of whom, and when, as a bar."""

from collections.abc import Iterator, Sequence

from rich.markup import escape

from orderly.spans import Span, Trace

COLOURS = {"gateway": "cyan", "order": "green", "payment": "magenta", "inventory": "yellow", "provider": "blue"}
SERVICE, TIMES = 9, 19  # columns
LABEL = 76
NARROWEST = 10


def draw(trace: Trace, width: int) -> Iterator[str]:
    """Lines of rich markup, as wide as that. The widths of columns follow what there is to show."""
    began = min(it.start for it in trace.spans)
    last = max(it.end for it in (*trace.spans, *trace.linked))
    rows = [row for root in trace.roots for row in _rows(root, "", "")]
    rows += [("⇢ ", it) for it in trace.linked]
    widest = max(len(indent) + len(_label(it)) for indent, it in rows)
    label = max(NARROWEST, min(widest, LABEL, (width - SERVICE - TIMES) * 2 // 3))
    bar = max(NARROWEST, width - SERVICE - label - TIMES - 6)
    for indent, span in rows:
        yield _line(indent, span, label, _bar(span, began, max(1, last - began), bar), began)


def _rows(span: Span, indent: str, below: str) -> Iterator[tuple[str, Span]]:
    yield indent, span
    for child in span.below:
        last = child is span.below[-1]
        yield from _rows(child, below + ("└ " if last else "├ "), below + ("  " if last else "│ "))


def _line(indent: str, span: Span, label: int, bar: str, began: int) -> str:
    colour = COLOURS.get(span.service, "white")
    text = _label(span)
    room = label - len(indent)
    text = text if len(text) <= room else text[: max(0, room - 1)] + "…"
    shown = f"[dim]{indent}[/]" + (f"[bold red]{escape(text)}[/]" if span.error else escape(text))
    gap = " " * max(0, room - len(text))
    at, took = (span.start - began) / 1e6, (span.end - span.start) / 1e6
    bar = f"[{'red' if span.error else colour}]{bar}[/]"
    return f"  [{colour}]{span.service:<{SERVICE}}[/] {shown}{gap} {bar} [dim]{at:>+8.1f}[/] {took:>7.1f} ms"


def _bar(span: Span, began: int, whole: int, width: int) -> str:
    first = min(width - 1, (span.start - began) * width // whole)
    length = max(1, min(width - first, round((span.end - span.start) * width / whole)))
    return " " * first + "━" * length + " " * (width - first - length)


def _label(span: Span) -> str:
    """What it is about, rather than what it is called: `PlaceOrder → OrderPlaced` for `process order.commands`."""
    said = span.attributes
    if "orderly.message.type" in said:
        events = ", ".join(name for name, _, _ in span.events if name != said["orderly.message.type"])
        label = str(said["orderly.message.type"]) + (f" → {events}" if events else "")
        label = f"◷ {label}" if span.name.startswith("timer") else label
        step = said.get("orderly.step")
        return f"{label}  [{step}]" if step and step != said.get("orderly.step.before") else label
    if span.kind in ("server", "client") and "http.response.status_code" in said:
        return f"{span.name}  {said['http.response.status_code']}"
    if "messaging.batch.message_count" in said:
        return f"{span.name}  ×{said['messaging.batch.message_count']}"
    return f"{span.name}  {span.error}" if span.error else span.name


def summary(trace: Trace) -> str:
    """One line of rich markup."""
    took = (max(it.end for it in trace.spans) - min(it.start for it in trace.spans)) / 1e6
    services: Sequence[str] = list(dict.fromkeys(it.service for it in trace.spans))
    failed = sum(bool(it.error) for it in trace.spans)
    told = f"[bold]{trace.id}[/]  {took:.0f} ms, {len(trace.spans)} spans in {', '.join(services)}"
    told += f", [red]{failed} failed[/]" if failed else ""
    return told if trace.whole else f"{told}  [yellow]incomplete[/]"
