"""`orderly order place|show|watch|cancel|list`."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.markup import escape

from orderly import money
from orderly.api import Api, Unanswered
from orderly.failure import Failure
from orderly.folder import Folder
from orderly.following import follow
from orderly.journaled import Client, journal_of
from orderly.options import Data, Json, Key, Who
from orderly.output import command, say, say_line, show_json, table
from orderly.timeline import LEGEND, Timeline

app = typer.Typer(help="Place orders and follow them.", no_args_is_help=True, add_completion=False)

OrderId = Annotated[str, typer.Argument(metavar="ORDER")]


@app.command()
def place(
    sku: Annotated[list[str], typer.Option("--sku", metavar="SKU[:QUANTITY]", help="Once for each line.")],
    payment: Annotated[
        str,
        typer.Option(
            "--token", help="The card: tok_ok, tok_declined, tok_slow, tok_lost, tok_error or tok_refund_fails."
        ),
    ] = "tok_ok",
    key: Key = None,
    wait: Annotated[int, typer.Option("--wait", min=0, max=30, help="For the outcome, so many seconds.")] = 0,
    live: Annotated[bool, typer.Option("--watch", help="And follow it live.")] = False,
    data: Data = None,
    who: Who = "alice",
    as_json: Json = False,
) -> None:
    """Place an order. It is journaled, and `orderly verify` holds the platform to its answer."""
    folder = Folder.at(data)
    api = Api.of(folder, who)
    body = {"lines": [_line(text) for text in sku], "payment_token": payment}
    key = key or str(uuid.uuid4())
    try:
        with journal_of(folder) as journal:
            order = Client(api, journal).place(body, key=key, wait=wait).body
    except Unanswered as error:
        again = f"the order may have been heard all the same; ask again with --key {key}"
        raise Failure(error.what, again) from None
    if as_json:
        show_json(order)
        return
    _draw(order)
    if live:
        say()
        _watch(api, order["order_id"])
    elif order["status"] == "pending":
        again = command(f"order watch {order['order_id']}", folder)
        say(f"\n[dim]follow it:[/] {again}")


@app.command()
def show(
    order_id: OrderId,
    timeline: Annotated[bool, typer.Option("--timeline", "-t", help="With everything that happened.")] = False,
    data: Data = None,
    who: Who = "alice",
    as_json: Json = False,
) -> None:
    """Show an order as it is now."""
    folder = Folder.at(data)
    api = Api.of(folder, who)
    with journal_of(folder) as journal:
        order = Client(api, journal).read(quote(order_id, safe=""))
    story = api.get(f"/v1/orders/{quote(order_id, safe='')}/timeline") if timeline else None
    if as_json:
        show_json({**order, "timeline": story["entries"]} if story else order)
        return
    _draw(order)
    if story:
        say()
        drawn = Timeline()
        for entry in story["entries"]:
            say_line(drawn.line(entry))
        say(f"\n  {LEGEND}")


@app.command()
def watch(order_id: OrderId, data: Data = None, who: Who = "alice") -> None:
    """Follow an order live until its saga has ended."""
    _watch(Api.of(Folder.at(data), who), order_id)


def _watch(api: Api, order_id: str) -> None:
    drawn = Timeline()
    order = follow(api, order_id, on_entry=lambda entry: say_line(drawn.line(entry)))
    say(f"\n  {outcome(order)}")


@app.command()
def cancel(
    order_id: OrderId,
    wait: Annotated[int, typer.Option("--wait", min=0, max=30, help="For the outcome, so many seconds.")] = 5,
    data: Data = None,
    who: Who = "alice",
    as_json: Json = False,
) -> None:
    """Ask for an order to be cancelled. Refused when it is too late."""
    order = Api.of(Folder.at(data), who).send("POST", f"/v1/orders/{quote(order_id, safe='')}/cancellation", wait=wait)
    if as_json:
        show_json(order.body)
    else:
        say(f"  {outcome(order.body)}")


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option("--limit", min=1)] = 20,
    data: Data = None,
    who: Who = "alice",
    as_json: Json = False,
) -> None:
    """Show a customer's orders, newest first."""
    found = list(Api.of(Folder.at(data), who).pages("/v1/orders", limit))
    if as_json:
        show_json({"items": found})
        return
    if not found:
        say(f"{escape(who)} has no orders")
        return
    rows = [
        (it["order_id"], _status(it), money.shown(it["total"]), it["created_at"], escape(it["reason"] or ""))
        for it in found
    ]
    table("", "order", "status", "total", "placed", "reason", rows=rows, right=("total",))


def outcome(order: Mapping[str, Any]) -> str:
    """One line of rich markup: how an order stands."""
    reason = f": {escape(order['reason'])}" if order.get("reason") else ""
    return f"{_status(order)} [dim]{order['order_id']}[/]{reason}"


def _status(order: Mapping[str, Any]) -> str:
    style = {"confirmed": "green", "cancelled": "red"}.get(order["status"], "yellow")
    return f"[bold {style}]{order['status']}[/]"


def _draw(order: Mapping[str, Any]) -> None:
    say(f"{outcome(order)} [dim]version {order['version']}[/]")
    lines: Sequence[Mapping[str, Any]] = order["lines"]
    for line in lines:
        say(f"  {line['quantity']:>4} × {escape(line['sku']):<24} [dim]{money.shown(line['unit_price'])}[/]")
    say(f"         {'total':<24} {money.shown(order['total'])}")


def _line(text: str) -> dict[str, Any]:
    sku, _, quantity = text.partition(":")
    try:
        return {"sku": sku, "quantity": int(quantity or 1)}
    except ValueError:
        raise Failure(f"--sku {text!r}: {quantity!r} is no quantity", "write it as --sku mug:2") from None
