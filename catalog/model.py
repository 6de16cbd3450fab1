"""Data elements (数据元), information resources (信息资源) and their items (信息项).

Standard   GB/T 19488.1-2004 (elements, short names), GB/T 21063.3-2007 (resources),
           the 2017 compiling guide (sharing attributes), R-A4, R-A5, R-B 2.7.1
Form       one YAML file holds many elements; one YAML file holds one resource
Not here   checks across declarations: `catalog.lint`; what is derived: `catalog.derive`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.declarations import Declared

__all__ = [
    "Catalogue",
    "CodeList",
    "CodeListFile",
    "DataElement",
    "DataType",
    "Domain",
    "ElementFile",
    "ElementStatus",
    "Item",
    "Names",
    "Place",
    "Resource",
    "ResourceFormat",
    "Sensitivity",
    "Share",
    "UpdateCycle",
]


class DataType(StrEnum):
    """Data types of GB/T 39046-2020 table 2."""

    STRING = "string"  # 字符型
    NUMBER = "number"  # 数字型: JSON integer without decimals, JSON string with decimals
    DATE = "date"  # 日期型
    DATETIME = "datetime"  # 日期时间型
    TIME = "time"  # 时间型
    BOOLEAN = "boolean"  # 布尔型
    BINARY = "binary"  # 二进制: base64


class Sensitivity(StrEnum):
    """How an item is treated on pages and in logs. ``personal`` and above are masked."""

    OPEN = "open"
    INTERNAL = "internal"
    PERSONAL = "personal"
    SENSITIVE = "sensitive"


class ElementStatus(StrEnum):
    """How far a data element is in its registration (状态), after GB/T 18391.6."""

    DRAFT = "draft"  # 原始
    RECORDED = "recorded"  # 已记录
    QUALIFIED = "qualified"  # 合格
    STANDARD = "standard"  # 标准
    PREFERRED = "preferred"  # 优先标准
    RETIRED = "retired"  # 废止


class ResourceFormat(StrEnum):
    """Major classes of the format of a resource (信息资源格式) in the 2017 guide."""

    DOCUMENT = "document"  # 电子文件
    SPREADSHEET = "spreadsheet"  # 电子表格
    DATABASE = "database"  # 数据库
    IMAGE = "image"  # 图形图像
    MEDIA = "media"  # 流媒体
    SELF_DESCRIBING = "self-describing"  # 自描述格式
    INTERFACE = "interface"  # 服务接口


class UpdateCycle(StrEnum):
    REAL_TIME = "real-time"  # 实时
    DAY = "day"  # 每日
    WEEK = "week"  # 每周
    MONTH = "month"  # 每月
    QUARTER = "quarter"  # 每季度
    HALF_YEAR = "half-year"  # 每半年
    YEAR = "year"  # 每年
    ON_DEMAND = "on-demand"  # 按需


class Names(Declared):
    zh: Annotated[str, Field(min_length=1)]
    en: Annotated[str, Field(min_length=1)]


IdentifierKind = Literal["uscc", "organisation-code", "citizen-id", "licence-id", "food-licence"]


class Domain(Declared):
    """Value domain (值域): codes, an identifier or limits; none of them means free text."""

    codes: Annotated[str | None, Field(description="Name of a code list.")] = None
    identifier: Annotated[
        IdentifierKind | None,
        Field(description="Identifier with a check character, see `schemas.identifiers`."),
    ] = None
    identifier_by: Annotated[
        str | None,
        Field(description="Short name of the item beside this one whose code says which kind."),
    ] = None
    identifiers: Annotated[
        Mapping[str, IdentifierKind],
        Field(description="Kind of identifier by that code; other codes allow any text."),
    ] = {}
    minimum: Annotated[str | None, Field(description="Smallest number, as text.")] = None
    maximum: Annotated[str | None, Field(description="Largest number, as text.")] = None
    note: Annotated[str | None, Field(description="The domain in words.")] = None


class DataElement(Declared):
    """One data element. The short name is the wire name (R-A4).

    Constraint (约束) and maximum occurrence (最大出现次数) belong to its use: see `Item`. Where the
    words of its name are declared, the name is object class, property, representation in that
    order, with qualifiers between them.
    """

    identifier: Annotated[str, Field(pattern=r"^HUB\.[A-Z]{3}\.\d{4}$")]
    name: Names
    short_name: Annotated[str, Field(max_length=64)]
    definition: Annotated[str, Field(min_length=1)]
    type: DataType
    format: Annotated[str, Field(description="GB/T 19488 notation, e.g. an..100, n..16,2, d10.")]
    domain: Domain = Domain()
    sensitivity: Sensitivity = Sensitivity.OPEN
    unit: str | None = None
    synonyms: tuple[str, ...] = ()
    object_class: Annotated[
        str | None, Field(min_length=1, description="Object class word (对象类词).")
    ] = None
    property: Annotated[str | None, Field(min_length=1, description="Property word (特性词).")] = (
        None
    )
    representation: Annotated[
        str | None,
        Field(min_length=1, description="Representation word (表示词), e.g. 名称, 代码."),
    ] = None
    status: ElementStatus = ElementStatus.STANDARD
    version: Annotated[str, Field(pattern=r"^[1-9]\d*\.\d+$", description="m.n")] = "1.0"
    replaced_by: Annotated[
        str | None, Field(description="Short name of what is used instead of a retired element.")
    ] = None
    standard: Annotated[str | None, Field(description="Where it is taken from.")] = None
    note: str | None = None
    example: str | None = None


class Share(Declared):
    """Sharing attributes of the 2017 guide. Where nothing is shared, *condition* is the legal ground."""

    type: Literal["unconditional", "conditional", "none"]
    condition: str | None = None
    way: Literal["front-database", "interface", "file", "database"]
    open: bool = False
    open_condition: str | None = None


class Item(Declared):
    """An information item: a data element in its place in a resource, or a group of such.

    A plain item is bound to an element by short name. A group (composite entity, UpperCamel) has
    ``items`` instead. *max_occurs*: a number or ``N``; more than one makes a JSON array.
    """

    element: Annotated[str | None, Field(description="Short name of the bound element.")] = None
    group: Annotated[str | None, Field(description="UpperCamel name of a composite.")] = None
    name: Names | None = None
    items: tuple[Item, ...] = ()
    required: bool = False
    max_occurs: Annotated[int, Field(ge=1)] | Literal["N"] = 1
    share: Annotated[
        Share | None, Field(description="Where it is stricter than the resource's.")
    ] = None
    note: str | None = None

    @property
    def wire_name(self) -> str:
        return self.element or self.group or ""

    @property
    def is_list(self) -> bool:
        return self.max_occurs != 1


class Resource(Declared):
    """One information resource (信息资源), published as a stream of the same *name*."""

    resource: Annotated[str, Field(pattern=r"^[a-z][A-Za-z0-9]*$", description="Stream name.")]
    code: Annotated[str, Field(pattern=r"^\d{6}\d*/\d+$", max_length=64)]
    version: Annotated[int, Field(ge=1)] = 1
    name: Names
    summary: Annotated[str, Field(min_length=1)]
    provider: Annotated[str, Field(min_length=1, description="Department (提供方).")]
    provider_code: Annotated[
        str | None, Field(description="Credit code of the department (提供方代码).")
    ] = None
    category: Annotated[str, Field(description="Theme, e.g. ZD 工业、交通.")]
    cycle: UpdateCycle
    format: ResourceFormat = ResourceFormat.DATABASE
    published: Annotated[
        str | None, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="发布日期, YYYY-MM-DD.")
    ] = None
    related: Annotated[
        tuple[str, ...], Field(description="Codes of the same data elsewhere (关联资源代码).")
    ] = ()
    share: Share
    subject: Annotated[str, Field(description="Short name of the business key.")]
    region: Annotated[str | None, Field(description="Short name that gives the region.")] = None
    requirement: Annotated[str | None, Field(description="Requirement id, e.g. R-B1.")] = None
    note: str | None = None
    items: Annotated[tuple[Item, ...], Field(min_length=1)]


class CodeList(Declared):
    """A closed list of codes. Foreign codes are mapped to these at the edge, per source.

    A large one is kept as a *table*, from which `catalog.read` fills the codes in.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    title: Names
    standard: str | None = None
    codes: Annotated[Mapping[str, str], Field(description="Code: Chinese label.")] = {}
    english: Mapping[str, str] = {}
    parents: Annotated[Mapping[str, str], Field(description="Code: the code above it.")] = {}
    table: Annotated[
        str | None,
        Field(pattern=r"^[a-z][a-z0-9-]*\.csv$", description="File in codes/ with the codes."),
    ] = None

    @model_validator(mode="after")
    def _has_codes(self) -> Self:
        if not self.codes and self.table is None:
            raise ValueError("codes, or the table that has them, are needed")
        return self


class ElementFile(Declared):
    elements: Annotated[tuple[DataElement, ...], Field(min_length=1)]


class CodeListFile(Declared):
    code_lists: Annotated[tuple[CodeList, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is declared. Lines count from 1."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything declared, by name. Built by `catalog.read` from the texts of a site.

    *earlier*: versions of a resource that are still accepted from producers, the newest first.
    *places*: by ``element …``, ``code list …``, ``resource …`` or ``resource … item``.
    """

    elements: Mapping[str, DataElement] = field(default_factory=dict)
    resources: Mapping[str, Resource] = field(default_factory=dict)
    code_lists: Mapping[str, CodeList] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)
    earlier: Mapping[str, tuple[Resource, ...]] = field(default_factory=dict)
