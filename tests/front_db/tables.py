"""Exchange tables of the tests: one that we write, one that the partner writes."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from front_db.contract import Column, Control, ControlValue, ExchangeTable, Keeps, Kind
from front_db.rows import Row, control_of, row_of
from schemas.message import Body

__all__ = ["AT", "CASES", "LATEST", "NEWS", "written_row"]

AT = datetime(2026, 3, 2, 9, 30, 15)  # noqa: DTZ001 - rows hold Beijing time without zone

CASES = ExchangeTable(
    name="cases",
    title="办件",
    columns=(
        Column(name="project_no", length=50, needed=True),
        Column(name="applicant", length=10, title="申请人"),
        Column(name="region", length=6, codes=("130102", "130104")),
        Column(name="days", kind=Kind.WHOLE),
        Column(name="fee", kind=Kind.DECIMAL, places=2),
        Column(name="day", kind=Kind.DATE),
        Column(name="accepted", kind=Kind.MOMENT),
    ),
    control=Control(
        row_id="row_guid",
        batch="cd_batch",
        operation="cd_operation",
        written_at="cd_time",
        source="data_source",
        source_value="001",
        version="cd_version",
    ),
)
LATEST = CASES.model_copy(
    update={"name": "latest", "keeps": Keeps.LATEST, "business_key": ("project_no",)}
)
NEWS = ExchangeTable(
    name="news",
    columns=(
        Column(name="xmbh", length=50),
        Column(name="sl", kind=Kind.DECIMAL, places=2),
        Column(name="sj", kind=Kind.MOMENT),
    ),
    control=Control(
        row_id="id",
        version="bbh",
        state="zt",
        written_at="gxsj",
        written_at_format="%Y%m%d%H%M%S",
        error="cwyy",
    ),
)


def written_row(
    table: ExchangeTable,
    payload: Body,
    *,
    row_id: str = "",
    version: int = 0,
    batch: str = "cases-to-partner",
) -> Row:
    """A row as we would write it; a fresh id unless one is given."""
    value = ControlValue(
        row_id=row_id or str(uuid4()), batch=batch, operation="created", version=version
    )
    return row_of(payload, table) | control_of(value, table.control, AT)
