"""The columns of the official spreadsheet and the words that its cells hold.

Standard   2017 compiling guide (发改高技〔2017〕1272号), columns; GB/T 21063.3-2007; R-A5
Form       a row for each item; a row that names a stream begins a resource, whose own columns stand
           in that row alone; its code stands in every row
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["COLUMNS", "SHEET", "TYPES", "Column", "column_of", "index_of"]

SHEET = "信息资源目录"
_YES_NO = {"是": True, "否": False}
_SHARING = {"无条件共享": "unconditional", "有条件共享": "conditional", "不予共享": "none"}
_WAYS = {"前置库": "front-database", "接口": "interface", "文件": "file", "数据库": "database"}
_FORMATS = {
    "电子文件": "document",
    "电子表格": "spreadsheet",
    "数据库": "database",
    "图形图像": "image",
    "流媒体": "media",
    "自描述格式": "self-describing",
    "服务接口": "interface",
}
_CYCLES = {
    "实时": "real-time",
    "每日": "day",
    "每周": "week",
    "每月": "month",
    "每季度": "quarter",
    "每半年": "half-year",
    "每年": "year",
    "按需": "on-demand",
}
TYPES = {
    "string": "字符型",
    "number": "数值型",
    "date": "日期型",
    "datetime": "日期时间型",
    "time": "时间型",
    "boolean": "布尔型",
    "binary": "二进制",
}


@dataclass(frozen=True, slots=True)
class Column:
    """
    *path*: where the value stands in the declaration (``share.type``); *words*: cell to value;
    *of_item*: told in every row; *needed*: may not be empty.
    """

    title: str
    path: str
    words: Mapping[str, str | bool] = field(default_factory=dict)
    of_item: bool = False
    needed: bool = False


def _shared(before: str, *, of_item: bool) -> tuple[Column, ...]:
    needed = not of_item
    return (
        Column(f"{before}共享类型", "share.type", _SHARING, of_item=of_item, needed=needed),
        Column(f"{before}共享条件", "share.condition", of_item=of_item),
        Column(f"{before}共享方式", "share.way", _WAYS, of_item=of_item, needed=needed),
        Column(f"{before}是否向社会开放", "share.open", _YES_NO, of_item=of_item, needed=needed),
        Column(f"{before}开放条件", "share.open_condition", of_item=of_item),
    )


COLUMNS = (
    Column("信息资源代码", "code", needed=True),
    Column("信息资源名称", "name.zh", needed=True),
    Column("信息资源英文名称", "name.en", needed=True),
    Column("数据流名称", "resource", needed=True),
    Column("版本", "version", needed=True),
    Column("信息资源分类", "category", needed=True),
    Column("信息资源提供方", "provider", needed=True),
    Column("提供方代码", "provider_code"),
    Column("信息资源摘要", "summary", needed=True),
    Column("信息资源格式", "format", _FORMATS, needed=True),
    Column("更新周期", "cycle", _CYCLES, needed=True),
    *_shared("", of_item=False),
    Column("发布日期", "published"),
    Column("关联资源代码", "related"),
    Column("主键信息项", "subject", needed=True),
    Column("区划信息项", "region"),
    Column("需求编号", "requirement"),
    Column("备注", "note"),
    Column("所属复合项", "within", of_item=True),
    Column("信息项短名", "wire_name", of_item=True, needed=True),
    Column("信息项名称", "name.zh", of_item=True, needed=True),
    Column("信息项英文名称", "name.en", of_item=True, needed=True),
    Column("数据类型", "type", of_item=True),
    Column("数据格式", "notation", of_item=True),
    Column("是否必填", "required", _YES_NO, of_item=True, needed=True),
    Column("最大出现次数", "max_occurs", of_item=True, needed=True),
    *_shared("信息项", of_item=True),
    Column("信息项备注", "note", of_item=True),
)
_INDEX = {(each.of_item, each.path): n for n, each in enumerate(COLUMNS)}


def index_of(path: str, *, of_item: bool) -> int:
    """The column's number, from 0."""
    return _INDEX[of_item, path]


def column_of(path: str, *, of_item: bool) -> Column:
    return COLUMNS[index_of(path, of_item=of_item)]
