"""The tables that stand beside exchange tables of the standard contract: one set in a database.

Form       ``xch_batch`` headers of batches · ``xch_receipt`` what became of each row and batch ·
           ``xch_beat`` both sides' heartbeat · ``xch_switch`` the partner's stop switch ·
           ``xch_check`` results of the self-check · ``xch_statement`` daily statements (对账单)
Units      times are Beijing time without zone, to the second
Careful    every name is a plain word with a prefix, so no database takes it for one of its own
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Date,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    insert,
    select,
    update,
)

from front_db.dialects import DIALECTS
from front_db.states import BATCH_CODES, BatchState

__all__ = ["HUB", "NO_BATCH", "PARTNER", "Beside", "beat", "beside", "paused", "table_options"]

NO_BATCH = "-"  # never empty: some databases keep '' as NULL
HUB, PARTNER = "hub", "partner"
REASON_LENGTH = 1000
TABLE_LENGTH = 63


@dataclass(frozen=True, slots=True)
class Beside:
    """The tables as SQLAlchemy sees them."""

    batch: Table
    receipt: Table
    beat: Table
    switch: Table
    check: Table
    statement: Table

    @property
    def all(self) -> tuple[Table, ...]:
        return (*self.needed, self.statement)

    @property
    def needed(self) -> tuple[Table, ...]:
        """Without these nothing can be exchanged; one that was made earlier has no others."""
        return (self.batch, self.receipt, self.beat, self.switch, self.check)


def beside(metadata: MetaData) -> Beside:
    """The tables of *metadata*; made there at the first call."""
    made = metadata.tables
    if "xch_batch" not in made:
        _batch(metadata)
        _receipt(metadata)
        _small(metadata)
        _statement(metadata)
    names = ("xch_batch", "xch_receipt", "xch_beat", "xch_switch", "xch_check", "xch_statement")
    return Beside(*(made[name] for name in names))


def paused(connection: Connection, tables: Beside, table: str) -> bool:
    """Whether the partner has stopped *table*, or all of them (``*``)."""
    switch = tables.switch
    asked = select(switch.c.s_paused).where(switch.c.s_table.in_([table, "*"]))
    return "Y" in {str(found).strip().upper() for found in connection.scalars(asked)}


def beat(connection: Connection, tables: Beside, side: str, at: datetime) -> None:
    """Say that *side* lives. *at*: Beijing time without zone."""
    told = {"h_at": at.replace(microsecond=0)}
    row = tables.beat
    if not connection.execute(update(row).where(row.c.h_side == side).values(told)).rowcount:
        connection.execute(insert(row), {"h_side": side, **told})


def _batch(metadata: MetaData) -> None:
    _table(
        metadata,
        "xch_batch",
        "批次表：一批数据的声明与核对结果",
        _text("b_table", TABLE_LENGTH, "交换表名", key=True),
        _text("b_no", 64, "批次号", key=True),
        Column(
            "b_state",
            String(1),
            nullable=False,
            server_default=BATCH_CODES[BatchState.OPEN],
            comment="状态：0编制中 1已封存 3已核对 5已完成 6已完成有驳回 7已取消 8数量或摘要不符",
        ),
        _whole("b_count", "声明行数（封存时由填报方填写）"),
        _text("b_digest", 20, "声明摘要（可空），算法见说明"),
        _moment("b_sealed_at", "封存时间"),
        _whole("b_found_count", "枢纽实际读到的行数"),
        _text("b_found_digest", 20, "枢纽算得的摘要"),
        _whole("b_taken", "已接收行数"),
        _whole("b_refused", "已驳回行数"),
        _text("b_msg", REASON_LENGTH, "核对结果说明"),
        _moment("b_closed_at", "完成时间"),
    )


def _receipt(metadata: MetaData) -> None:
    receipt = _table(
        metadata,
        "xch_receipt",
        "回执表：每一行、每一批的处理结果，只增不改",
        _text("r_uid", 64, "回执编号", key=True),
        _text("r_table", TABLE_LENGTH, "交换表名", needed=True),
        _text("r_batch", 64, "批次号", needed=True),
        _text("r_row", 50, "行号；为空表示整批"),
        _text("r_key", 200, "业务主键"),
        _whole("r_version", "版本号"),
        _text(
            "r_stage",
            12,
            "结果：taken已接收 refused已驳回 held挂起 superseded已被取代等",
            needed=True,
        ),
        _text("r_field", TABLE_LENGTH, "出错字段"),
        _text("r_code", 64, "原因代码"),
        _text("r_msg", REASON_LENGTH, "原因说明"),
        _text("r_example", 200, "正确示例"),
        _whole("r_count", "行数（整批回执）"),
        _text("r_digest", 20, "摘要（整批回执）"),
        Column("r_time", DateTime(), nullable=False, comment="回执时间"),
    )
    Index("ix_xch_receipt_row", receipt.c.r_table, receipt.c.r_row)
    Index("ix_xch_receipt_time", receipt.c.r_time)


def _small(metadata: MetaData) -> None:
    _table(
        metadata,
        "xch_beat",
        "心跳表：双方各一行",
        _text("h_side", 8, "hub枢纽 partner填报方", key=True),
        Column("h_at", DateTime(), nullable=False, comment="最近一次心跳（北京时间）"),
        _text("h_note", 200, "备注"),
    )
    _table(
        metadata,
        "xch_switch",
        "暂停开关：填报方把 s_paused 置为 Y，枢纽即停止读写该表；* 表示全部",
        _text("s_table", TABLE_LENGTH, "交换表名，* 为全部", key=True),
        Column("s_paused", String(1), nullable=False, server_default="N", comment="Y暂停 N正常"),
        _text("s_note", 200, "原因"),
    )
    _table(
        metadata,
        "xch_check",
        "自检结果表",
        _text("c_run", 40, "自检编号", key=True),
        _text("c_item", 64, "检查项", key=True),
        _text("c_result", 4, "PASS通过 WARN提示 FAIL不通过", needed=True),
        _text("c_found", 400, "实际情况"),
        _text("c_remedy", REASON_LENGTH, "处理办法"),
        Column("c_at", DateTime(), nullable=False, comment="检查时间"),
    )


def _statement(metadata: MetaData) -> None:
    _table(
        metadata,
        "xch_statement",
        "对账单：每表每日一份，更正时另写一行，不改旧行",
        _text("s_table", TABLE_LENGTH, "交换表名", key=True),
        Column("s_day", Date(), primary_key=True, comment="对账日（北京时间）"),
        _text("s_side", 8, "hub枢纽填写 partner对方填写", key=True),
        Column("s_no", Integer, primary_key=True, autoincrement=False, comment="第几行，从1起"),
        _text("s_state", 8, "agrees一致 differs不一致 repaired已补发 unknown未能核对", needed=True),
        _whole("s_rows", "本表行数"),
        _whole("s_hub_rows", "枢纽记录的行数"),
        _text("s_keys", 20, "本表主键摘要"),
        _text("s_hub_keys", 20, "枢纽记录的主键摘要"),
        _text("s_digest", 20, "本表内容摘要"),
        _text("s_hub_digest", 20, "枢纽记录的内容摘要"),
        _whole("s_missing", "缺少的行数"),
        _whole("s_extra", "多出的行数"),
        _whole("s_differ", "内容不一致的行数"),
        _whole("s_refused", "已驳回、等待更正的行数"),
        _whole("s_under_way", "在途的行数，不算差异"),
        _text("s_msg", REASON_LENGTH, "说明"),
        Column("s_at", DateTime(), nullable=False, comment="填写时间（北京时间）"),
    )


def _table(metadata: MetaData, name: str, comment: str, *columns: Column[Any]) -> Table:
    return Table(name, metadata, *columns, comment=comment, **table_options())


def table_options() -> dict[str, Any]:
    """Engine and collation for MariaDB and MySQL."""
    options: dict[str, Any] = {}
    for name in ("mysql", "mariadb"):
        options |= {
            f"{name}_engine": "InnoDB",
            f"{name}_charset": "utf8mb4",
            f"{name}_collate": DIALECTS[name].collation or "",
        }
    return options


def _text(
    name: str, length: int, comment: str, *, key: bool = False, needed: bool = False
) -> Column[Any]:
    return Column(
        name, String(length), primary_key=key, nullable=not (key or needed), comment=comment
    )


def _whole(name: str, comment: str) -> Column[Any]:
    return Column(name, BigInteger, comment=comment)


def _moment(name: str, comment: str) -> Column[Any]:
    return Column(name, DateTime(), comment=comment)
