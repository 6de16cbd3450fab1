"""The catalogue as DCAT-AP: read by an RDF library, judged by SHACL shapes of the specification."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyshacl import validate
from rdflib import DCAT, DCTERMS, FOAF, RDF, SKOS, Graph, Literal, URIRef

from catalog.derive.dcat import FREQUENCIES, dcat
from catalog.model import Resource, Share, UpdateCycle
from tests.catalog.a_catalogue import reference_site

# Of rdflib itself, when it reads JSON-LD.
pytestmark = pytest.mark.filterwarnings(r"ignore:(ConjunctiveGraph|Dataset\.\w+) is deprecated")
SITE = reference_site()
BASE = "https://hub.example"
SHAPES = Graph().parse(Path(__file__).parents[1] / "judges" / "dcat-ap.ttl")
EU = "http://publications.europa.eu/resource/authority"
ONE = SITE.resources["caseRating"]


def graph_of(*resources: Resource) -> Graph:
    return Graph().parse(data=json.dumps(dcat(resources, address=BASE)), format="json-ld")


def complaints(graph: Graph) -> str:
    fine, _, said = validate(graph, shacl_graph=SHAPES)
    return "" if fine else str(said)


def of(graph: Graph, predicate: URIRef) -> set[Any]:
    """What *graph* says of the one dataset in it."""
    (dataset,) = graph.subjects(RDF.type, DCAT.Dataset)
    return set(graph.objects(dataset, predicate))


def test_the_shapes_accept_the_whole_catalogue() -> None:
    """Every resource is a dataset with a distribution; each department is one agent."""
    graph = graph_of(*SITE.resources.values())

    assert "" == complaints(graph)
    assert len(SITE.resources) == len(set(graph.subjects(RDF.type, DCAT.Dataset)))
    assert len(SITE.resources) == len(set(graph.subjects(RDF.type, DCAT.Distribution)))
    departments = {each.provider for each in SITE.resources.values()}
    named = {str(each) for each in graph.objects(None, FOAF.name)}
    assert departments <= named


@pytest.mark.parametrize(
    ("kind", "lost"),
    [
        (DCAT.Catalog, DCTERMS.title),
        (DCAT.Catalog, DCTERMS.publisher),
        (DCAT.Dataset, DCTERMS.description),
        (DCAT.Distribution, DCAT.accessURL),
        (DCAT.DataService, DCAT.endpointURL),
        (FOAF.Agent, FOAF.name),
        (SKOS.Concept, SKOS.prefLabel),
    ],
)
def test_the_judge_bites(kind: URIRef, lost: URIRef) -> None:
    """Without any one of the mandatory properties it complains."""
    graph = graph_of(ONE)
    for subject in set(graph.subjects(RDF.type, kind)):
        graph.remove((subject, lost, None))

    assert complaints(graph)


def test_codes_are_identifiers() -> None:
    """The resource's code, the theme's letters, the department's credit code; names in both languages."""
    coded = ONE.model_copy(
        update={
            "provider_code": "11130100MB0000000X",
            "published": "2026-03-01",
            "related": ("307013/000099",),
        }
    )
    graph = graph_of(coded)
    (agent,) = of(graph, DCTERMS.publisher)
    (theme,) = of(graph, DCAT.theme)

    assert "" == complaints(graph)
    assert {Literal("307013/000011")} == of(graph, DCTERMS.identifier)
    assert URIRef("urn:uscc:11130100MB0000000X") == agent
    assert URIRef("urn:gbt:21063.4:ZU") == theme
    assert {Literal("ZU")} == set(graph.objects(theme, SKOS.notation))
    assert {Literal("绩效评价", lang="zh"), Literal("case rating", lang="en")} == of(
        graph, DCTERMS.title
    )
    assert {"2026-03-01"} == {str(each) for each in of(graph, DCTERMS.issued)}
    assert {URIRef(f"{BASE}/catalogue/resources/caseRating")} == of(graph, DCAT.landingPage)


@pytest.mark.parametrize(
    ("share", "access"),
    [
        ({"type": "unconditional", "open": True}, "PUBLIC"),
        ({"type": "unconditional"}, "RESTRICTED"),
        ({"type": "conditional", "condition": "核验办件时使用。"}, "RESTRICTED"),
        ({"type": "none", "condition": "《保守国家秘密法》第十三条"}, "NON_PUBLIC"),
    ],
)
def test_access_follows_the_sharing_type(share: dict[str, Any], access: str) -> None:
    """Sharing among departments does not make a resource public; opening it does. The condition is
    told in words."""
    told = Share.model_validate({"way": "interface", **share})
    graph = graph_of(ONE.model_copy(update={"share": told}))
    (rights,) = of(graph, DCTERMS.rights)
    words = " ".join(str(each) for each in graph.objects(rights, None))

    assert {URIRef(f"{EU}/access-right/{access}")} == of(graph, DCTERMS.accessRights)
    assert share.get("condition", "共享") in words


def test_each_cycle_has_a_frequency() -> None:
    """Of the EU's authority table; real time is continuous."""
    assert set(UpdateCycle) == set(FREQUENCIES)
    assert {URIRef(f"{EU}/frequency/UPDATE_CONT")} == of(graph_of(ONE), DCTERMS.accrualPeriodicity)


def test_only_an_interface_is_a_service() -> None:
    """What is exchanged by tables is obtained by a grant alone."""
    tables = ONE.model_copy(
        update={"share": ONE.share.model_copy(update={"way": "front-database"})}
    )

    for resource, served in ((ONE, 1), (tables, 0)):
        graph = graph_of(resource)
        assert served == len(set(graph.objects(None, DCAT.accessService)))
        assert served == len(set(graph.objects(None, DCAT.servesDataset)))
        assert "" == complaints(graph)
