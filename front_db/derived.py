"""The exchange tables of a resource: what we propose to a partner that has no tables of its own.

Standard   the columns are the resource's items (GB/T 21063.3), named by their short names
           (GB/T 19488.1); R-A6, R-C9
Form       ``o_<resource>``: the partner leaves rows, we read · ``i_<resource>``: we leave rows, the
           partner reads. Short names become words joined by underscores, at most 30 characters; a
           word that a database keeps for itself gets an underscore at its end
Careful    dates and times that are not written as GB/T 7408 stay text; lists and groups are JSON in
           one column. Every content column may be empty: a delete has only its key
"""

from __future__ import annotations

from random import Random
from zlib import crc32

import orjson
from sqlalchemy.dialects.mssql.base import RESERVED_WORDS as SQL_SERVER
from sqlalchemy.dialects.mysql.reserved_words import RESERVED_WORDS_MARIADB, RESERVED_WORDS_MYSQL
from sqlalchemy.dialects.oracle.base import RESERVED_WORDS as ORACLE
from sqlalchemy.dialects.postgresql.base import RESERVED_WORDS as POSTGRESQL

from catalog.derive.sample import sample_body
from catalog.model import Catalogue, DataElement, DataType, Item, Resource
from catalog.short_names import words_of
from front_db.contract import Column, Control, ExchangeTable, Keeps, Kind
from front_db.states import STANDARD_CODES
from schemas.errors import Misconfigured
from schemas.formats import Format, parse_format
from schemas.message import Json

__all__ = ["column_name", "in_table", "out_table"]

LONGEST_NAME = 30
LONGEST_TEXT = 4000
WHOLE_DIGITS = 18
# Of 达梦, what no other has (as its own SQLAlchemy dialect lists them).
DM = (
    "absolute", "abstract", "arraylen", "assign", "audit", "auto_increment", "bigdatediff", "bool", "bstring",
    "byte", "catch", "class", "clusterbtr", "collation", "commitwork", "connect_by_root", "const", "context",
    "corresponding", "crypto", "dateadd", "datediff", "datepart", "datetime", "decode", "dimension",
    "diskspace", "domain", "equ", "every", "exchange", "extern", "extract", "final", "finally", "first",
    "flashback", "fully", "ifnull", "immediate", "inline", "keep", "large", "less", "lexer", "list", "lnnvl",
    "login", "model", "next", "nocopy", "nocycle", "nosort", "object", "overlay", "override", "pendant",
    "pipe", "private", "privileges", "protected", "record", "ref", "reference", "referencing", "relative",
    "replicate", "reverse", "rollup", "rownum", "savepoint", "sbyte", "sealed", "section", "sets", "short",
    "sizeof", "static", "struct", "subpartition", "switch", "than", "throw", "timestampadd", "timestampdiff",
    "trail", "treat", "trim", "try", "typedef", "typeof", "uint", "ulong", "until", "ushort", "value",
    "varray", "verify", "versions", "void", "whenever", "within", "xml", "xmlagg", "xmlattributes", "xmlcast",
    "xmlelement", "xmlnamespaces", "xmlparse", "xmlquery", "xmlserialize", "xmltable", "year",
)  # fmt: skip
RESERVED = {
    word.lower()
    for words in (RESERVED_WORDS_MYSQL, RESERVED_WORDS_MARIADB, ORACLE, POSTGRESQL, SQL_SERVER, DM)
    for word in words
}
STANDARD = Control(
    row_id="x_id",
    counted=True,
    batch="x_batch",
    operation="x_op",
    key="x_key",
    version="x_ver",
    written_at="x_time",
    corrects="x_corrects",
    digest="x_digest",
    state="x_state",
    states=STANDARD_CODES,
    code="x_code",
    error="x_msg",
    error_length=1000,
    handled_at="x_done",
    handled_version="x_done_ver",
)


def out_table(
    resource: Resource, catalogue: Catalogue, *, keeps: Keeps = Keeps.EVERY
) -> ExchangeTable:
    """
    The table in which a partner leaves rows of *resource*. Raises `Misconfigured` where an item is
    bound to nothing known.

    *keeps*: ``every``: a row for each change; ``latest``: a row for each business key, changed in place.
    """
    return ExchangeTable(
        name=_table_name("o", resource.resource),
        title=f"{resource.name.zh}：填报方写入，枢纽读取",
        columns=_columns(resource, catalogue),
        control=STANDARD,
        keeps=keeps,
        business_key=_business_key(resource),
        standard=True,
    )


