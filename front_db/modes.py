"""How changes of a table are noticed (采集方式), as a system's profile declares it for each table.

Form       ``capture: state`` or ``capture: {mode: watermark, column: gxsj, …}``
Units      seconds; rows; shares from 0 to 1
Careful    what each mode cannot see stands in docs/front-db.md, and as figures in its status
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from front_db.contract import Name

__all__ = [
    "BinlogMode",
    "CaptureMode",
    "FullBatchMode",
    "Fuse",
    "KeySetMode",
    "LogicalMode",
    "Mode",
    "StateMode",
    "TriggerMode",
    "WatermarkMode",
]


class _Mode(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StateMode(_Mode):
    """Rows have a state column that we may set: late commits cannot escape. The default."""

    mode: Literal["state"] = "state"


class TriggerMode(_Mode):
    """As state, of a standard table that triggers on the partner's own table fill."""

    mode: Literal["triggers"] = "triggers"


class Fuse(_Mode):
    """
    When so much would vanish or change at once, nothing is told and the table stops: it was emptied,
    or is being loaded anew. It melts above *share* of the rows known and *rows* of them, both; or
    above *most*, whatever the share.
    """

    share: Annotated[float, Field(ge=0, le=1, description="Of the rows that we know.")] = 0.2
    rows: Annotated[int, Field(ge=0, description="So few are never too many.")] = 20
    most: Annotated[int | None, Field(ge=0, description="More are always too many.")] = None

    def melts(self, lost: int, known: int) -> bool:
        """
        >>> Fuse().melts(30, 1000), Fuse().melts(300, 1000), Fuse().melts(20, 20)
        (False, True, False)
        """
        if self.most is not None and lost > self.most:
            return True
        return lost > self.rows and lost > self.share * known


class WatermarkMode(_Mode):
    """
    The table has a column that rises: a time of change, or a number that the database counts up.

    Rows behind the highest one seen are read again within a window, because transactions commit late
    and clocks differ; numbers left out are remembered until they come.
    """

    mode: Literal["watermark"] = "watermark"
    column: Annotated[Name, Field(description="The column that rises: a time, a day or a number.")]
    format: Annotated[
        str | None, Field(description="Of a time that is kept as text, as strftime.")
    ] = None
    window_s: Annotated[
        float,
        Field(ge=0, description="Longest transaction and largest difference of clocks, s."),
    ] = 3600.0
    grain_s: Annotated[
        float, Field(ge=0, description="Rows within so much of the mark are read at every poll, s.")
    ] = 2.0
    again_s: Annotated[
        float, Field(ge=0, description="The whole window is read again so often, s.")
    ] = 60.0
    gap_s: Annotated[
        float, Field(ge=0, description="A number left out is waited for so long, s.")
    ] = 3600.0
    deleted: Annotated[
        Name | None, Field(description="A column that says that a row counts as deleted.")
    ] = None
    deleted_values: Annotated[
        tuple[str, ...], Field(min_length=1, description="What it says then.")
    ] = ("1", "Y", "D")
    keys_s: Annotated[
        float | None,
        Field(gt=0, description="All keys are compared so often, to find deletes, s; none: never."),
    ] = None
    fuse: Fuse = Fuse()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.deleted and self.keys_s:
            raise ValueError("deleted, keys_s: a row that counts as deleted is there all the same")
        return self


class KeySetMode(_Mode):
    """All keys and digests are compared with what we know; the table is only ever read."""

    mode: Literal["key-set"] = "key-set"
    every_s: Annotated[float, Field(ge=0, description="A comparison so often, s.")] = 3600.0
    range_rows: Annotated[int, Field(ge=10, le=100_000, description="Rows compared at once.")] = (
        2000
    )
    fuse: Fuse = Fuse()


class FullBatchMode(_Mode):
    """
    A standard table into which its writer puts nothing but whole tables, each as one sealed batch.

    A batch that agrees with its header is compared with what was told before: what is new or different
    is told, and what is not in it is deleted. One that does not agree deletes nothing.
    """

    mode: Literal["full-batch"] = "full-batch"
    digest: Annotated[bool, Field(description="A batch without a declared digest is refused.")] = (
        True
    )
    range_rows: Annotated[int, Field(ge=10, le=100_000, description="Rows compared at once.")] = (
        2000
    )
    refused_rows: Annotated[
        int, Field(ge=0, le=10_000, description="With more wrong rows a whole batch is refused.")
    ] = 200
    fuse: Fuse = Fuse()


class LogicalMode(_Mode):
    """PostgreSQL's log, by a slot and a publication that its administrator made: every change, deletes and
    truncation too, and nothing is written or read in the table itself after the first load."""

    mode: Literal["logical"] = "logical"
    slot: Annotated[
        str, Field(pattern=r"^[a-z0-9_]{1,63}$", description="Of this table alone; by pgoutput.")
    ]
    publication: Name
    keep_mb: Annotated[
        int,
        Field(
            ge=16,
            le=1_048_576,
            description="So much of its log may the partner keep for us, MiB: above it we warn, and "
            "give it up where the table stands still.",
        ),
    ] = 1024
    fuse: Fuse = Fuse()


class BinlogMode(_Mode):
    """The binary log of MariaDB or MySQL, by rows: every change, deletes and truncation too, and nothing is
    written or read in the table itself after the first load."""

    mode: Literal["binlog"] = "binlog"
    server_id: Annotated[
        int | None,
        Field(
            ge=1,
            lt=2**32,
            description="Ours among the partner's replicas; none: made of system and table. Two readers of one "
            "number end each other.",
        ),
    ] = None
    settle_s: Annotated[
        float,
        Field(
            ge=0,
            le=600,
            description="A transaction in the log shows in the table no later than this, s: with semi-synchronous "
            "replication its time-out.",
        ),
    ] = 10.0
    part_rows: Annotated[
        int,
        Field(
            ge=1, le=50_000, description="A transaction of more rows is told in parts of so many."
        ),
    ] = 2000
    fuse: Fuse = Fuse()


CaptureMode = (
    StateMode | TriggerMode | WatermarkMode | KeySetMode | FullBatchMode | LogicalMode | BinlogMode
)


def _named(told: Any) -> Any:
    return {"mode": told} if isinstance(told, str) else told


Mode = Annotated[
    Annotated[CaptureMode, Field(discriminator="mode")],
    BeforeValidator(_named, json_schema_input_type=Any),
]
