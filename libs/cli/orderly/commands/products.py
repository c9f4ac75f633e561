"""`orderly product put|receive|list`: the catalog and the shelf."""

import uuid
from typing import Annotated
from urllib.parse import quote

import typer
from rich.markup import escape

from orderly import money
from orderly.api import Api
from orderly.folder import Folder
from orderly.options import Data, Json, Key, Who
from orderly.output import say, show_json, table

app = typer.Typer(help="The catalog and what is on the shelf.", no_args_is_help=True, add_completion=False)

Sku = Annotated[str, typer.Argument(metavar="SKU")]


@app.command()
def put(
    sku: Sku,
    name: Annotated[str, typer.Option("--name", help="What customers read.")],
    price: Annotated[str, typer.Option("--price", help="As on a price tag: 19.99")],
    currency: Annotated[str, typer.Option("--currency", help="ISO 4217 code.")] = "EUR",
    data: Data = None,
    who: Who = "operator",
    as_json: Json = False,
) -> None:
    """Create a product, or change its name and price."""
    tag = money.parsed(price, currency)
    body = {"name": name, "price": tag}
    answer = Api.of(Folder.at(data), who).send("PUT", f"/v1/products/{quote(sku, safe='')}", body)
    if as_json:
        show_json(answer.body)
    else:
        say(f"[green]✓[/] {escape(sku)}: {escape(name)}, {money.shown(tag)}")


@app.command()
def receive(
    sku: Sku,
    quantity: Annotated[int, typer.Argument(metavar="QUANTITY", min=1)],
    key: Key = None,
    data: Data = None,
    who: Who = "operator",
    as_json: Json = False,
) -> None:
    """Put a delivery on the shelf. The same --key counts once."""
    path, body = f"/v1/products/{quote(sku, safe='')}/receipts", {"quantity": quantity}
    answer = Api.of(Folder.at(data), who).send("POST", path, body, key=key or str(uuid.uuid4()))
    if as_json:
        show_json(answer.body)
    else:
        say(f"[green]✓[/] {quantity} received; {answer.body.get('available', '?')} × {escape(sku)} can be ordered")


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option("--limit", min=1)] = 100,
    data: Data = None,
    who: Who = "alice",
    as_json: Json = False,
) -> None:
    """Show the catalog with prices and what is available."""
    found = list(Api.of(Folder.at(data), who).pages("/v1/products", limit))
    if as_json:
        show_json({"items": found})
        return
    if not found:
        say("the catalog is empty; try: orderly product put mug --name Mug --price 12.50")
        return
    rows = [
        (f"[bold]{escape(it['sku'])}[/]", escape(it["name"]), money.shown(it["price"]), f"{it['available']:,}")
        for it in found
    ]
    table("", "sku", "name", "price", "available", rows=rows, right=("price", "available"))
