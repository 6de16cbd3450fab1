"""The statements with which a partner hands in its whole table as one batch, night after night.

Form       plain SQL for one database, to be run in the administrator's own tool, statement by statement;
           comments say in Chinese what to expect. Where the database can hash, it declares its digest itself
Careful    the values are examples of the catalogue, never anybody's data
"""

from __future__ import annotations

from catalog.model import Resource
from front_db.contract import ExchangeTable
from front_db.digest import sum_sql
from schemas.message import Body
from shuniu.kit.first_day import quoted, row_literals

__all__ = ["full_batch"]

NUMBER = "20260302"


def full_batch(table: ExchangeTable, resource: Resource, example: Body, dialect: str) -> str:
    """The script for a table that is captured by full batches. *example*: a valid body."""
    control, number = table.control, quoted(NUMBER)
    row = {
        str(control.batch): number,
        str(control.operation): "'I'",
        str(control.key): quoted(str(example[resource.subject])),
        str(control.version): NUMBER,
        str(control.written_at): "CURRENT_TIMESTAMP",
        **row_literals(table, resource, example),
    }
    header = f"b_table = '{table.name}' AND b_no = {number}"
    mine = f"{control.batch} = {number}"
    counted = f"(SELECT COUNT(*) FROM {table.name} WHERE {mine})"  # noqa: S608 - names checked by the contract
    summed = sum_sql(table, dialect, mine)
    digest = f" b_digest = (SELECT row_digest FROM ({summed}) summed)," if summed else ""  # noqa: S608 - as above
    note = (
        "-- 摘要由数据库自行计算，不必改动。"
        if summed
        else "-- 本数据库不能自行计算摘要：系统配置须写明 digest: false，或由程序按说明算出后填入 b_digest。"
    )
    parts = [
        f"-- {resource.name.zh}：整表批次。每次用新的批次号，一批须含全表；本批没有的主键即视为已删除。",
        "-- 一、登记批次。",
        f"INSERT INTO xch_batch (b_table, b_no) VALUES ('{table.name}', {number});",  # noqa: S608 - as above
        "-- 二、写入全表。这里以一行示例代替，实际改为 INSERT … SELECT …；版本号用递增的批次编号即可。",
        f"INSERT INTO {table.name} ({', '.join(row)})\nVALUES ({', '.join(row.values())});",
        "-- 三、封存：申明行数和摘要。行数或摘要不符时整批不读取，不会删除任何数据。",
        note,
        (
            f"UPDATE xch_batch SET b_count = {counted},{digest}"  # noqa: S608 - as above
            f" b_sealed_at = CURRENT_TIMESTAMP, b_state = '1' WHERE {header};"
        ),
        "-- 四、稍候查看：b_state 应为 5（已完成）；8 为不符，b_msg 说明原因。",
        f"SELECT b_state, b_count, b_found_count, b_msg FROM xch_batch WHERE {header};",  # noqa: S608 - as above
        "-- 五、被驳回的行，以及本批没有而视为删除的主键。",
        (
            "SELECT r_stage, r_key, r_field, r_msg, r_example FROM xch_receipt"  # noqa: S608 - as above
            f" WHERE r_table = '{table.name}' AND r_batch = {number};"
        ),
    ]
    return "\n".join(parts) + "\n"
