"""Every error that crosses a module border, in one tree.

    OrderlyError
    ├── LogError                the event log
    │   ├── Fenced              another owner has the partition: drop the state, join again
    │   ├── Unavailable         try again later; nothing is known to be wrong with the data
    │   │   ├── Late            no answer within the deadline
    │   │   └── Refused         too much asked already, or it fails too often: it was not even tried
    │   ├── OutOfRange          the position asked for is no longer, or not yet, there
    │   └── UnknownTopic
    ├── MessageError            one message is at fault, not the machinery: it goes to dead letters
    │   ├── Undecodable         not JSON, wrong fields, wrong types
    │   └── UnknownType         a type or schema version that this program does not know
    ├── Problem                 an answer to the caller (RFC 9457), see problems.py
    └── SettingsError           all missing or wrong settings at once

A refusal that the business expects (a declined card, an empty shelf) is an event and never an exception.
Each message says what happened, to what, and what to do.
"""


class OrderlyError(Exception):
    """The root: catch it only at the outermost edge."""


class LogError(OrderlyError):
    """The event log could not do what was asked."""


class Fenced(LogError):
    """This member no longer owns what it tried to write for. Nothing was written."""


class Unavailable(LogError):
    """The log, or a service that was asked, cannot be reached or is too busy. Whether a write happened is unknown unless said
    otherwise."""


class Late(Unavailable):
    """No answer within the deadline. It may have happened all the same."""


class Refused(Unavailable):
    """It was not asked, so nothing happened: a guard stands before it (a full bulkhead, an open circuit breaker)."""


class OutOfRange(LogError):
    """No record at this position: retention or compaction removed it."""


class UnknownTopic(LogError):
    """The topic was never created."""


class MessageError(OrderlyError):
    """One message cannot be handled, now or ever, by this program."""


class Undecodable(MessageError):
    """The bytes are not what the type says."""


class UnknownType(MessageError):
    """A type, or a schema version, that this program does not know."""


class SettingsError(OrderlyError):
    """The settings are incomplete or wrong; the message lists all of them."""
