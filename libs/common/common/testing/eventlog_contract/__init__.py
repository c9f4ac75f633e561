"""The laws of the event log, as a test suite that every engine passes.

    class TestMyLog(EventLogContract):
        @pytest.fixture
        def engine(self) -> Iterator[Engine]: ...

Nothing in it relies on an instant: what another member or process does is waited for, see `eventually`.
"""

from common.testing.eventlog_contract.engine import Engine
from common.testing.eventlog_contract.exactly_once import ExactlyOnceLaws
from common.testing.eventlog_contract.ownership import OwnershipLaws
from common.testing.eventlog_contract.reading import ReadingLaws
from common.testing.eventlog_contract.transactions import TransactionLaws
from common.testing.eventlog_contract.writing import WritingLaws

__all__ = ["Engine", "EventLogContract"]


class EventLogContract(WritingLaws, ReadingLaws, TransactionLaws, OwnershipLaws, ExactlyOnceLaws):
    """All laws. Subclasses give the `engine`."""
