"""A small catalogue with each sort of element and item; nothing is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from random import Random

from catalog.model import Catalogue
from catalog.read import read_catalogue
from schemas.message import Body

__all__ = ["FILES", "VALID", "dice", "reference_site", "small", "with_text"]

FILES: Mapping[str, str] = {
    "elements/all.yaml": """\
elements:
  - identifier: HUB.TST.0001
    name: {zh: 办件编号, en: case number}
    short_name: caseNo
    definition: 一个办件的唯一编号。
    type: string
    format: "an3..10"
    example: "A-1"
  - identifier: HUB.TST.0002
    name: {zh: 受理结果代码, en: acceptance result code}
    short_name: acceptanceResult
    definition: 受理还是不予受理。
    type: string
    format: "n1"
    domain: {codes: acceptance-result}
  - identifier: HUB.TST.0003
    name: {zh: 受理时间, en: acceptance time}
    short_name: acceptTime
    definition: 作出受理决定的时间。
    type: datetime
    format: "dt19"
  - identifier: HUB.TST.0004
    name: {zh: 环节序号, en: step number}
    short_name: stepNo
    definition: 办理环节的序号。
    type: number
    format: "n..4"
    domain: {minimum: "1"}
  - identifier: HUB.TST.0005
    name: {zh: 收费金额, en: fee amount}
    short_name: feeAmount
    definition: 收取的金额。
    type: number
    format: "n..6,2"
    domain: {minimum: "0", maximum: "5000"}
    unit: 元
  - identifier: HUB.TST.0006
    name: {zh: 是否收费, en: whether a fee is charged}
    short_name: isCharged
    definition: 办理本办件是否收费。
    type: boolean
    format: "bl"
  - identifier: HUB.TST.0007
    name: {zh: 发证日期, en: issue date}
    short_name: issueDate
    definition: 证照颁发的日期。
    type: date
    format: "d10"
  - identifier: HUB.TST.0008
    name: {zh: 申请者名称, en: applicant name}
    short_name: applicantName
    definition: 提出申请的人。
    type: string
    format: "a..30"
    sensitivity: personal
  - identifier: HUB.TST.0009
    name: {zh: 证件类型代码, en: certificate type code}
    short_name: certTypeCode
    definition: 身份证件的类型。
    type: string
    format: "n3"
  - identifier: HUB.TST.0010
    name: {zh: 证件号码, en: certificate number}
    short_name: certNumber
    definition: 身份证件的号码。
    type: string
    format: "an..50"
    domain: {identifier_by: certTypeCode, identifiers: {"111": citizen-id}}
    sensitivity: sensitive
  - identifier: HUB.TST.0011
    name: {zh: 统一社会信用代码, en: unified social credit code}
    short_name: uscc
    definition: 法人和其他组织的代码。
    type: string
    format: "an18"
    domain: {identifier: uscc}
  - identifier: HUB.TST.0012
    name: {zh: 材料名称, en: material name}
    short_name: materialName
    definition: 申请材料的名称。
    type: string
    format: "an..200"
  - identifier: HUB.TST.0013
    name: {zh: 船舶号, en: ship number}
    short_name: shipNo
    definition: 两个字母和三个数字的编号。
    type: string
    format: "an5(aannn)"
  - identifier: HUB.TST.0014
    name: {zh: 办理时刻, en: time of day}
    short_name: dayTime
    definition: 一天中的时刻。
    type: time
    format: "t6"
  - identifier: HUB.TST.0015
    name: {zh: 印章图像, en: seal image}
    short_name: sealImage
    definition: 印章的图像。
    type: binary
    format: "bn"
  - identifier: HUB.TST.0016
    name: {zh: 行政区划代码, en: region code}
    short_name: regionCode
    definition: 县级以上行政区划的代码。
    type: string
    format: "n6"
  - identifier: HUB.TST.0017
    name: {zh: 详细地址, en: address}
    short_name: address
    definition: 所在的地址。
    type: string
    format: "an..100"
    sensitivity: personal
""",
    "codes/all.yaml": """\
code_lists:
  - name: acceptance-result
    title: {zh: 受理结果, en: acceptance result}
    codes: {"1": 受理, "2": 不予受理}
    english: {"1": accepted, "2": refused}
""",
    "resources/caseAcceptance.yaml": """\
resource: caseAcceptance
code: "307013/900001"
name: {zh: 事项受理, en: case acceptance}
summary: 受理或不予受理的决定。
provider: 市行政审批局
category: ZA 综合政务
cycle: real-time
share:
  type: conditional
  condition: 经授权后用于办件办理。
  way: interface
  open: false
subject: caseNo
region: regionCode
items:
  - {element: caseNo, required: true}
  - {element: acceptanceResult, required: true}
  - {element: acceptTime}
  - {element: stepNo}
  - {element: feeAmount}
  - {element: isCharged}
  - {element: issueDate}
  - {element: applicantName}
  - {element: certTypeCode}
  - {element: certNumber}
  - {element: uscc}
  - {element: shipNo}
  - {element: dayTime}
  - {element: sealImage}
  - {element: regionCode, required: true}
  - group: Material
    name: {zh: 申请材料, en: material}
    max_occurs: 3
    items:
      - {element: materialName, required: true}
      - {element: stepNo}
  - group: Place
    name: {zh: 地点, en: place}
    items:
      - {element: address, required: true}
""",
}
VALID: Body = {
    "caseNo": "A-1",
    "acceptanceResult": "1",
    "acceptTime": "2026-02-28T23:59:59",
    "stepNo": 3,
    "feeAmount": "12.50",
    "isCharged": False,
    "issueDate": "2028-02-29",
    "applicantName": "买买提·某",
    "certTypeCode": "111",
    "certNumber": "11010519491231002X",
    "uscc": "91350100M000100Y43",
    "shipNo": "AB123",
    "dayTime": "235959",
    "sealImage": "5qC3",
    "regionCode": "130102",
    "Material": [{"materialName": "申请书", "stepNo": 1}, {"materialName": "平面图\n第二页"}],
    "Place": {"address": "河北省石家庄市长安区示范路1号"},
}


def dice(seed: int) -> Random:
    """What falls is the same for the same *seed*."""
    return Random(seed)  # noqa: S311 - made-up bodies are no secrets


def small() -> Catalogue:
    return read_catalogue(FILES)


def with_text(old: str, new: str) -> Catalogue:
    """The small catalogue with the first *old* in its files replaced."""
    for file, text in FILES.items():
        if old in text:
            return read_catalogue({**FILES, file: text.replace(old, new, 1)})
    raise LookupError(old)


@cache
def reference_site() -> Catalogue:
    """The catalogue that we ship."""
    site = Path(__file__).parents[2] / "sites" / "reference"
    paths = [
        path
        for folder in ("elements", "codes", "resources")
        for path in sorted((site / folder).glob("*.yaml"))
    ]
    return read_catalogue({str(p.relative_to(site)): p.read_text(encoding="utf-8") for p in paths})