def in_table(
    resource: Resource, catalogue: Catalogue, *, keeps: Keeps = Keeps.EVERY
) -> ExchangeTable:
    """As `out_table`, for the rows of *resource* that we leave for a partner."""
    control = STANDARD.model_copy(
        update={
            "counted": False,
            "row_id_length": 50,
            "corrects": None,
            "digest": None,
            "told": "x_told",
        }
    )
    return ExchangeTable(
        name=_table_name("i", resource.resource),
        title=f"{resource.name.zh}：枢纽写入，接收方读取",
        columns=_columns(resource, catalogue),
        control=control,
        keeps=keeps,
        business_key=_business_key(resource),
        standard=True,
    )


def column_name(short_name: str) -> str:
    """
    >>> column_name("enterpriseName"), column_name("level"), column_name("uscc")
    ('enterprise_name', 'level_', 'uscc')
    """
    name = _cut("_".join(word.lower() for word in words_of(short_name)), LONGEST_NAME - 1)
    return f"{name}_" if name in RESERVED else name


def _table_name(prefix: str, resource: str) -> str:
    words = "_".join(word.lower() for word in words_of(resource))
    return f"{prefix}_{_cut(words, LONGEST_NAME - 2)}"


def _business_key(resource: Resource) -> tuple[str, ...]:
    """The column of the resource's subject; none where that is inside a group."""
    names = {item.wire_name for item in resource.items if not item.is_list and not item.group}
    return (column_name(resource.subject),) if resource.subject in names else ()


def _cut(name: str, most: int) -> str:
    """*name*, or its beginning with a mark of what was cut off."""
    if len(name) <= most:
        return name
    return f"{name[: most - 5]}_{crc32(name.encode()) & 0xFFFF:04x}"


def _columns(resource: Resource, catalogue: Catalogue) -> tuple[Column, ...]:
    # Every item once: a sample leaves optional ones out.
    whole = resource.model_copy(
        update={"items": tuple(i.model_copy(update={"required": True}) for i in resource.items)}
    )
    sample = sample_body(whole, catalogue, Random(resource.code))  # noqa: S311 - made up
    return tuple(_column(item, catalogue, sample[item.wire_name]) for item in resource.items)


def _column(item: Item, catalogue: Catalogue, example: Json) -> Column:
    name, needed = column_name(item.wire_name), item.required
    element = catalogue.elements.get(item.element or "")
    if item.group or item.is_list:
        title = item.name or (element.name if element else None)
        said = orjson.dumps(example).decode()
        shown = said if len(said) <= 60 else ""
        return Column(
            name=name,
            kind=Kind.LONG,
            needed=needed,
            title=f"{title.zh if title else item.wire_name}（JSON）",
            example=shown,
        )
    if element is None:
        raise Misconfigured("catalog.unknown-element", "No such element", element=item.wire_name)
    form = parse_format(element.format)
    described = Column(
        name=name,
        needed=needed,
        title=(item.name or element.name).zh,
        example=_shown(element, example),
        identifier=element.domain.identifier,
        codes=_codes(element, catalogue),
    )
    return described.model_copy(update=_kind(element, form))


def _kind(element: DataElement, form: Format) -> dict[str, object]:
    match element.type:
        case DataType.BOOLEAN:
            return {"kind": Kind.FLAG}
        case DataType.BINARY:
            return {"kind": Kind.LONG}
        case DataType.NUMBER if form.places is not None:
            return {"kind": Kind.DECIMAL, "digits": min(form.most, 38), "places": form.places}
        case DataType.NUMBER if form.most <= WHOLE_DIGITS:
            return {"kind": Kind.WHOLE, "digits": form.most}
        case DataType.DATE if form.notation == "d10":
            return {"kind": Kind.DATE}
        case DataType.DATETIME if form.notation == "dt19":
            return {"kind": Kind.MOMENT}
        case _ if form.most <= LONGEST_TEXT:
            return {"kind": Kind.TEXT, "length": form.most}
        case _:
            return {"kind": Kind.LONG}


def _codes(element: DataElement, catalogue: Catalogue) -> tuple[str, ...]:
    if element.domain.codes is None:
        return ()
    return tuple(catalogue.code_lists[element.domain.codes].codes)


def _shown(element: DataElement, example: Json) -> str:
    """A right value as a person would write it into the table."""
    if element.type is DataType.BOOLEAN:
        return "1" if example else "0"
    told = element.example or str(example)
    return told.replace("T", " ") if element.type is DataType.DATETIME else told
