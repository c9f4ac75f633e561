"""Who is put to the test."""

from tests.integration.exactly_once.lab import Client
from tests.integration.exactly_once.ours import OurWorker
from tests.integration.exactly_once.stock import StockWorker

CLIENTS: dict[str, Client] = {"stock": StockWorker, "ours": OurWorker}
