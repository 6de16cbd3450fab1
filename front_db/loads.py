"""How a load by pages is declared, in the profile of the system whose table is filled."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from front_db.bulk import Take
from front_db.contract import Name
from front_db.pace import MOST_ROWS

__all__ = ["LoadFrom"]


class LoadFrom(BaseModel):
    """A load by pages: rows of another system's table into one of ours."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[Name, Field(max_length=50, description="By which it is started and journaled.")]
    system: Annotated[str, Field(min_length=1, description="The system whose table is read.")]
    table: Annotated[Name, Field(description="Its table.")]
    into: Annotated[Name, Field(description="One of our tables.")]
    take: Annotated[
        Take,
        Field(
            description="state: rows that are new, and marks them; position: all, by their row ids, "
            "and marks nothing."
        ),
    ] = Take.STATE
    route: Annotated[
        str,
        Field(description="Route by which rows are converted; none: the columns of one name."),
    ] = ""
    untouched: Annotated[
        bool, Field(description="Rows pass unseen, as bytes: both tables are alike, in PostgreSQL.")
    ] = False
    rate_rows_s: Annotated[
        int, Field(ge=0, description="At most so many rows in a second; 0: any.")
    ] = 0
    page_rows: Annotated[int, Field(ge=1, le=100_000, description="Most rows of a page.")] = (
        MOST_ROWS
    )
