"""The provincial work-item library's tables, as the province's administrator created them.

Standard   C 0109 / C 0126.1 upload tables ``up_*`` (办件受理、过程、结果、特别程序、证照目录)
Form       names, lengths and NOT NULL as the province uses them (``result_cetr_name`` is spelled so
           there); its vendor's own columns (tenant, created by …) are left out
Not here   what a row means to the hub: ``sites/reference/systems/province-library.yaml``
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, DateTime, Index, Integer, MetaData, String, Table, UniqueConstraint

__all__ = ["UPLOADED", "acks", "metadata"]

metadata = MetaData()


def _text(name: str, length: int, *, needed: bool = False) -> Column[Any]:
    return Column(name, String(length), nullable=not needed)


def _moment(name: str, *, needed: bool = False) -> Column[Any]:
    return Column(name, DateTime, nullable=not needed)


def _upload(name: str, *columns: Column[Any], title: str) -> Table:
    table = Table(
        name,
        metadata,
        Column("row_guid", String(50), primary_key=True),
        _text("cd_batch", 32),
        _text("cd_operation", 2, needed=True),
        _moment("cd_time", needed=True),
        _text("data_source", 3),
        *columns,
        comment=title,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    Index(f"ix_{name}_case", columns[0])
    return table


UPLOADED = (
    _upload(
        "up_pro_accept",
        _text("project_no", 50, needed=True),
        _text("catalog_code", 12, needed=True),
        _text("local_catalog_code", 50),
        _text("task_code", 36, needed=True),
        _text("local_task_code", 50),
        _text("task_handle_item", 50),
        _text("task_name", 1000, needed=True),
        Column("task_version", Integer, nullable=False),
        _text("project_name", 1000),
        _moment("apply_date", needed=True),
        _text("apply_type", 2, needed=True),
        _text("applyer_name", 100, needed=True),
        _text("applyer_type", 2),
        _text("applyer_page_type", 70, needed=True),
        _text("applyer_page_code", 500, needed=True),
        _text("contact_name", 100),
        _text("contact_type", 70),
        _text("contact_code", 500),
        _text("contact_mobile", 100),
        _text("address", 1000),
        _text("zip_code", 6),
        _text("legal", 100),
        _moment("accept_date", needed=True),
        _text("org_name", 100, needed=True),
        _text("org_code", 64, needed=True),
        _text("handle_user_name", 100),
        _text("accept_doc_no", 50),
        _text("project_type", 2, needed=True),
        _moment("promise_date"),
        title="办件受理",
    ),
    _upload(
        "up_pro_process",
        _text("project_no", 50, needed=True),
        _text("process_name", 1000, needed=True),
        _text("event_name", 2, needed=True),
        _text("handle_user_name", 100),
        _text("handle_explain", 2000, needed=True),
        _moment("event_start_time", needed=True),
        _moment("event_end_time", needed=True),
        _text("remark", 256),
        title="办件过程",
    ),
    _upload(
        "up_pro_result",
        _text("project_no", 50, needed=True),
        _text("result_type", 2, needed=True),
        _moment("result_date", needed=True),
        _text("result_explain", 2000),
        _text("result_cetr_name", 256),
        _text("result_cetr_no", 2000),
        _text("handle_user_name", 100),
        _text("is_delivery_results", 2, needed=True),
        _text("satisfaction", 2),
        _text("remark", 256),
        title="办件结果",
    ),
    _upload(
        "up_pro_special_procedure",
        _text("project_no", 50, needed=True),
        _text("special_type", 2, needed=True),
        _text("special_name", 1000, needed=True),
        _text("special_reason", 2000, needed=True),
        _moment("special_time", needed=True),
        _moment("end_time", needed=True),
        _text("applyer_user_name", 100),
        _text("handle_user", 100),
        _text("result", 2000),
        _text("special_explain", 2000),
        _text("remark", 256),
        title="特别程序",
    ),
    _upload(
        "up_lic_data",
        _text("certificate_source_id", 128, needed=True),
        _text("certificate_name", 512),
        _text("certificate_type", 256),
        _text("certificate_type_code", 64),
        _text("certificate_number", 128),
        _text("certificate_area_code", 32),
        _text("certificate_holder", 256),
        _text("certificate_holder_code", 256),
        _text("certificate_holder_type", 2000),
        _text("issue_dept", 256),
        _text("issue_dept_code", 32),
        _text("issue_date", 32),
        title="证照目录",
    ),
)

# The province's own: one line for each row that it has looked at, in order.
acks = Table(
    "lib_ack",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("table_name", String(50), nullable=False),
    Column("row_guid", String(50), nullable=False),
    Column("project_no", String(128), nullable=False),
    Column("flag", String(1), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("at", DateTime, nullable=False),
    UniqueConstraint("table_name", "row_guid", name="uq_lib_ack_row"),
    mysql_engine="InnoDB",
    mysql_charset="utf8mb4",
)
Index("lib_ack_project", acks.c.project_no, acks.c.table_name)
