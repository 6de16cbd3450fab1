"""Puts a partner's kit together: guide, schemas, tables, programs, test data, how to get the key.

Form       files by their path in the kit: ``guide.md guide.html openapi.json hub.env keys.md
           schemas/ ddl/ sql/ wsdl/ samples/ code/``; ``for-the-hub/`` is what the hub's own people apply first
Promises   no secret is in it, only its name and how to get it; every sample is valid
Careful    files of the site that a profile refers to (``site://``) go along with what they include
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson

from catalog.derive.example import example_body
from catalog.derive.guide import ColumnRow, Guided, TableSheet, guide, guide_page
from catalog.derive.interface import Call, Interface, reference
from catalog.derive.json_schema import json_schema
from catalog.derive.openapi import openapi
from catalog.derive.xsd import xsd
from catalog.model import Catalogue, Resource
from front_db.contract import Column, ExchangeTable, Kind
from front_db.derived import out_table
from hub.crypto.sm2 import USER_ID
from routes.identity import identity_intake
from routes.model import SystemDeclaration
from routes.site import Declarations
from schemas.errors import Misconfigured
from schemas.message import Json
from shuniu.interface import interface_of, signs_by_sm2
from shuniu.kit.first_day import first_day
from shuniu.kit.full_batch import full_batch
from shuniu.kit.table_intake import operation_codes, table_intake
from shuniu.tables import agreed_tables, resource_tables, tables_text

__all__ = ["DIALECTS", "KitWish", "build_kit", "zipped"]

DIALECTS = ("postgresql", "mysql", "oracle")
PROGRAMS = ("exchange.py", "Exchange.java", "exchange.sh")
LOCATION = re.compile(rb'schemaLocation="([^":]+)"')
KINDS = {
    Kind.TEXT: "字符",
    Kind.WHOLE: "整数",
    Kind.DECIMAL: "小数",
    Kind.DATE: "日期",
    Kind.MOMENT: "日期时间",
    Kind.FLAG: "是否",
    Kind.LONG: "长文本",
}
# How a system comes by its key.
SHARED_KEY = (
    "1. 由本单位的对接负责人向枢纽的安全管理员领取，当面或以约定的加密方式交付，不经邮件和即时通信传送。\n"
    "2. 存放在本系统的密钥管理设施或只有服务账户可读的文件中，运行时放入环境变量 `SHUNIU_SECRET`。\n"
    "3. 怀疑泄露时立即通知枢纽的安全管理员更换。\n"
)
OWN_KEY = (
    "1. 在本系统生成密钥对：`openssl genpkey -algorithm SM2 -out sm2.key`，或用本单位的密码设备。私钥不离开本系统，也不交给枢纽。\n"
    "2. 公钥（`openssl pkey -in sm2.key -pubout`，或 128 位十六进制）由对接负责人交枢纽的管理员登记，并当面或以电话核对；"
    "同时领取枢纽的公钥（管理员用 `shuniu keys show` 取得）。公钥不是秘密，但必须确认来自对方。\n"
    "3. 私钥存放在只有服务账户可读的文件中，以环境变量 `SHUNIU_SM2_KEY` 指明；怀疑泄露时立即通知枢纽的安全管理员停用其公钥。\n"
)
Files = dict[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class KitWish:
    """*resources*: what the system will send in the catalogue's own words, beside what is declared.
    *address*: where it reaches the hub. *site*: the folder that profiles refer to. *grants*: the
    numbers of grants with which it fetches, beside those that are routes."""

    system: str
    address: str
    site: Path
    resources: tuple[str, ...] = ()
    dialects: tuple[str, ...] = DIALECTS
    grants: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Kit:
    """What the kit is about."""

    wish: KitWish
    system: SystemDeclaration
    interface: Interface
    resources: tuple[Resource, ...]
    tables: tuple[ExchangeTable, ...]
    catalogue: Catalogue
    grants: tuple[str, ...] = ()


def build_kit(wish: KitWish, declarations: Declarations) -> Files:
    """Raises `Misconfigured` for a system or resource that is not declared."""
    kit = _chosen(wish, declarations)
    told = _guided(kit)
    markdown = guide(told, kit.catalogue)
    made: Files = {
        "guide.md": markdown.encode(),
        "guide.html": guide_page(markdown, told.title).encode(),
        "openapi.json": _json(
            openapi(kit.interface, kit.resources, kit.catalogue, address=wish.address)
        ),
        "hub.env": _environment(kit).encode(),
        "keys.md": _keys(kit).encode(),
    }
    for part in (_schemas(kit), _tables(kit), _samples(kit), _programs(kit), _site_files(kit)):
        made.update(part)
    made.update(_by_tables(kit, declarations))
    for name in wish.resources:
        if f"{wish.system}.{name}" not in declarations.intakes:
            resource = kit.catalogue.resources[name]
            text = identity_intake(wish.system, resource, example_body(resource, kit.catalogue))
            made[f"for-the-hub/intakes/{wish.system}.{name}.yaml"] = text.encode()
    return made


def _by_tables(kit: _Kit, declarations: Declarations) -> Iterator[tuple[str, bytes]]:
    """For standard tables in which the partner leaves rows: its first day, and what the hub applies."""
    system, catalogue = kit.system.system, kit.catalogue
    told: Any = kit.system.settings.get("reads", ())
    kinds = {each["table"]: each["kind"] for each in told}
    whole = {each["table"] for each in told if _mode(each) == "full-batch"}
    by_name = {out_table(each, catalogue).name: each for each in catalogue.resources.values()}
    standard = [t for t in kit.tables if t.standard and t.name in kinds and t.name in by_name]
    for table in standard:
        resource, kind = by_name[table.name], kinds[table.name]
        example = example_body(resource, catalogue)
        if table.name in whole:
            for dialect in kit.wish.dialects:
                text = full_batch(table, resource, example, dialect)
                yield f"sql/full-batch.{table.name}.{dialect}.sql", text.encode()
        else:
            yield f"sql/first-day.{table.name}.sql", first_day(table, resource, example).encode()
        if f"{system}.{kind}" not in declarations.intakes:
            text = table_intake(system, kind, resource, table, example)
            yield f"for-the-hub/intakes/{system}.{kind}.yaml", text.encode()
    if standard and f"{system}.operation" not in declarations.tables:
        yield f"for-the-hub/tables/{system}.yaml", operation_codes(system, standard[0]).encode()


def _mode(read: Any) -> str:
    """How a table of the profile is captured."""
    capture = read.get("capture", "state")
    return str(capture.get("mode") if isinstance(capture, Mapping) else capture)


def zipped(made: Mapping[str, bytes], folder: str) -> bytes:
    """One archive with everything in *folder*; the same files give the same bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(made):
            archive.writestr(zipfile.ZipInfo(f"{folder}/{path}"), made[path])
    return content.getvalue()


