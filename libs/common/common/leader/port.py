"""What Orderly asks of a lease. Every kind passes `common.testing.lease_contract` unchanged."""

from typing import Protocol


class Lease(Protocol):
    """One of many holders has it at a time, each under a name that no other process ever had: a restart is a new holder."""

    async def take(self, holder: str, seconds: int) -> int | None:
        """Get it or renew it, for so long. The fencing token: the same as long as the holder keeps it, larger for each later
        holder. None while another one has it. Raises Unavailable."""
        ...

    async def holder(self) -> str | None:
        """Who has it, as far as can be seen; None when nobody does."""
        ...

    async def release(self, holder: str) -> None:
        """Others may take it at once. Does nothing for who does not have it."""
        ...

    async def close(self) -> None: ...
