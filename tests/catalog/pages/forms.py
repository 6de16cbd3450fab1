"""Forms as a browser sends them back: every field of a page with what it holds."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
from lxml import etree

from web.guard import Form

__all__ = ["Filled", "as_person", "filled"]


@dataclass(frozen=True, slots=True)
class Filled:
    """A page with its form."""

    page: str
    form: Form

    def faults(self) -> dict[str, str]:
        """What is said at each field."""
        found = [(str(each.get("id")), each) for each in etree.HTML(self.page).iter("small")]
        return {at[4:]: _text(each) for at, each in found if at.startswith("why-")}

    def alert(self) -> str:
        """What is said above the form."""
        every = etree.HTML(self.page).iter("div", "ul")
        return " ".join(_text(each) for each in every if each.get("role") == "alert")

    def changed(self, **fields: str) -> Form:
        """The form with other values; ``__`` stands for a dot."""
        return self.form | {name.replace("__", "."): [value] for name, value in fields.items()}


async def as_person(client: httpx.AsyncClient, name: str) -> None:
    """Act as one of the people that the site declares."""
    page = filled((await client.get("/catalogue")).text, "/catalogue/actor")
    told = await client.post("/catalogue/actor", data=page.form | {"name": [name]})
    assert told.status_code == 303


def filled(page: str, action: str) -> Filled:
    """The form of *page* that is sent to *action*, as it stands; none of its buttons is pressed."""
    (form,) = [each for each in etree.HTML(page).iter("form") if each.get("action") == action]
    found: Form = {}
    for each in form.iter("input", "textarea", "select"):
        name, kind = each.get("name"), each.get("type", "text")
        if name is None or (kind == "checkbox" and each.get("checked") is None):
            continue
        if each.tag == "select":
            options = list(each.iter("option"))
            chosen = [option for option in options if option.get("selected") is not None]
            value = _option((chosen or options)[-1 if chosen else 0])
        elif each.tag == "textarea":
            # One line end after the tag is markup, and the parser has left it in.
            value = (each.text or "").removeprefix("\n")
        else:
            value = each.get("value", "on" if kind == "checkbox" else "")
        found.setdefault(str(name), []).append(value)
    twice = {name for name, values in found.items() if len(values) > 1}
    assert twice <= {"row", "by.code", "by.kind", "item"}, twice
    return Filled(page, found)


def _text(node: etree._Element) -> str:
    return "".join(str(each) for each in node.itertext())


def _option(option: etree._Element) -> str:
    value = option.get("value")
    return str(value if value is not None else option.text)
