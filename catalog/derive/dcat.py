"""The resource catalogue as DCAT-AP, for portals that harvest it.

Standard   W3C DCAT 3, DCAT-AP 3.0, JSON-LD 1.1; GB/T 21063.3 (code, provider, cycle), GB/T 21063.4
           (themes); the EU's authority tables of frequencies and access rights
Form       JSON-LD with its context in it; a dataset for each resource, with one distribution
Careful    sharing among departments is not opening to the public: only what is declared open is
           ``PUBLIC``; the sharing type and its condition are told as ``dct:rights``
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from catalog.model import Names, Resource, UpdateCycle
from schemas.message import Json
from schemas.texts import all_texts

__all__ = ["dcat"]

AUTHORITY = "http://publications.europa.eu/resource/authority"
THEMES = "urn:gbt:21063.4"
FREQUENCIES = {
    UpdateCycle.REAL_TIME: "UPDATE_CONT",
    UpdateCycle.DAY: "DAILY",
    UpdateCycle.WEEK: "WEEKLY",
    UpdateCycle.MONTH: "MONTHLY",
    UpdateCycle.QUARTER: "QUARTERLY",
    UpdateCycle.HALF_YEAR: "ANNUAL_2",
    UpdateCycle.YEAR: "ANNUAL",
    UpdateCycle.ON_DEMAND: "IRREG",
}
CONTEXT: dict[str, Json] = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
Node = dict[str, Json]


def dcat(resources: Iterable[Resource], *, address: str) -> Node:
    """The catalogue of *resources*. *address*: where the hub's pages are reached."""
    base, chosen = address.rstrip("/"), list(resources)
    service: Node = {
        "@id": f"{base}/#service",
        "@type": "dcat:DataService",
        "dct:title": _both("dcat.service"),
        "dcat:endpointURL": {"@id": f"{base}/in"},
        "dcat:endpointDescription": {"@id": f"{base}/api/catalogue/openapi.json"},
        "dcat:servesDataset": [
            {"@id": _identity(each, base)} for each in chosen if each.share.way == "interface"
        ],
    }
    return {
        "@context": CONTEXT,
        "@id": f"{base}/catalogue",
        "@type": "dcat:Catalog",
        "dct:title": _both("dcat.title"),
        "dct:description": _both("dcat.about"),
        "dct:publisher": _agent(f"{base}/#publisher", _both("dcat.publisher")),
        "dct:language": {"@id": f"{AUTHORITY}/language/ZHO", "@type": "dct:LinguisticSystem"},
        "foaf:homepage": {"@id": f"{base}/catalogue", "@type": "foaf:Document"},
        "dcat:themeTaxonomy": {
            "@id": THEMES,
            "@type": "skos:ConceptScheme",
            "dct:title": {"@value": "GB/T 21063.4-2007 主题分类", "@language": "zh"},
        },
        "dcat:service": service,
        "dcat:dataset": [_dataset(each, base) for each in chosen],
    }


def _identity(resource: Resource, base: str) -> str:
    return f"{base}/api/catalogue/resources/{resource.resource}"


def _dataset(resource: Resource, base: str) -> Node:
    page = f"{base}/catalogue/resources/{resource.resource}"
    told: Node = {
        "@id": _identity(resource, base),
        "@type": "dcat:Dataset",
        "dct:identifier": resource.code,
        "dct:title": _names(resource.name),
        "dct:description": {"@value": resource.summary, "@language": "zh"},
        "dcat:version": str(resource.version),
        "dct:publisher": _provider(resource, base),
        "dcat:theme": _theme(resource.category),
        "dct:accrualPeriodicity": {
            "@id": f"{AUTHORITY}/frequency/{FREQUENCIES[resource.cycle]}",
            "@type": "dct:Frequency",
        },
        "dct:accessRights": {
            "@id": f"{AUTHORITY}/access-right/{_access(resource)}",
            "@type": "dct:RightsStatement",
        },
        "dct:rights": {"@type": "dct:RightsStatement", "rdfs:label": _sharing(resource)},
        "dcat:landingPage": {"@id": page, "@type": "foaf:Document"},
        "dct:conformsTo": {
            "@id": f"{_identity(resource, base)}/schema.json",
            "@type": "dct:Standard",
        },
        "dcat:distribution": _distribution(resource, page, base),
    }
    if resource.published is not None:
        told["dct:issued"] = {"@value": resource.published, "@type": "xsd:date"}
    if resource.related:
        told["dct:relation"] = [
            {"@type": "rdfs:Resource", "dct:identifier": code} for code in resource.related
        ]
    return told


def _distribution(resource: Resource, page: str, base: str) -> Node:
    """How it is obtained: by a grant, which is applied for at the resource's page."""
    told: Node = {
        "@id": f"{_identity(resource, base)}#distribution",
        "@type": "dcat:Distribution",
        "dct:title": _both(f"catalogue.way.{resource.share.way}"),
        "dcat:accessURL": {"@id": page},
    }
    if resource.share.way == "interface":
        told["dcat:accessService"] = {"@id": f"{base}/#service"}
        told["dct:format"] = {
            "@id": f"{AUTHORITY}/file-type/JSON",
            "@type": "dct:MediaTypeOrExtent",
        }
    return told


def _access(resource: Resource) -> str:
    if resource.share.type == "none":
        return "NON_PUBLIC"
    return "PUBLIC" if resource.share.open else "RESTRICTED"


def _sharing(resource: Resource) -> Json:
    told = all_texts()[f"catalogue.share.{resource.share.type}"]
    condition = f"：{resource.share.condition}" if resource.share.condition else ""
    return [
        {"@value": told["zh"] + condition, "@language": "zh"},
        {"@value": told["en"], "@language": "en"},
    ]


def _provider(resource: Resource, base: str) -> Node:
    """By credit code where it is declared; else by its name."""
    code = resource.provider_code
    made = _agent(
        f"urn:uscc:{code}" if code else f"{base}/catalogue?provider={quote(resource.provider)}",
        {"@value": resource.provider, "@language": "zh"},
    )
    return {**made, "dct:identifier": code} if code else made


def _agent(identity: str, name: Json) -> Node:
    return {"@id": identity, "@type": "foaf:Agent", "foaf:name": name}


def _theme(category: str) -> Node:
    """``ZU 文秘、行政``: the code of GB/T 21063.4, then its name."""
    code, _, name = category.partition(" ")
    return {
        "@id": f"{THEMES}:{quote(code)}",
        "@type": "skos:Concept",
        "skos:notation": code,
        "skos:prefLabel": {"@value": name or code, "@language": "zh"},
        "skos:inScheme": {"@id": THEMES},
    }


def _names(names: Names) -> Json:
    return [
        {"@value": names.zh, "@language": "zh"},
        {"@value": names.en, "@language": "en"},
    ]


def _both(code: str) -> Json:
    told = all_texts()[code]
    return _names(Names(zh=told["zh"], en=told["en"]))
