"""Decisions are numbered once, and found from their list."""

import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs" / "adr"


def test_each_decision_has_a_number_of_its_own_and_a_line_in_the_list() -> None:
    written = sorted(path.name for path in FOLDER.glob("[0-9]*.md"))
    assert [int(name[:4]) for name in written] == list(range(1, len(written) + 1))
    listed = re.findall(r"^\| \[(\d{4})\]\((\S+)\) \|", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert [name for _, name in listed] == written
    assert all(name.startswith(number) for number, name in listed)
    for name in written:
        assert (FOLDER / name).read_text().startswith(f"# {int(name[:4])}. "), name
