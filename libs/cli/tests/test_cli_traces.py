"""From the spans in a data folder to a tree, and from the tree to lines."""

import json
from pathlib import Path

from orderly import spans, waterfall
from orderly.folder import Folder

ORDER, OTHER = "ord_" + "a" * 32, "ord_" + "b" * 32
TRACE, BATCH = "1" * 32, "2" * 32


def write(folder: Folder, service: str, *lines: dict[str, object]) -> None:
    folder.traces.mkdir(exist_ok=True)
    with (folder.traces / f"{service}.jsonl").open("a") as file:
        for line in lines:
            file.write(json.dumps(line) + "\n")


def header(name: str, trace: str) -> str:
    return f"00-{trace}-{name.encode().hex()[:16]:0<16}-01"


def span(name: str, parent: str = "", *, trace: str = TRACE, **more: object) -> dict[str, object]:
    because_of = header(parent, trace) if parent else ""
    plain: dict[str, object] = {
        "traceparent": header(name, trace),
        "parent": because_of,
        "service": "order",
        "name": name,
    }
    plain |= {"kind": "internal", "start": 1_000_000, "end": 5_000_000, "error": ""}
    return plain | {"attributes": {}, "events": [], "links": []} | more


def an_order(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path)
    write(folder, "gateway", span("POST /v1/orders", kind="server", service="gateway"))
    sent = span("send", "POST /v1/orders", kind="producer", start=2_000_000, attributes={"orderly.order.id": ORDER})
    write(folder, "order", sent, span("decide", "send", start=3_000_000, error="Fenced"))
    write(folder, "order", span("project", trace=BATCH, links=[header("decide", TRACE)], start=4_000_000))
    write(folder, "order", span("else", trace="3" * 32, attributes={"orderly.order.id": OTHER}))
    return folder


def test_an_order_leads_to_its_trace_and_to_the_batches_that_it_was_in(tmp_path: Path) -> None:
    (found,) = spans.find(an_order(tmp_path), ORDER)
    assert [it.name for it in found.spans] == ["POST /v1/orders", "send", "decide"]
    assert [it.name for it in found.roots] == ["POST /v1/orders"]
    assert [it.name for it in found.linked] == ["project"]
    assert found.whole


def test_a_trace_may_be_asked_for_by_its_id(tmp_path: Path) -> None:
    (found,) = spans.find(an_order(tmp_path), TRACE)
    assert len(found.spans) == 3


def test_what_has_lost_its_parent_is_shown_and_called_incomplete(tmp_path: Path) -> None:
    folder = an_order(tmp_path)
    write(folder, "payment", span("orphan", "a span that nobody kept"))
    (found,) = spans.find(folder, ORDER)
    assert not found.whole
    assert "incomplete" in waterfall.summary(found)


def test_a_line_that_is_just_being_written_does_no_harm(tmp_path: Path) -> None:
    folder = an_order(tmp_path)
    with (folder.traces / "order.jsonl").open("a") as file:
        file.write(f'{{"trace": "{TRACE}", "span": "ha')
    assert len(spans.find(folder, ORDER)[0].spans) == 3


def test_each_line_of_the_waterfall_is_as_wide_as_the_terminal(tmp_path: Path) -> None:
    from rich.text import Text

    (found,) = spans.find(an_order(tmp_path), ORDER)
    for width in (80, 120, 200):
        drawn = [Text.from_markup(line) for line in waterfall.draw(found, width)]
        assert {len(line) for line in drawn} <= {width - 2, width - 1, width}
        assert [line.plain.split()[0] for line in drawn] == ["gateway", "order", "order", "order"]
