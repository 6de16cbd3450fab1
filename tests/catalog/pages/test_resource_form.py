"""Resources drafted field by field and row by row, through HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from catalog.model import Resource
from schemas.declarations import parse
from tests.catalog.pages.forms import Filled, as_person, filled
from tests.catalog.pages.site import CatalogueSite, served, text_of
from web.guard import Form

pytestmark = pytest.mark.asyncio(loop_scope="module")
EDITOR, ACTION = "赵编目", "/catalogue/draft"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CatalogueSite]:
    folder: Path = tmp_path_factory.mktemp("site")
    async with served(folder) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(site: CatalogueSite) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=site.url, trust_env=False, timeout=20) as client:
        client.headers["accept-language"] = "zh"
        await as_person(client, EDITOR)
        yield client


async def shown(client: httpx.AsyncClient, name: str = "") -> Filled:
    told = await client.get(ACTION, params={"resource": name} if name else {})
    assert told.status_code == 200
    return filled(told.text, ACTION)


async def sent(client: httpx.AsyncClient, form: Form, do: str = "keep") -> httpx.Response:
    return await client.post(ACTION, data={**form, "do": [do]})


def again(told: httpx.Response) -> Filled:
    return filled(told.text, ACTION)


def draft_of(page: Filled, name: str, number: int) -> Form:
    """A blank form filled in with what every resource needs, and with one item."""
    return page.changed(
        resource=name,
        code=f"307013/{number:06}",
        name__zh=f"检验记录{number}",
        name__en=f"inspection {number}",
        summary="检验的记录。",
        category="ZD 工业、交通",
        cycle="day",
        share__type="unconditional",
        share__way="file",
        subject="caseNo",
        items__n1__element="caseNo",
        items__n1__required="yes",
    )


@pytest.mark.parametrize("name", ["caseStep", "itemCase", "electronicLicence"])
async def test_a_resource_comes_back_as_it_was(client: httpx.AsyncClient, name: str) -> None:
    """Shown, and sent back unchanged: the same text under the next number."""
    page = await shown(client, name)
    text = again(await sent(client, page.form, "text")).form["text"][0]
    wanted = parse(text_of(name), Resource, file="resource").model_copy(update={"version": 2})

    assert text == page.form["text"][0]
    assert wanted == parse(text, Resource, file="resource")


async def test_a_resource_is_made(site: CatalogueSite, client: httpx.AsyncClient) -> None:
    """Its rows are added, moved and named as a manager knows them, without a script; then it is a draft of
    his department, and its form is the same again."""
    page = await shown(client)
    assert "石家庄市行政审批局" == page.form["provider"][0]
    page = again(await sent(client, draft_of(page, "inspection", 901), "add"))
    page = again(await sent(client, page.changed(items__n2__element="行政区划代码"), "add-group"))
    form = page.changed(items__n3__group="Place", items__n3__name__zh="地点")
    form |= {"items.n3.name.en": ["place"], "items.n3.max_occurs": ["N"]}
    page = again(await sent(client, form, "add:n3"))
    assert ["n1", "n2", "n3", "n4"] == page.form["row"]
    page = again(await sent(client, page.changed(items__n4__element="address"), "up:n2"))
    assert ["n2", "n1", "n3", "n4"] == page.form["row"]
    assert "regionCode" == page.form["items.n2.element"][0]
    told = await sent(client, page.form)

    assert (303, "/catalogue/resources/inspection") == (told.status_code, told.headers["location"])
    made = (await site.hub.desk.registry.version("inspection", 1)).text
    items = parse(made, Resource, file="resource").items
    assert ["regionCode", "caseNo", "Place"] == [each.wire_name for each in items]
    assert ("N", ["address"]) == (items[2].max_occurs, [each.element for each in items[2].items])
    held = await shown(client, "inspection")
    assert ("1", "inspection") == (held.form["number"][0], held.form["resource"][0])
    text = again(await sent(client, held.form, "text"))
    assert made == text.form["text"][0].replace("\r\n", "\n")


async def test_faults_stand_at_their_fields(client: httpx.AsyncClient) -> None:
    """All at once, in rows by their number, with everything as it was typed."""
    blank = await shown(client)
    told = await sent(client, blank.changed(code="x/1", note="保留"))
    at = again(told).faults()
    needed = {"resource", "name.zh", "name.en", "summary", "category", "cycle", "subject"}
    assert 422 == told.status_code
    assert needed | {"share.type", "share.way", "code", "items"} == set(at)
    assert ("x/1", "保留") == (again(told).form["code"][0], again(told).form["note"][0])
    assert "307013/000003" in at["code"]

    page = again(await sent(client, draft_of(blank, "inspectionCode", 902), "add"))
    form = page.changed(items__n2__max_occurs="许多", items__n2__share__condition="经同意")
    told = await sent(
        client, form | {"items.n2.element": ["caseStepNo"], "code": ["307013/000002"]}
    )
    back = again(told)
    assert {"items.n2.max_occurs", "items.n2.share.type"} == set(back.faults())
    assert "或 N" in back.faults()["items.n2.max_occurs"]
    assert ("许多", "caseStepNo") == (
        back.form["items.n2.max_occurs"][0],
        back.form["items.n2.element"][0],
    )
    assert "第 2 行" in back.alert()

    mended = back.changed(items__n2__max_occurs="1", items__n2__share__condition="")
    taken = again(await sent(client, mended))
    assert {"code"} == set(taken.faults())


async def test_a_draft_tells_what_is_to_be_mended(client: httpx.AsyncClient) -> None:
    """What keeps it from being published stands at its fields, and does not keep it from being written at."""
    form = draft_of(await shown(client), "inspectionNote", 903)
    form |= {"subject": ["noSuch"], "items.n1.element": ["citizenId"]}
    form |= {"name.zh": ["办件基本信息"], "items.n1.required": [""]}
    assert 303 == (await sent(client, form)).status_code
    page = await shown(client, "inspectionNote")

    assert {"name.zh", "subject", "items.0.share.type"} == set(page.faults())
    mended = page.changed(name__zh="检验说明", subject="citizenId", items__0__required="yes")
    mended |= {
        "items.0.share.type": ["none"],
        "items.0.share.condition": ["《个人信息保护法》第十三条"],
    }
    assert 303 == (await sent(client, mended)).status_code
    assert {} == (await shown(client, "inspectionNote")).faults()


async def test_text_and_form_are_one_declaration(client: httpx.AsyncClient) -> None:
    """What was typed in one is in the other; a text that no form can show stays, with what is wrong with it."""
    page = await shown(client, "caseStep")
    as_text = again(await sent(client, page.changed(summary="另一个摘要。"), "text"))
    own = as_text.form["text"][0].replace("items:", "# 信息项\nitems:")
    assert "summary: 另一个摘要。" in own
    as_form = again(await sent(client, as_text.form | {"text": [own]}, "form"))
    assert "另一个摘要。" == as_form.form["summary"][0]
    back = again(await sent(client, as_form.changed(note="备注"), "text"))
    assert {"note: 备注"} == set(back.form["text"][0].splitlines()) - set(own.splitlines())
    assert "# 信息项" in back.form["text"][0]

    for broken in ("items: [", "items: x", "share: none"):
        told = await sent(client, as_text.form | {"text": [broken]}, "form")
        assert (422, broken) == (told.status_code, again(told).form["text"][0].strip())
        assert again(told).alert()


async def test_a_form_of_many_rows_is_taken(client: httpx.AsyncClient) -> None:
    """Three hundred items, each with a note: as much as a form may send. What nobody offers is refused."""
    form = draft_of(await shown(client), "inspectionMany", 904)
    usual = {name: value for name, value in form.items() if name.startswith("items.n1.")}
    for number in range(2, 302):
        form["row"] = [*form["row"], f"n{number}"]
        form |= {name.replace(".n1.", f".n{number}."): value for name, value in usual.items()}
        form |= {
            f"items.n{number}.element": [f"item{number}"],
            f"items.n{number}.note": ["备注" * 20],
        }
    told = await sent(client, form)
    assert 303 == told.status_code

    assert 400 == (await sent(client, form, "paint:n1")).status_code


async def test_a_text_that_is_too_long_is_not_cut(client: httpx.AsyncClient) -> None:
    """Cut off it might be a declaration all the same, of fewer items: it is refused, and nothing kept."""
    page = await shown(client)
    form = {name: page.form[name] for name in page.form if name not in ("as", "text")}
    long = f"{text_of('itemCase')}\n# {'x' * 200_000}"
    told = await client.post(ACTION, data={**form, "as": ["text"], "text": [long], "do": ["keep"]})

    assert told.status_code in (400, 422)
    assert "最多 200,000 个字符" in told.text or "最多 200000 个字符" in told.text
