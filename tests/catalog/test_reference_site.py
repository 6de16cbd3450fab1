"""The catalogue we ship: complete after the tenders, in the standard's terms, and without findings."""

from __future__ import annotations

import pytest

from catalog.derive.validator import compile_validator
from catalog.lint import lint
from catalog.model import UpdateCycle
from tests.catalog.a_catalogue import reference_site

SITE = reference_site()
BY_NAME = {resource.name.zh: resource for resource in SITE.resources.values()}

ANNEX_5 = [
    "企业工商基础信息",
    "企业股东信息",
    "企业工商变更信息",
    "企业联系方式",
    "企业简介信息",
    "企业补充信息",
    "企业主体统计信息",
    "企业动向信息",
    "企业技术改造投资信息",
    "工业投资建设内容",
    "工业投资进度",
]
ANNEX_6 = {
    "石家庄市工业和信息化局": "重点工业企业名单 工业企业统计数据",
    "石家庄市科学技术局": "高新技术企业信息 人才荣誉/资质认定信息 企业荣誉/资质认定信息 创新平台信息",
    "石家庄市商务局": "企业进出口量信息 行业进出口量信息",
    "石家庄市市场监督管理局": "严重违法失信企业名单信息 经营异常名录信息 行政处罚信息",
    "国家税务总局石家庄市税务局": "企业税收数据 重大税收违法失信案件 A级纳税人名单",
}
ONE_THING = {
    "一件事事项基本信息": (
        "一件事主题服务名称 一件事主题服务编码 主题类型 名称管理层级 行使层级 服务对象 行政区划 "
        "行政区划编码 牵头单位 联办机构 承诺办结时限 承诺办结时限单位 联办效能"
    ),
    "一件事主题办事指南": (
        "一件事主题服务名称 一件事主题服务编码 受理条件 办理形式 是否收费 收费标准 收费依据 网办地址 "
        "办理地址 办理时间 线上办理流程 线下办理流程 咨询方式 监督方式 到办事现场次数 "
        "是否支持预约办理 是否支持网上支付 是否支持物流快递 原环节数 现环节数"
    ),
    "一件事主题办理结果": "一件事主题服务名称 一件事主题服务编码 办理结果类型 办理结果名称",
    "一件事主题共享材料": (
        "一件事主题服务名称 一件事主题服务编码 材料名称 材料类型 材料形式 材料必要性 示例样表 "
        "来源渠道 纸质材料份数 填报须知 受理标准 要求提供材料的依据"
    ),
}
FLOW = [
    "oneThingApplication",
    "itemCase",
    "caseAcceptance",
    "acceptedCase",
    "caseStep",
    "caseSupplement",
    "caseSpecialProcedure",
    "caseResult",
    "electronicLicence",
    "resultDispatch",
    "caseRating",
    "applicationProgress",
    "libraryAcknowledgement",
]


def test_the_linter_finds_nothing() -> None:
    """Neither errors nor warnings."""
    assert [] == [str(finding) for finding in lint(SITE)]


@pytest.mark.parametrize("name", ANNEX_5)
def test_annex_5_of_the_industry_platform(name: str) -> None:
    """附表5: provided by the bureau each month, movements each day."""
    resource = BY_NAME[name]
    expected = UpdateCycle.DAY if name == "企业动向信息" else UpdateCycle.MONTH

    assert ("石家庄市工业和信息化局", expected) == (resource.provider, resource.cycle)
    assert resource.note, "the tender lists no items: who chose them is said"
    assert 6 <= len(resource.items) <= 16


@pytest.mark.parametrize(
    ("provider", "name"), [(who, name) for who, names in ANNEX_6.items() for name in names.split()]
)
def test_annex_6_of_the_industry_platform(provider: str, name: str) -> None:
    """附件6: by department, each month, conditional, not open to the public."""
    resource = BY_NAME[name]

    assert (provider, UpdateCycle.MONTH) == (resource.provider, resource.cycle)
    assert ("conditional", False) == (resource.share.type, resource.share.open)
    assert resource.share.condition
    assert resource.note
    assert 6 <= len(resource.items) <= 16