def _chosen(wish: KitWish, declarations: Declarations) -> _Kit:
    system = declarations.systems.get(wish.system)
    if system is None:
        raise Misconfigured("catalog.unknown-system", "No such system", system=wish.system[:64])
    known = declarations.catalogue.resources
    for name in wish.resources:
        if name not in known:
            raise Misconfigured("catalog.unknown-resource", "No such resource", resource=name)
    interface = interface_of(declarations).of(wish.system)
    there = {call.kind for call in interface.inward}
    planned = [_planned(name, system, declarations) for name in wish.resources if name not in there]
    interface = replace(interface, inward=(*interface.inward, *planned))
    chosen = {*interface.resources, *wish.resources, *_by_other_ways(wish.system, declarations)}
    resources = tuple(each for name, each in known.items() if name in chosen)
    return _Kit(
        wish,
        system,
        interface,
        resources,
        agreed_tables(system),
        declarations.catalogue,
        tuple(dict.fromkeys((*_grants(wish.system, declarations), *wish.grants))),
    )


def _grants(system: str, declarations: Declarations) -> tuple[str, ...]:
    """The numbers of the grants that are carried out by routes to the system."""
    return tuple(
        each.grant.number
        for each in declarations.routes.values()
        if each.grant is not None and any(to.system == system for to in each.to)
    )


def _planned(name: str, system: SystemDeclaration, declarations: Declarations) -> Call:
    """What the system may send as soon as its intake is applied."""
    catalogue = declarations.catalogue
    body = example_body(catalogue.resources[name], catalogue)
    return Call(
        system=system.system,
        names=system.name,
        kind=name,
        path=f"in/{system.system}/{name}",
        resources=(name,),
        schema=reference(name),
        examples={"a body of the catalogue": body},
    )


def _by_other_ways(code: str, declarations: Declarations) -> Iterator[str]:
    """Resources that come by a feed or by tables, or go by SOAP or tables."""
    for intake in declarations.intakes.values():
        if intake.system == code:
            yield from (each.resource for each in intake.publish)
    for route in declarations.routes.values():
        if any(to.system == code for to in route.to):
            yield from (each.partition(".")[0] for each in route.streams)


def _guided(kit: _Kit) -> Guided:
    told: Any = kit.system.settings.get("reads", ())
    read = {each["table"] for each in told}
    return Guided(
        resources=kit.resources,
        address=kit.wish.address,
        code=kit.system.system,
        system=kit.system.name,
        interface=kit.interface,
        tables=tuple(
            TableSheet(each.name, each.title, each.name in read, tuple(map(_row, each.columns)))
            for each in kit.tables
        ),
        grants=kit.grants,
        user_id=_user_id(kit.system),
    )


