"""The same hop without a hub: decode, check the digest, map 30 fields by hand, encode.

It is what the peers (FastStream, kombu; `bench/node/relay.js` in JavaScript) do with a record. Its
bodies are the hub's own, item by item, which `tests/bench` proves; what it leaves out is what a
hub adds: value domains, check characters, keys, receipts, the envelope.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
from pydantic import BaseModel

from hub.crypto import sm3
from schemas.errors import Rejected

__all__ = ["DIGEST", "CaseIn", "CaseOut", "mapped", "passed_on"]

DIGEST = "cloudEvents:digest"
_TYPES = {"CN": "1", "JB": "2", "LB": "3"}
_KINDS = {"GR": "1", "FR": "2"}
_STATES = {"S": "1", "L": "2", "B": "3", "T": "4"}
_TRUTH = {"1": True, "0": False}


class CaseIn(BaseModel):
    """The partner's record."""

    ywlsh: str
    sxbm: str
    bjlx: str
    sqrlx: str
    sqrmc: str
    tyshxydm: str
    lxdh: str
    qx: str
    qhdm: str = "130100"
    sljgdm: str
    slsj: str
    cnbjrq: str
    bzrq: str
    fdsx: int
    cnsx: int
    sfsf: str
    sfje: Decimal
    jzmj: Decimal
    kfs: int
    sfwsbl: str
    blzt: str
    bjmc: str | None = None
    sxmc: str | None = None
    jbr: str | None = None
    jbrzjh: str | None = None
    jd: str | None = None
    mph: str | None = None
    sljg: str | None = None
    slr: str | None = None
    sqsj: str | None = None
    blyj: str | None = None
    bz: str | None = None


class CaseOut(BaseModel):
    """The canonical body."""

    caseNo: str
    caseName: str | None
    catalogCode: str
    catalogName: str | None
    caseType: str
    applicantKind: str
    applicantName: str
    uscc: str
    agentName: str | None
    agentNumber: str | None
    agentPhone: str
    address: str
    regionCode: str
    acceptOrgName: str | None
    acceptOrgCode: str
    acceptorName: str | None
    acceptTime: str
    applyTime: str | None
    promiseDate: str
    issueDate: str
    legalDays: int
    promiseDays: int
    isCharged: bool
    feeAmount: str
    floorArea: str
    roomCount: int
    isOnline: bool
    state: str
    opinion: str | None
    remark: str | None


def mapped(case: CaseIn) -> CaseOut:
    """30 fields to 30 other names, with the conversions of `bench.site`."""
    accepted = datetime.strptime(case.slsj, "%Y%m%d%H%M%S")  # noqa: DTZ007 - Beijing time, as told
    issued = datetime.strptime(case.bzrq, "%Y%m%d")  # noqa: DTZ007 - a day
    return CaseOut(
        caseNo=case.ywlsh,
        caseName=case.bjmc,
        catalogCode=case.sxbm,
        catalogName=case.sxmc,
        caseType=_TYPES[case.bjlx],
        applicantKind=_KINDS[case.sqrlx],
        applicantName=case.sqrmc.strip(),
        uscc=case.tyshxydm.upper(),
        agentName=case.jbr,
        agentNumber=case.jbrzjh,
        agentPhone=case.lxdh,
        address=case.qx + (case.jd or "") + (case.mph or ""),
        regionCode=case.qhdm,
        acceptOrgName=case.sljg,
        acceptOrgCode=case.sljgdm,
        acceptorName=case.slr,
        acceptTime=accepted.isoformat(),
        applyTime=case.sqsj.replace(" ", "T") if case.sqsj else None,
        promiseDate=case.cnbjrq.replace("/", "-"),
        issueDate=issued.date().isoformat(),
        legalDays=case.fdsx,
        promiseDays=case.cnsx,
        isCharged=_TRUTH[case.sfsf],
        feeAmount=f"{case.sfje / 100:.2f}",
        floorArea=f"{case.jzmj:.2f}",
        roomCount=case.kfs,
        isOnline=_TRUTH[case.sfwsbl],
        state=_STATES[case.blzt],
        opinion=case.blyj,
        remark=case.bz,
    )


def passed_on(digest: str, content: bytes) -> tuple[dict[str, Any], bytes]:
    """Headers and body of what goes on. Raises `Rejected` where the digest is wrong."""
    if digest != sm3(content):
        raise Rejected("envelope.digest", "The body is not the one that was sent")
    body = mapped(CaseIn.model_validate(orjson.loads(content))).model_dump_json(exclude_none=True)
    out = body.encode()
    return {DIGEST: sm3(out)}, out
