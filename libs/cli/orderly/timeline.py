"""An order's timeline as lines for a terminal: who did what, when, and why it matters."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.markup import escape

# kind -> symbol and style: what was asked, what came to be, what was answered ...
SYMBOLS = {
    "command": ("▸", "cyan"),
    "event": ("●", "green"),
    "reply": ("◂", "blue"),
    "timer": ("◷", "yellow"),
    "effect": ("↗", "magenta"),
    "compensation": ("↺", "yellow"),
}
FAILURES = {
    "StockRefused",
    "PaymentDeclined",
    "StepTimedOut",
    "AttemptFailed",
    "PaymentParked",
    "OrderCancelled",
    "CancellationRefused",
}
MEANINGS = {
    "PlaceOrder": "the customer orders",
    "OrderPlaced": "accepted, nothing is promised yet",
    "ReserveStock": "hold this line's stock",
    "StockReserved": "held for this order",
    "StockRefused": "not enough on the shelf",
    "AuthorizePayment": "set the amount aside on the card",
    "AuthorizationRequested": "intent written down, then the provider is called",
    "PaymentAuthorized": "the amount is set aside",
    "PaymentDeclined": "the card was declined",
    "OrderConfirmed": "confirmed: stock and money are certain",
    "CapturePayment": "take the money",
    "CaptureRequested": "intent written down, then the provider is called",
    "PaymentCaptured": "the money is taken",
    "ShipStock": "this line leaves the shelf",
    "StockShipped": "left the shelf",
    "VoidPayment": "undo whatever the card has seen",
    "VoidRequested": "intent written down, then the provider is called",
    "PaymentVoided": "nothing is set aside any more",
    "RefundRequested": "the money goes back",
    "PaymentRefunded": "the money is back",
    "PaymentParked": "failed so often that a person must look",
    "ReleaseStock": "give this line's stock back",
    "StockReleased": "back on the shelf, and barred for latecomers",
    "AttemptFailed": "no usable answer: ask again, by key first",
    "ProviderAnswered": "the provider's answer came in",
    "AttemptDue": "time for the next attempt",
    "AttemptStarted": "asking again: what became of it?",
    "StepDue": "nobody answered in time",
    "StepTimedOut": "patience is over",
    "RequestCancellation": "the customer changed their mind",
    "CancellationRequested": "the order is being undone",
    "CancellationRefused": "too late to cancel",
    "OrderCancelled": "cancelled: it holds nothing any more",
}
LEGEND = "  ".join(f"[{style}]{symbol}[/] {kind}" for kind, (symbol, style) in SYMBOLS.items())


class Timeline:
    """Draws one order's entries, as they come. Times count from the first."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._step = ""

    def line(self, entry: Mapping[str, Any]) -> str:
        """Rich markup. The step is named where it changes."""
        at = datetime.fromisoformat(entry["at"]).timestamp() * 1000
        self._began = at if self._began is None else self._began
        step = entry["step"] or self._step
        shown_step = step if step != self._step else ""
        self._step = step
        symbol, style = SYMBOLS.get(entry["kind"], ("·", "white"))
        name = escape(f"{entry['type']:<22}")
        if entry["type"] in FAILURES:
            symbol, name = f"[bold red]{symbol}[/]", f"[bold red]{name}[/]"
        elif entry["type"] == "OrderConfirmed":
            symbol, name = f"[bold green]{symbol}[/]", f"[bold green]{name}[/]"
        else:
            symbol, name = f"[{style}]{symbol}[/]", f"[{style}]{name}[/]"
        after = f"{max(0, round(at - self._began)):+d} ms"
        meaning = MEANINGS.get(entry["type"], "")
        return f"  {shown_step:<9} [dim]{after:>10}[/]  {entry['service']:<9} {symbol} {name} [dim]{meaning}[/]"
