"""Data elements registered and changed field by field, through HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.catalog.pages.forms import Filled, as_person, filled
from tests.catalog.pages.site import CatalogueSite, served
from web.guard import Form

pytestmark = pytest.mark.asyncio(loop_scope="module")
EDITOR, AUTHORITY, ACTION = "赵编目", "孙主管", "/catalogue/element-draft"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CatalogueSite]:
    folder: Path = tmp_path_factory.mktemp("site")
    async with served(folder) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(site: CatalogueSite) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=site.url, trust_env=False, timeout=20) as client:
        client.headers["accept-language"] = "zh"
        yield client


async def shown(client: httpx.AsyncClient, name: str = "") -> Filled:
    told = await client.get(ACTION, params={"element": name} if name else {})
    assert told.status_code == 200
    return filled(told.text, ACTION)


async def sent(client: httpx.AsyncClient, form: Form, do: str = "keep") -> httpx.Response:
    return await client.post(ACTION, data={**form, "do": [do]})


def again(told: httpx.Response) -> Filled:
    return filled(told.text, ACTION)


@pytest.mark.parametrize("name", ["caseNo", "certNumber", "citizenId", "regionCode"])
async def test_an_element_comes_back_as_it_was(
    site: CatalogueSite, client: httpx.AsyncClient, name: str
) -> None:
    """Shown, and sent back unchanged: the very same text."""
    page = await shown(client, name)
    back = await sent(client, page.form, "text")
    assert await site.hub.desk.elements.text(name) == again(back).form["text"][0]


async def test_an_element_is_made(site: CatalogueSite, client: httpx.AsyncClient) -> None:
    """From a blank form, as it was filled in; then it is found on its page."""
    await as_person(client, EDITOR)
    page = await shown(client)
    form = page.changed(
        identifier="HUB.ZZZ.0002",
        name__zh="检验室名称",
        name__en="laboratory name",
        short_name="laboratoryName",
        definition="检验室的名称。",
        format="an..100",
    )
    told = await sent(client, form)

    assert (303, "/catalogue/elements/laboratoryName") == (
        told.status_code,
        told.headers["location"],
    )
    made = (await site.hub.desk.registry.catalogue()).elements["laboratoryName"]
    assert ("检验室的名称。", "draft", None) == (made.definition, made.status, made.note)


async def test_faults_stand_at_their_fields(client: httpx.AsyncClient) -> None:
    """All at once, with everything as it was typed, and in the reader's language: what is missing, what
    is of another form, and what does not fit the others."""
    await as_person(client, EDITOR)
    page = await shown(client)
    form = page.changed(identifier="HUB-1", name__zh="甲", note="保留\r\n两行")
    told = await sent(client, form | {"by.code": ["9"], "by.kind": ["uscc"]})
    back = again(told)
    at = back.faults()

    assert 422 == told.status_code
    assert {"identifier", "name.en", "short_name", "definition"} == set(at)
    assert "必须填写" in at["definition"]
    assert "HUB.三个大写字母.四位数字" in at["identifier"]
    assert ("HUB-1", "甲") == (back.form["identifier"][0], back.form["name.zh"][0])
    assert "保留\n两行" == back.form["note"][0].replace("\r\n", "\n")
    assert "9" == back.form["by.code"][0]
    assert "英文名称" in back.alert()

    clashing = page.changed(
        identifier="HUB.CAS.0002",
        name__zh="检验员姓名",
        name__en="inspector",
        short_name="inspectors",
        definition="检验员的姓名。",
        format="zz9",
    )
    told = await sent(client, clashing)
    at = again(told).faults()
    assert 422 == told.status_code
    assert {"identifier", "short_name", "format", "sensitivity"} <= set(at)


async def test_what_is_refused_is_told_at_its_field(client: httpx.AsyncClient) -> None:
    """A standard element changes with a higher version only; nothing changed is told above."""
    await as_person(client, AUTHORITY)
    page = await shown(client, "citizenId")
    told = await sent(client, page.changed(definition="另一个定义。"))
    assert 422 == told.status_code
    assert "1.0" in again(told).faults()["version"]
    assert "另一个定义。" == again(told).form["definition"][0]

    same = again(await sent(client, page.form))
    assert {} == same.faults()
    assert "没有变化" in same.alert()


async def test_a_change_that_touches_others_is_shown_first(
    site: CatalogueSite, client: httpx.AsyncClient
) -> None:
    """The same form comes back with the impact, and is taken with the digest of what was shown alone."""
    await as_person(client, AUTHORITY)
    page = await shown(client, "caseNo")
    form = page.changed(format="an..60", version="2.0")
    first = await sent(client, form)
    back = again(first)
    assert "修改的影响" in first.text
    assert "an..60" == back.form["format"][0]
    other = await sent(client, back.changed(format="an..70"))
    assert "修改的影响" in other.text
    told = await sent(client, back.form)

    assert 303 == told.status_code
    live = (await site.hub.desk.registry.catalogue()).elements["caseNo"]
    assert ("an..60", "2.0") == (live.format, live.version)


async def test_text_and_form_are_one_declaration(client: httpx.AsyncClient) -> None:
    """What was typed in one is in the other, comments and what the form does not know as well; a text
    that no form can show stays, with what is wrong with it."""
    page = await shown(client, "certNumber")
    as_text = again(await sent(client, page.changed(unit="件"), "text"))
    text = as_text.form["text"][0]
    assert "unit: 件" in text
    own = f"# 说明\n{text}extra: 1 # 其他\n"
    as_form = again(await sent(client, as_text.form | {"text": [own]}, "form"))
    assert "件" == as_form.form["unit"][0]
    back = again(await sent(client, as_form.changed(unit="个"), "text"))
    assert own.replace("unit: 件", "unit: 个") == back.form["text"][0]

    for broken in ("name: [", "- 1", "name: 甲\nformat: d10\n"):
        told = await sent(client, as_text.form | {"text": [broken]}, "form")
        assert (422, broken.strip()) == (told.status_code, again(told).form["text"][0].strip())
        assert again(told).alert()


async def test_another_line_for_kinds_of_identifier(client: httpx.AsyncClient) -> None:
    """Asked for without a script, too; what was typed stays."""
    page = await shown(client, "certNumber")
    assert 3 == len(page.form["by.code"])
    more = again(await sent(client, page.changed(unit="件"), "more"))
    assert (4, "件") == (len(more.form["by.code"]), more.form["unit"][0])
