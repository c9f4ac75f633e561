"""The demo: five real orders through the public API, each told as it happens and held to how it should end."""

import os
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psutil
from rich.markup import escape

from orderly import catalog
from orderly.api import Api, Refused
from orderly.folder import Folder
from orderly.following import Entry, follow
from orderly.journaled import Client, journal_of
from orderly.timeline import LEGEND, Timeline

Say = Callable[[str], None]
Stock = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Scene:
    """One order. `payment`: what the payment's status must be in the end; None: there never was one."""

    title: str
    moral: str
    who: str
    lines: Callable[[Stock], Sequence[tuple[str, int]]]
    card: str
    ends: str
    payment: str | None


SCENES = (
    Scene(
        "A good order",
        "stock is held, then the card is asked, and both are settled once the order is certain",
        "alice",
        lambda stock: [("tea", 2)],
        "tok_ok",
        "confirmed",
        "captured",
    ),
    Scene(
        "Several lines",
        "each line lives on its own partition: all are asked at once, and all must say yes",
        "bob",
        lambda stock: [("tea", 1), ("mug", 4), ("kettle", 1)],
        "tok_ok",
        "confirmed",
        "captured",
    ),
    Scene(
        "A declined card",
        "what was held goes back on the shelf before the order is called off",
        "alice",
        lambda stock: [("kettle", 1)],
        "tok_declined",
        "cancelled",
        "declined",
    ),
    Scene(
        "An empty shelf",
        "one line is there, the other is not: the first is given back, and the card is never touched",
        "bob",
        lambda stock: [("mug", 1), ("golden-teapot", stock["golden-teapot"] + 1)],
        "tok_ok",
        "cancelled",
        None,
    ),
    Scene(
        "A lost answer",
        "the provider did set the amount aside, but its answer got lost: it is asked again by key, and not charged twice",
        "alice",
        lambda stock: [("tea", 1)],
        "tok_lost",
        "confirmed",
        "captured",
    ),
)


@dataclass
class Told:
    """How the story went. `first` is when an order was first confirmed, in seconds since 1970."""

    first: float | None = None
    wrong: int = 0
    last_order: str = ""
    memory: int = 0


def tell(folder: Folder, base_url: str, say: Say, say_line: Say) -> Told:
    """`say_line` is for what should stay on one line. Raises Failure when the platform cannot be reached."""
    stock = catalog.stock_up(Api(base_url, "operator"))
    told = Told()
    say(f"\n  {LEGEND}")
    with journal_of(folder) as journal:
        for number, scene in enumerate(SCENES, 1):
            say(f"\n[bold]{number}  {scene.title}[/]\n[dim]   {scene.moral}[/]\n")
            api = Api(base_url, scene.who)
            order = _play(Client(api, journal), api, scene, stock, told, say_line)
            complaints = _complaints(api, scene, order)
            told.wrong += bool(complaints)
            told.last_order = order["order_id"]
            say(f"\n  {_verdict(scene, order, complaints)}")
    return told


def _play(client: Client, api: Api, scene: Scene, stock: Stock, told: Told, say_line: Say) -> Entry:
    lines = [{"sku": sku, "quantity": quantity} for sku, quantity in scene.lines(stock)]
    answer = client.place({"lines": lines, "payment_token": scene.card}, key=f"demo-{uuid.uuid4()}")
    drawn = Timeline()

    def on_entry(entry: Entry) -> None:
        if entry["type"] == "OrderConfirmed" and told.first is None:
            told.first = time.time()
        say_line(drawn.line(entry))

    return follow(api, answer.body["order_id"], on_entry=on_entry)


def _complaints(api: Api, scene: Scene, order: Entry) -> list[str]:
    """What is otherwise than it should be; empty when all is well."""
    found = []
    if order["status"] != scene.ends:
        found.append(f"the order is {order['status']}, it should be {scene.ends}")
    payment = _payment(api, order["order_id"])
    status = payment["status"] if payment else None
    if status != scene.payment:
        found.append(f"the payment is {status or 'not there'}, it should be {scene.payment or 'not there'}")
    if payment and scene.payment == "captured" and payment["captured"] != order["total"]:
        found.append(f"{payment['captured']} was captured, of {order['total']}")
    return found


def _payment(api: Api, order_id: str) -> Any:
    try:
        return api.get(f"/v1/payments/{order_id}")
    except Refused as refused:
        if refused.status == 404:
            return None
        raise


def _verdict(scene: Scene, order: Entry, complaints: Sequence[str]) -> str:
    if complaints:
        return f"[bold red]✗ {escape('; '.join(complaints))}[/] [dim]{order['order_id']}[/]"
    reason = f" [dim]({escape(order['reason'])})[/]" if order["reason"] else ""
    return f"[green]✓[/] {scene.ends}, as it should be{reason}"


def since_command(moment: float) -> float:
    """Seconds since this process began."""
    return moment - float(psutil.Process().create_time())


def since_make(moment: float) -> float | None:
    """Seconds since `make` began, which may have had everything to set up; None when it was not make that called us."""
    try:
        return moment - float(os.environ["ORDERLY_STARTED_AT"])
    except (KeyError, ValueError):
        return None