def _user_id(system: SystemDeclaration) -> str:
    return str(system.settings.get("user_id", USER_ID))


def _row(column: Column) -> ColumnRow:
    length = f" {column.length}" if column.kind is Kind.TEXT else ""
    codes = f"：{' '.join(column.codes)}" if column.codes else ""
    return ColumnRow(
        column.name, column.title, f"{KINDS[column.kind]}{length}{codes}", column.needed
    )


def _schemas(kit: _Kit) -> Iterator[tuple[str, bytes]]:
    for each in kit.resources:
        yield f"schemas/{each.resource}.schema.json", _json(json_schema(each, kit.catalogue))
        yield f"schemas/{each.resource}.xsd", xsd(each, kit.catalogue)
    for call in kit.interface.inward:
        if not call.xml and "$ref" not in call.schema:
            yield f"schemas/in.{call.kind}.schema.json", _json(dict(call.schema))


def _tables(kit: _Kit) -> Iterator[tuple[str, bytes]]:
    """Those that were agreed on; else what the resources ask for, should tables be the way."""
    for dialect in kit.wish.dialects:
        if kit.tables:
            text = tables_text(kit.tables, dialect)
            yield f"ddl/{kit.system.system}.{dialect}.sql", text.encode()
            continue
        for each in kit.resources:
            text = tables_text(resource_tables(each, kit.catalogue), dialect)
            yield f"ddl/{each.resource}.{dialect}.sql", text.encode()


def _samples(kit: _Kit) -> Iterator[tuple[str, bytes]]:
    for each in kit.resources:
        yield f"samples/{each.resource}.json", _json(example_body(each, kit.catalogue))
    for call in kit.interface.inward:
        for n, value in enumerate(call.examples.values(), 1):
            if not call.xml:
                yield f"samples/in.{call.kind}.{n}.json", _json(value)


def _programs(kit: _Kit) -> Iterator[tuple[str, bytes]]:
    # What Java brings along has no SM2.
    left_out = "Exchange.java" if signs_by_sm2(kit.system) else ""
    for name in PROGRAMS if kit.interface.inward or kit.grants else ():
        if name == left_out:
            continue
        yield f"code/{name}", (files("shuniu.kit.files") / name).read_bytes()


def _site_files(kit: _Kit) -> Iterator[tuple[str, bytes]]:
    """Service descriptions that the profile refers to, and the schemas that they include."""
    waiting = [each for each in _references(kit.system.settings) if each.startswith("site://")]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop().removeprefix("site://")
        if name in seen:
            continue
        seen.add(name)
        try:
            file = (kit.wish.site / name).resolve(strict=True)
            file.relative_to(kit.wish.site.resolve())
            content = file.read_bytes()
        except (OSError, ValueError) as error:
            raise Misconfigured(
                "site.file", "A file of the site cannot be read", file=name
            ) from error
        yield name, content
        below = Path(name).parent
        waiting += [f"site://{below / each.decode()}" for each in LOCATION.findall(content)]


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _references(each)
    elif isinstance(value, str):
        yield value


def _environment(kit: _Kit) -> str:
    wish = kit.wish
    by_key = ""
    if signs_by_sm2(kit.system):
        by_key = f"SHUNIU_SM2_KEY=sm2.key\nSHUNIU_SM2_USER_ID={_user_id(kit.system)}\n"
    return (
        "# 对接枢纽的环境变量；密钥见 keys.md，不要写进本文件。\n"
        f"SHUNIU_URL={wish.address.rstrip('/')}\n"
        f"SHUNIU_SYSTEM={wish.system}\n"
        f"{by_key}"
    )


def _keys(kit: _Kit) -> str:
    """How to get what must not be in a file."""
    names = [
        each.removeprefix("secret://")
        for each in _references(kit.system.settings)
        if each.startswith("secret://")
    ]
    sm2 = signs_by_sm2(kit.system)
    use = (
        "枢纽的 SM2 私钥，只在枢纽；其公钥交对方核验" if sm2 else "请求签名的共享密钥，双方各存一份"
    )
    listed = "".join(f"| `{each}` | {use} |\n" for each in names)
    own = "| 本系统的 SM2 私钥 | 请求签名，只在本系统；其公钥登记在枢纽 |\n" if sm2 else ""
    granted = "".join(
        f"| 授权 `{each}` 的密钥 | 按授权取数；由本单位编目人员在枢纽的授权页上领取一次 |\n"
        for each in kit.grants
    )
    return (
        f"# 密钥\n\n本资料不含任何密钥。{kit.system.name.zh}（`{kit.system.system}`）使用：\n\n"
        f"| 名称 | 用途 |\n|---|---|\n{listed}{own}{granted}\n{OWN_KEY if sm2 else SHARED_KEY}"
    )


def _json(document: Json) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"
