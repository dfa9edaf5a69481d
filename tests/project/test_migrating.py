"""docs/migrating.md names every difference that clients of document 003 meet, each with its reason."""

import re

from app.config.settings import ROOT
from tests.support.rows import by_row

TEXT = (ROOT / "docs" / "migrating.md").read_text(encoding="utf-8")
ROWS = [re.split(r"(?<!\\)\|", line)[1:-1] for line in TEXT.splitlines() if line.startswith("| ")]
NAMED = {
    "…/children": "pages", "…/positions": "pages", "/positions/{id}/users": "pages",
    "an e-mail address that is taken": "409",
    "an unknown `sort`, `order`, `expand` or `page`": "400", "units with the same parent, and roots": "409",
    "an unknown parent of a unit": "400", "weak passwords": "400", "refreshing without a token": "401",
    "logging out": "200", "deactivating or deleting oneself": "409", "signing in with a temporary password": "403",
    "one's own e-mail address in `PATCH`": "400", "`path` of a unit": "begins with `/`",
}  # fmt: skip


@by_row(("difference", "here"), NAMED.items())
def test_each_difference_of_the_contract_is_named(difference: str, here: str) -> None:
    [row] = [cells for cells in ROWS if difference in cells[0]]

    assert here in row[2]


def test_each_row_says_what_is_here() -> None:
    assert [cells for cells in ROWS if len(cells) != 4 or not cells[0].strip(" -") or not cells[2].strip()] == [
        cells for cells in ROWS if cells[0].strip() == "" and cells[1].strip() == "document 003"
    ]


def test_what_must_be_mended_before_moving_in_names_its_command() -> None:
    assert "`flask doctor URL`" in TEXT
