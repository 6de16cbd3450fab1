"""How the province judges an uploaded row: what it accepts, returns, or leaves until later. Pure.

Form       reasons are in Chinese, as a province's are
Careful    a step can arrive before its acceptance: tables are filled independently, so such a row
           waits; only after the province's patience is it returned
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

__all__ = ["ACTIONS", "RESULTS", "Case", "Verdict", "judge"]

Row = Mapping[str, object]

# The province's own codes.
RESULTS = frozenset({"01", "02", "03", "04", "05", "06", "09"})
ACTIONS = frozenset({"10", "11", "12", "13", "14", "15", "16", "17", "99"})
CODE_LENGTH, TASK_LENGTH = 12, 31
NO_ACCEPTANCE = "未找到该办件的受理信息"


@dataclass(frozen=True, slots=True)
class Case:
    """What the library knows of a case. *others*: earlier rows that say the same."""

    accepted_at: datetime | None = None
    others: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """*reason* is empty when the row is accepted."""

    reason: str = ""

    @property
    def flag(self) -> str:
        """1 接收, 2 退回."""
        return "2" if self.reason else "1"


def judge(table: str, row: Row, case: Case, *, patient: bool) -> Verdict | None:
    """None: it waits. *patient*: whether the row may still wait for its case's acceptance."""
    if case.others and row["cd_operation"] == "I":
        return Verdict("重复上报：相同内容已入库")
    if reason := CHECKS[table](row):
        return Verdict(reason)
    if table in NEEDS_ACCEPTANCE and case.accepted_at is None:
        return None if patient else Verdict(NO_ACCEPTANCE)
    if table == "up_pro_result" and case.accepted_at:
        return Verdict(
            "" if _in_order(case.accepted_at, row["result_date"]) else "办结时间早于受理时间"
        )
    return Verdict()


def _accept(row: Row) -> str:
    catalog, task = str(row["catalog_code"]), str(row["task_code"])
    if not (catalog.isdecimal() and len(catalog) == CODE_LENGTH):
        return "基本编码应为12位数字"
    if len(task) != TASK_LENGTH or not task.endswith(catalog):
        return "实施编码应为31位，末12位为基本编码"
    if not _in_order(row["apply_date"], row["accept_date"]):
        return "受理时间早于申请时间"
    if row["project_type"] not in ("1", "2", "9"):
        return "办理类型不在代码范围内"
    if row["promise_date"] and not _in_order(row["accept_date"], row["promise_date"]):
        return "承诺办结时间早于受理时间"
    return ""


def _process(row: Row) -> str:
    if row["event_name"] not in ACTIONS:
        return "业务动作不在代码范围内"
    if not _in_order(row["event_start_time"], row["event_end_time"]):
        return "环节结束时间早于开始时间"
    return ""


def _result(row: Row) -> str:
    if row["result_type"] not in RESULTS:
        return "办结结果不在代码范围内"
    if row["is_delivery_results"] not in ("0", "1"):
        return "是否快递寄送不在代码范围内"
    return ""


def _special(row: Row) -> str:
    if row["special_type"] not in ("1", "2"):
        return "特别程序种类不在代码范围内"
    if not _in_order(row["special_time"], row["end_time"]):
        return "特别程序结束时间早于开始时间"
    return ""


def _licence(row: Row) -> str:
    missing = [name for name in ("certificate_number", "certificate_holder") if not row[name]]
    return f"证照目录缺少{'、'.join(missing)}" if missing else ""


def _in_order(first: object, second: object) -> bool:
    return isinstance(first, datetime) and isinstance(second, datetime) and first <= second


CHECKS: Mapping[str, Callable[[Row], str]] = {
    "up_pro_accept": _accept,
    "up_pro_process": _process,
    "up_pro_result": _result,
    "up_pro_special_procedure": _special,
    "up_lic_data": _licence,
}
NEEDS_ACCEPTANCE = ("up_pro_process", "up_pro_result", "up_pro_special_procedure")
