"""Lists of customers."""

from typing import Any


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    found = answer.get_json()
    return [row["id"] for row in (found if isinstance(found, list) else found["data"])]
