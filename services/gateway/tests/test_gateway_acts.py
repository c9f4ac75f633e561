"""The audit log, page by page, for auditors."""

import json
from pathlib import Path
from typing import Any

import pytest

from common.contracts.api import ActPage
from common.security import audit
from gateway.testing import Edge, edge


async def asked(gateway: Edge, query: str = "") -> Any:
    reply = await gateway.call("auditor", "GET", f"/v1/audit{query}")
    assert reply.status == 200, reply.body
    ActPage.model_validate_json(reply.body)
    return reply.json()


async def test_an_auditor_reads_all_of_it_newest_first(tmp_path: Path) -> None:
    path = tmp_path / "acts.jsonl"
    audit.keep(path)
    try:
        for number in range(2_500):
            audit.denied("mallory", f"show_order {number}", "no policy permits it")
    finally:
        audit.keep(None)
    async with edge(audit=path) as gateway:
        page = await asked(gateway, "?limit=100")
        told = [int(act["what"].split()[1]) for act in page["items"]]
        while page["next_cursor"]:
            page = await asked(gateway, f"?limit=100&cursor={page['next_cursor']}")
            told += [int(act["what"].split()[1]) for act in page["items"]]
    assert told == list(range(2_499, -1, -1))


async def test_a_line_that_is_on_its_way_is_not_told_yet(tmp_path: Path) -> None:
    act = json.dumps({"at": "t", "kind": "done", "who": "os:olga", "what": "erased", "why": "", "trace_id": ""})
    (tmp_path / "acts.jsonl").write_text(f"{act}\n{act[:20]}")
    async with edge(audit=tmp_path / "acts.jsonl") as gateway:
        assert [it["who"] for it in (await asked(gateway))["items"]] == ["os:olga"]


@pytest.mark.parametrize("cursor", ["x", "-1", "1", "999999", "9" * 19, "٣"])
async def test_a_cursor_is_one_that_was_given(tmp_path: Path, cursor: str) -> None:
    (tmp_path / "acts.jsonl").write_text("{}\n{}\n")
    async with edge(audit=tmp_path / "acts.jsonl") as gateway:
        reply = await gateway.call("auditor", "GET", f"/v1/audit?cursor={cursor.encode().decode('latin-1')}")
        assert (reply.status, reply.is_problem) in ((422, True), (400, True))


async def test_without_a_file_there_are_none() -> None:
    async with edge() as gateway:
        assert await asked(gateway) == {"items": [], "next_cursor": None}
