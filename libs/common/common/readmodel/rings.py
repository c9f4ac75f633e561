"""What a write rings the bell for, and how long somebody waits for a ring that was lost."""

from collections.abc import Iterator, Mapping, Sequence

from common.readmodel.port import Document, Entry

LOST_RING = 0.25  # seconds: a write between a reader's look and its wait rings for nobody


def touched(documents: Sequence[Document], entries: Sequence[Entry], positions: Mapping[str, int]) -> Iterator[str]:
    for document in documents:
        yield document.key
    for entry in entries:
        yield entry.list
    yield from positions