@pytest.mark.parametrize("name", sorted(ONE_THING))
def test_the_one_thing_catalogue_has_every_item(name: str) -> None:
    """2.7.1: in the tender's order; coded items are the tender's word and 代码."""
    resource = BY_NAME[name]
    names = [SITE.elements[item.wire_name].name.zh for item in resource.items]
    asked = ONE_THING[name].split()

    assert len(asked) == len(names)
    for word, ours in zip(asked, names, strict=True):
        assert ours in {word, f"{word}代码", word.replace("编码", "代码"), f"{word}名称"}
    assert ("石家庄市政务服务中心", UpdateCycle.REAL_TIME) == (resource.provider, resource.cycle)
    share = resource.share
    assert ("unconditional", "front-database", True) == (share.type, share.way, share.open)


@pytest.mark.parametrize("name", FLOW)
def test_the_flow_has_its_streams(name: str) -> None:
    """R-B1: real time, and a subject that every body has."""
    resource = SITE.resources[name]

    assert UpdateCycle.REAL_TIME is resource.cycle
    assert compile_validator(resource, SITE)({}).faults


def test_there_is_nothing_else() -> None:
    """A resource that no tender asks for would be ours alone."""
    named = [*ANNEX_5, *(n for names in ANNEX_6.values() for n in names.split()), *ONE_THING]

    assert len(named) + len(FLOW) == len(SITE.resources)


@pytest.mark.parametrize(
    ("code_list", "codes"),
    [
        ("exercise-level", "1234567"),
        ("implementer-nature", "1239"),
        ("applicant-type", "123456"),
        ("apply-source", "12349"),
        ("project-type", "129"),
        ("special-type", "12"),
        ("satisfaction", "12345"),
        ("node-result", "01234567"),
        ("result-code", "1234569"),
        ("limit-unit", "12345"),
    ],
)
def test_code_lists_are_the_standards(code_list: str, codes: str) -> None:
    """GB/T 39046-2020 annex A, and EA_JC_STEP for steps and units."""
    assert list(codes) == list(SITE.code_lists[code_list].codes)


def test_the_regions_are_the_citys() -> None:
    """GB/T 2260: the city and its 22 districts, counties and county-level cities."""
    codes = SITE.code_lists["region"].codes

    assert 23 == len(codes)
    assert all(code.startswith("1301") for code in codes)


# Names that other standards cite from GB/T 19488.2-2008, and those of the tables that public elements need.
PUBLIC = (
    "姓名 机构名称 组织机构代码 移动号码 联系电话 电子信箱 邮政编码 通信地址 详细地址 民族 职务 经营范围 "
    "日期时间 日期 公民身份号码 性别代码 民族代码 证件号码 金额 缴款单号 行政许可决定书文号"
)


@pytest.mark.parametrize("name", PUBLIC.split())
def test_a_public_element_is_declared(name: str) -> None:
    """Under the standard's name, with where it comes from and the words of its name (R-A4)."""
    (element,) = (each for each in SITE.elements.values() if each.name.zh == name)

    assert element.standard
    assert element.object_class or element.property
    assert element.identifier.startswith("HUB.")


def test_tables_of_standards_are_whole() -> None:
    """GB/T 2261.1, the 56 nations and two further codes of GB/T 3304, the sections of GB/T 4754."""
    lists = SITE.code_lists

    assert {"0", "1", "2", "9"} == lists["sex"].codes.keys()
    nations = {f"{n:02}" for n in range(1, 57)} | {"97", "98"}
    assert nations == lists["nation"].codes.keys()
    assert set("ABCDEFGHIJKLMNOPQRST") == lists["industry-section"].codes.keys()
