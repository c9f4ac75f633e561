"""The URL of a Redis as its client wants it: with what the settings have as files, so that no secret is in the environment."""

from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from common.errors import SettingsError


def complete(url: str, *, ca_file: Path | None = None, password_file: Path | None = None) -> str:
    """`url` names the user (`rediss://order@host:6379/0`). The CA's file is read with each connection, the password's now.
    Raises SettingsError."""
    parts = urlsplit(url)
    if password_file is not None:
        try:
            password = password_file.read_text().strip()
        except OSError as error:
            raise SettingsError(f"ORDERLY_REDIS_PASSWORD_FILE: {error}") from None
        user, _, where = parts.netloc.rpartition("@")
        parts = parts._replace(netloc=f"{user.partition(':')[0]}:{quote(password, safe='')}@{where}")
    if ca_file is not None:
        parts = parts._replace(query="&".join(filter(None, (parts.query, urlencode({"ssl_ca_certs": str(ca_file)})))))
    return urlunsplit(parts)
