"""The site of the benchmarks: a resource of 30 items, and an intake that maps a partner's record.

Form       items carry texts, codes of three lists, dates, numbers, truth values, and identifiers
           with check characters; the partner writes other names, dates, units and codes
"""

from __future__ import annotations

from functools import cache

from catalog.read import read_catalogue
from hub.plan import Plan, compile_plan
from routes.model import RouteDeclaration
from routes.site import read_declarations
from schemas.errors import Misconfigured

__all__ = ["KIND", "RESOURCE", "ROUTE", "SYSTEM", "bench_plan"]

SYSTEM, KIND, RESOURCE, ROUTE = "approval", "acceptance", "caseAcceptance", "cases"

_TEXT = "type: string"
# short name, Chinese name, type, format and domain
_ITEMS = (
    ("caseNo", "办件编号", _TEXT, "format: an..40"),
    ("caseName", "办件名称", _TEXT, "format: an..100"),
    ("catalogCode", "事项编码", _TEXT, "format: an..32"),
    ("catalogName", "事项名称", _TEXT, "format: an..100"),
    ("caseType", "办件类型", _TEXT, "format: n1, domain: {codes: case-type}"),
    ("applicantKind", "申请人类型", _TEXT, "format: n1, domain: {codes: applicant-kind}"),
    ("applicantName", "申请人名称", _TEXT, "format: an..100, sensitivity: personal"),
    ("uscc", "统一社会信用代码", _TEXT, "format: an18, domain: {identifier: uscc}"),
    ("agentName", "经办人", _TEXT, "format: an..50, sensitivity: personal"),
    ("agentNumber", "经办人证件号码", _TEXT, "format: an18, domain: {identifier: citizen-id}"),
    ("agentPhone", "联系电话", _TEXT, "format: an..20, sensitivity: personal"),
    ("address", "经营地址", _TEXT, "format: an..200, sensitivity: personal"),
    ("regionCode", "行政区划代码", _TEXT, "format: n6"),
    ("acceptOrgName", "受理机关", _TEXT, "format: an..100"),
    ("acceptOrgCode", "受理机关代码", _TEXT, "format: an..20"),
    ("acceptorName", "受理人", _TEXT, "format: an..50"),
    ("acceptTime", "受理时间", "type: datetime", "format: dt19"),
    ("applyTime", "申请时间", "type: datetime", "format: dt19"),
    ("promiseDate", "承诺办结日期", "type: date", "format: d10"),
    ("issueDate", "颁证日期", "type: date", "format: d10"),
    ("legalDays", "法定时限", "type: number", "format: n..4"),
    ("promiseDays", "承诺时限", "type: number", "format: n..4"),
    ("isCharged", "是否收费", "type: boolean", "format: bl"),
    ("feeAmount", "收费金额", "type: number", 'format: "n..12,2"'),
    ("floorArea", "建筑面积", "type: number", 'format: "n..10,2"'),
    ("roomCount", "客房数", "type: number", "format: n..5"),
    ("isOnline", "是否网上办理", "type: boolean", "format: bl"),
    ("state", "办理状态", _TEXT, "format: n1, domain: {codes: case-state}"),
    ("opinion", "办理意见", _TEXT, "format: an..2000"),
    ("remark", "备注", _TEXT, "format: an..200000"),
)
_MANDATORY = {"caseNo", "catalogCode", "acceptTime", "regionCode", "state"}
_CODES = """
code_lists:
  - {name: case-type, title: {zh: 办件类型, en: case type},
     codes: {"1": 承诺件, "2": 即办件, "3": 联办件}}
  - {name: applicant-kind, title: {zh: 申请人类型, en: applicant}, codes: {"1": 自然人, "2": 法人}}
  - {name: case-state, title: {zh: 办理状态, en: state},
     codes: {"1": 收件, "2": 受理, "3": 办结, "4": 退件}}
"""
_SYSTEM = """
system: {name}
name: {{zh: 系统, en: system}}
owner: 市行政审批局
connector: memory
parallel: 64
"""
_TABLES = """
tables:
  - {table: approval.type, code_list: case-type, to_ours: {CN: "1", JB: "2", LB: "3"}}
  - {table: approval.kind, code_list: applicant-kind, to_ours: {GR: "1", FR: "2"}}
  - {table: approval.state, code_list: case-state, to_ours: {S: "1", L: "2", B: "3", T: "4"}}
"""
_INTAKE = """
intake: approval.acceptance
publish:
  - resource: caseAcceptance
    operation: created
    sequence: {from: gxsj, date: "%Y-%m-%d %H:%M:%S"}
    map:
      caseNo: ywlsh
      caseName: bjmc
      catalogCode: sxbm
      catalogName: sxmc
      caseType: {from: bjlx, codes: approval.type}
      applicantKind: {from: sqrlx, codes: approval.kind}
      applicantName: {from: sqrmc, text: strip}
      uscc: {from: tyshxydm, text: upper}
      agentName: jbr
      agentNumber: jbrzjh
      agentPhone: lxdh
      address: {join: [qx, jd, mph]}
      regionCode: {from: qhdm, default: "130100"}
      acceptOrgName: sljg
      acceptOrgCode: sljgdm
      acceptorName: slr
      acceptTime: {from: slsj, date: "%Y%m%d%H%M%S"}
      applyTime: {from: sqsj, date: "%Y-%m-%d %H:%M:%S"}
      promiseDate: {from: cnbjrq, date: "%Y/%m/%d"}
      issueDate: {from: bzrq, date: "%Y%m%d"}
      legalDays: fdsx
      promiseDays: cnsx
      isCharged: sfsf
      feeAmount: {from: sfje, number: {times: "0.01", places: 2}}
      floorArea: {from: jzmj, number: {places: 2}}
      roomCount: kfs
      isOnline: sfwsbl
      state: {from: blzt, codes: approval.state}
      opinion: blyj
      remark: bz
"""
_ROUTE = """
route: {route}
from: [caseAcceptance.created]
to:
  - system: {system}
    call: accept
    map:
      head.id: $.id
      head.time: {{from: $.time, date: iso}}
      no: caseNo
      name: caseName
      item: catalogCode
      type: caseType
      applicant: applicantName
      code: uscc
      phone: agentPhone
      region: regionCode
      day: {{from: acceptTime, date: "%Y/%m/%d"}}
      days: legalDays
      fee: feeAmount
      state: state
      opinion: opinion
      remark: remark
retry: [1s, 5s]
"""


