"""`orderly trace`: an order's way through all services, as a waterfall."""

import os
import shutil
import sys
from typing import Annotated

import typer

from orderly import spans, waterfall
from orderly.failure import Failure
from orderly.folder import Folder
from orderly.options import Data, Json
from orderly.output import PIPE_WIDTH, say, say_line, show_json

ADVICE = (
    "only the last ones are kept, for a few minutes under load; sampling (OTEL_TRACES_SAMPLER) may have left it out"
)


def trace(
    order: Annotated[str, typer.Argument(metavar="ORDER", help="An order id, or a trace id.")],
    everything: Annotated[bool, typer.Option("--all", help="Also requests that only asked about the order.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Draw what an order made happen: every request, message, decision, effect and projection, and how long each took.

    From the spans that the services keep in the data folder: the platform need not run, nor any tracing tool.
    """
    found = spans.find(Folder.at(data), order, reads=everything)
    if not found:
        raise Failure(f"no trace of {order} is kept here", ADVICE)
    if as_json:
        show_json([{"trace": it.id, "whole": it.whole, "spans": [_plain(span) for span in it.spans]} for it in found])
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else int(os.environ.get("COLUMNS", PIPE_WIDTH))
    for it in found:
        say(waterfall.summary(it))
        for line in waterfall.draw(it, width):
            say_line(line)
        say()


def _plain(span: spans.Span) -> dict[str, object]:
    plain = {name: getattr(span, name) for name in spans.Span.__slots__ if name != "below"}
    return {**plain, "links": sorted(span.links)}
