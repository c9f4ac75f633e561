"""No value ever becomes a part of an SQL text: values are parameters, and what is put in are names of our own."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path for area in ("libs", "services") for path in (ROOT / area).rglob("*.py") if "tests" not in path.parts
)
SQL = re.compile(r"\b(SELECT\b.+\bFROM|INSERT\b.+\bINTO|UPDATE\b.+\bSET|DELETE\s+FROM)", re.DOTALL)
OURS = {
    "_ENTRY": "a list of columns, constant",
    "_ALIVE": "a condition, constant",
    "place.table": "made of the numbers of topic and partition",
    "table": "the same",
    "column": "one of two, constant where it is said",
    "beyond": "one of two conditions, with its value as a parameter",
    "order": "ASC or DESC",
}


def put_in(path: Path) -> Iterator[str]:
    """What the SQL texts of this file are completed with."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.JoinedStr):
            pieces = [it.value for it in node.values if isinstance(it, ast.Constant)]
            if SQL.search(" ".join(map(str, pieces))):
                yield from (ast.unparse(it.value) for it in node.values if isinstance(it, ast.FormattedValue))


def test_sql_is_completed_with_names_of_our_own_alone() -> None:
    found = {(str(path.relative_to(ROOT)), it) for path in SOURCES for it in put_in(path)}
    assert {it for it in found if it[1] not in OURS} == set()
    assert {it for _, it in found} == set(OURS), "what is put in nowhere need not be allowed"
