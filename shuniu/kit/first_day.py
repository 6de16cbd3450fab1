"""The statements of a partner's first day: a row that is right, one that is wrong, and how to look.

Form       plain SQL that the databases of the kit have in common, to be run in the administrator's own
           tool, statement by statement; comments say in Chinese what to expect
Careful    the values are examples of the catalogue, never anybody's data
"""

from __future__ import annotations

from catalog.model import Resource
from front_db.contract import Column, ExchangeTable, Kind
from front_db.derived import column_name
from schemas.message import Body, Json
from shuniu.kit.table_intake import taken_items

__all__ = ["first_day", "quoted", "row_literals"]

NUMBERS = (Kind.WHOLE, Kind.DECIMAL, Kind.FLAG)


def first_day(table: ExchangeTable, resource: Resource, example: Body) -> str:
    """The script for a table in which the partner leaves rows. *example*: a valid body."""
    key = str(example[resource.subject])
    good = row_literals(table, resource, example)
    needed = next((c for c in table.columns if c.needed and c.name not in table.business_key), None)
    parts = [
        f"-- {resource.name.zh}：第一天。逐条执行，执行后稍候几秒再查。",
        "-- 一、写入一行正确的数据。",
        _insert(table, good, key),
        "-- 二、查看处理结果：x_state 应为 1（已接收）。",
        _look(table, key),
    ]
    if needed:
        control, lacking = table.control, {n: v for n, v in good.items() if n != needed.name}
        refused = f"{control.key} = {quoted(key)} AND {control.state} = '3'"
        parts += [
            f"-- 三、写入一行缺少“{needed.title or needed.name}”的变更。",
            _insert(table, lacking, key, version=2),
            "-- 四、查看：x_state 应为 3（已驳回），x_msg 说明哪个字段、为什么、正确示例；回执表同。",
            _look(table, key),
            (
                "SELECT r_version, r_stage, r_field, r_msg, r_example FROM xch_receipt"  # noqa: S608 - as below
                f" WHERE r_table = '{table.name}' AND r_key = {quoted(key)} ORDER BY r_version;"
            ),
            "-- 五、改正：补上字段，版本号加一，状态改回 0。",
            (
                f"UPDATE {table.name} SET {needed.name} = {good[needed.name]},"  # noqa: S608 - as below
                f" {control.version} = {control.version} + 1, {control.state} = '0' WHERE {refused};"
            ),
            "-- 六、再看：应为 1（已接收）。",
            _look(table, key),
        ]
    parts += [
        "-- 次日：对账单。",
        (
            "SELECT s_day, s_state, s_rows, s_hub_rows, s_msg FROM xch_statement"  # noqa: S608 - as below
            f" WHERE s_table = '{table.name}' ORDER BY s_day, s_side, s_no;"
        ),
    ]
    return "\n".join(parts) + "\n"


def row_literals(table: ExchangeTable, resource: Resource, example: Body) -> dict[str, str]:
    """The content columns of *example*, each with its value as SQL writes it."""
    found: dict[str, str] = {}
    for item in taken_items(resource):
        column = table.column(column_name(item.wire_name))
        value = example.get(item.wire_name)
        if column is not None and value is not None:
            found[column.name] = _literal(value, column)
    return found


def _literal(value: Json, column: Column) -> str:
    if column.kind is Kind.FLAG:
        return "1" if value in {True, "true", "1"} else "0"
    text = str(value)
    if column.kind in NUMBERS:
        return text
    return quoted(text.replace("T", " ") if column.kind is Kind.MOMENT else text)


def quoted(text: str) -> str:
    """A text as SQL writes it."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def _insert(table: ExchangeTable, content: dict[str, str], key: str, version: int = 1) -> str:
    control = table.control
    ruled = {
        str(control.operation): "'I'" if version == 1 else "'U'",
        str(control.key): quoted(key),
        str(control.version): str(version),
        str(control.written_at): "CURRENT_TIMESTAMP",
    }
    row = ruled | content
    return f"INSERT INTO {table.name} ({', '.join(row)})\nVALUES ({', '.join(row.values())});"


def _look(table: ExchangeTable, key: str) -> str:
    c = table.control
    shown = f"{c.row_id}, {c.version}, {c.state}, {c.code}, {c.error}"
    return f"SELECT {shown} FROM {table.name} WHERE {c.key} = {quoted(key)};"  # noqa: S608 - as above
