"""What schemathesis cannot be told otherwise. It imports this by name."""

from typing import Any

import schemathesis


@schemathesis.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:
    """JSON Schema calls 858.0 an integer. We do not: money has one spelling (tests/security/test_input.py)."""
    match body:
        case float() if body.is_integer():
            return int(body)
        case dict():
            return {name: map_body(context, value) for name, value in body.items()}
        case list():
            return [map_body(context, value) for value in body]
        case _:
            return body
