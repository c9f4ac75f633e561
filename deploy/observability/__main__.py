"""Writes what is made from code: `python -m deploy.observability [--check]`. With --check: says what differs, and fails."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.observability import reference
from deploy.observability.dashboards import board
from deploy.observability.dashboards.boards import BOARDS
from deploy.observability.rules import alerts, rule, slos

ROOT = Path(__file__).parents[2]
FILES = "deploy/helm/orderly/files"  # the chart takes them from there, and so does make observe


def made() -> Mapping[str, str]:
    """By path: what each file has to be."""
    dashboards = {f"{FILES}/dashboards/{name}.json": board.render(it) for name, it in BOARDS.items()}
    rules = {
        f"{FILES}/rules/{name}.yaml": rule.render(it.groups()) for name, it in (("slos", slos), ("alerts", alerts))
    }
    return {"docs/metrics.md": reference.page(), **dashboards, **rules}


def differing() -> list[str]:
    found = made()
    return [name for name, text in found.items() if not (ROOT / name).exists() or (ROOT / name).read_text() != text]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    given = parser.parse_args()
    wrong = differing()
    if given.check and wrong:
        raise SystemExit(f"not what the code makes: {', '.join(wrong)}; run make observability")
    for name in wrong:
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_text(made()[name])
        sys.stdout.write(f"wrote {name}\n")


if __name__ == "__main__":
    main()
