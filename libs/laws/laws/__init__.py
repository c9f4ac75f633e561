"""The laws of Orderly (L1-L14) as pure functions of a recorded history: holds, broken, unknown.

history = gather(log, models, now=system_clock(), …)    what there is, from a live platform or a stopped one
verdicts = check_all(history)                           one pass
print(report(verdicts))                                 the shape of `orderly verify --json`
"""

from laws.check import check_all
from laws.gather import gather
from laws.history import Cut, Documents, Dump, History
from laws.journal import Journal, JournalEntry, read_journal
from laws.ledger import LedgerRow, OperationRow, by_payment
from laws.report import EXIT, Report, report
from laws.verdict import Outcome, Verdict, overall

__all__ = [
    "EXIT",
    "Cut",
    "Documents",
    "Dump",
    "History",
    "Journal",
    "JournalEntry",
    "LedgerRow",
    "OperationRow",
    "Outcome",
    "Report",
    "Verdict",
    "by_payment",
    "check_all",
    "gather",
    "overall",
    "read_journal",
    "report",
]