@cache
def bench_plan(destinations: int = 1, *, ordered: bool = False) -> Plan:
    """With the routes ``cases-<n>`` to the systems ``target-<n>``, n from 1; *ordered* by case.

    Raises `Misconfigured` ``bench.absent`` where routes cannot ask for order.
    """
    if ordered and "order_by" not in RouteDeclaration.model_fields:
        raise Misconfigured("bench.absent", "The language of routes has no order_by yet")
    files = {
        f"systems/{SYSTEM}.yaml": _SYSTEM.format(name=SYSTEM),
        f"tables/{SYSTEM}.yaml": _TABLES,
        f"intakes/{SYSTEM}.{KIND}.yaml": _INTAKE,
    }
    for n in range(1, destinations + 1):
        system, route = f"target-{n}", f"{ROUTE}-{n}"
        files[f"systems/{system}.yaml"] = _SYSTEM.format(name=system)
        files[f"routes/{route}.yaml"] = _ROUTE.format(route=route, system=system)
        if ordered:
            files[f"routes/{route}.yaml"] += "order_by: subject\n"
    catalogue = read_catalogue(
        {
            "elements/all.yaml": _elements(),
            "codes/all.yaml": _CODES,
            f"resources/{RESOURCE}.yaml": _resource(),
        }
    )
    return compile_plan(read_declarations(files, catalogue))


def _elements() -> str:
    lines = [
        f"  - {{identifier: HUB.BEN.{n:04}, name: {{zh: {zh}, en: item {n}}}, short_name: {name},"
        f" definition: {zh}。, {kind}, {form}}}"
        for n, (name, zh, kind, form) in enumerate(_ITEMS, 1)
    ]
    return "\n".join(["elements:", *lines])


def _resource() -> str:
    items = [
        f"  - {{element: {name}{', required: true' if name in _MANDATORY else ''}}}"
        for name, *_ in _ITEMS
    ]
    head = f"""
resource: {RESOURCE}
code: "307013/000001"
name: {{zh: 事项受理, en: case acceptance}}
summary: 受理的决定。
provider: 市行政审批局
category: ZU
cycle: real-time
share: {{type: unconditional, way: interface}}
subject: caseNo
region: regionCode
items:
"""
    return head + "\n".join(items)
