"""XML from outside: what is dangerous is refused early, what is wrong is named with its place."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
from lxml import etree

from connectors.safe_xml import as_mapping, filled, fit_for_xml, read_schema, read_xml, valid
from schemas.errors import Facts, Misconfigured, Rejected
from schemas.texts import both

MEGABYTE = 1_048_576
QUICK_S = 3.0
XSD = b"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xs:element name="case"><xs:complexType><xs:sequence>
    <xs:element name="no"><xs:simpleType><xs:restriction base="xs:string">
      <xs:pattern value="[0-9]{4}"/></xs:restriction></xs:simpleType></xs:element>
    <xs:element name="who" type="xs:string"/>
    <xs:element name="doc" minOccurs="0" maxOccurs="unbounded"><xs:complexType><xs:sequence>
      <xs:element name="pages" type="xs:int"/></xs:sequence></xs:complexType></xs:element>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>"""
LAUGHS = b"<!DOCTYPE l [<!ENTITY a0 'haha'>%s]>" % b"".join(
    b"<!ENTITY a%d '%s'>" % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10)
)
DEEP = {"limit": 32}


@pytest.fixture
def schema(tmp_path: Path) -> etree.XMLSchema:
    file = tmp_path / "case.xsd"
    file.write_bytes(XSD)
    return read_schema(str(file))


def refused(content: bytes) -> Rejected:
    with pytest.raises(Rejected) as caught:
        read_xml(content)
    return caught.value


def test_what_is_right_comes_through() -> None:
    """Chinese, repeated elements, CDATA, and texts that only look like markup."""
    text = "<a><b>石家庄</b><c>1</c><c>2</c><c>3</c><d><![CDATA[<!DOCTYPE x>]]></d><e/></a>"

    read = as_mapping(read_xml(text.encode()))

    assert {"b": "石家庄", "c": ["1", "2", "3"], "d": "<!DOCTYPE x>", "e": ""} == read


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_of_the_standard_are_read(encoding: str) -> None:
    """Every processor must know UTF-8 and UTF-16 (XML 1.0, 4.3.3)."""
    assert "石家庄" == read_xml("<a>石家庄</a>".encode(encoding)).text


def test_a_document_longer_than_a_piece_is_whole() -> None:
    """It is read piece by piece, and a piece may end inside a letter."""
    text = "石家庄" * 50_000

    assert text == read_xml(f"<a> <b>{text}</b></a>".encode())[0].text


@pytest.mark.parametrize(
    ("content", "code", "facts"),
    [
        (b"<!DOCTYPE a><a/>", "xml.dtd", {}),
        (b"<!-- " + b" " * 9000 + b"-->\n<!DOCTYPE a><a/>", "xml.dtd", {"line": 2}),
        ('<?xml version="1.0"?><!DOCTYPE a><a/>'.encode("utf-16"), "xml.dtd", {}),
        (b"<!DOCTYPE a SYSTEM 'http://127.0.0.1:9/x.dtd'><a/>", "xml.dtd", {}),
        (LAUGHS + b"<l>&a9;</l>", "xml.dtd", {}),
        (LAUGHS + b"<l x='&a9;'/>", "xml.dtd", {}),
        (b"<a>\n" * 33 + b"</a>" * 33, "xml.too-deep", {"line": 33, **DEEP}),
        (b"<a>" * 100_000, "xml.too-deep", DEEP),
        (b"", "xml.malformed", {"line": 1}),
        (b'{"a": 1}', "xml.malformed", {"line": 1}),
        (b"<a>\n<b></a>", "xml.malformed", {"line": 2}),
        (b"<a>\n\x00</a>", "xml.malformed", {"line": 2}),
        (b"<a>&unknown;</a>", "xml.malformed", {"line": 1}),
        # The name of the attribute must not be taken for the reason.
        (b"<a encoding='1' encoding='2'/>", "xml.malformed", {"line": 1}),
        ("<a>\n石家庄</a>".encode("gbk"), "xml.encoding", {"line": 2}),
        (b"<?xml version='1.0' encoding='no-such'?><a/>", "xml.encoding", {"line": 1}),
        (b"<a>" + b" " * 4 * MEGABYTE + b"</a>", "xml.too-long", {"limit_bytes": 4 * MEGABYTE}),
    ],
)
def test_what_is_wrong_is_named(content: bytes, code: str, facts: Facts) -> None:
    """At once, with a code to count by, the line, and no question mark in the text."""
    began = time.thread_time()
    error = refused(content)
    took_s = time.thread_time() - began

    assert code == error.code
    assert facts.items() <= error.facts.items()
    assert "?" not in both(error.faults[0])
    assert took_s < QUICK_S


def test_as_deep_as_allowed() -> None:
    """The limit itself is within."""
    assert "a" == read_xml(b"<a>" * 32 + b"</a>" * 32).tag


def test_nothing_is_fetched(tmp_path: Path) -> None:
    """Neither from the network nor from a file, whatever the document asks for."""
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        for document in (
            f"<!DOCTYPE a SYSTEM '{address}'><a/>",
            f"<!DOCTYPE a [<!ENTITY x SYSTEM '{address}'>]><a>&x;</a>",
            f"<!DOCTYPE a [<!ENTITY % x SYSTEM '{address}'> %x;]><a/>",
            f"<!DOCTYPE a [<!ENTITY x SYSTEM 'file://{secret}'>]><a>&x;</a>",
        ):
            error = refused(document.encode())
            assert "xml.dtd" == error.code
            assert "the secret" not in str(error.__cause__)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_reference_to_a_schema_or_a_file_stays_a_text(tmp_path: Path) -> None:
    """XInclude and schema locations are the document's wishes, not ours."""
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    include = f"<i:include xmlns:i='http://www.w3.org/2001/XInclude' href='file://{secret}'/>"

    assert {"include": ""} == as_mapping(read_xml(f"<a>{include}</a>".encode()))


def test_many_repeated_elements_take_no_time() -> None:
    """Twice as many must not take four times as long: one thread serves all partners."""
    root = read_xml(b"<a>" + b"<b>1</b>" * 200_000 + b"</a>")

    began = time.thread_time()
    read = as_mapping(root)

    assert ["1"] * 200_000 == read["b"]
    assert time.thread_time() - began < 5 * QUICK_S


@pytest.mark.parametrize(
    ("document", "code", "at", "facts"),
    [
        ("<case>\n<no>1</no><who/></case>", "xml.invalid", "/no", {"line": 2}),
        ("<case><who/></case>", "xml.element", "/who", {"expected": "no"}),
        ("<case><no>0001</no></case>", "xml.element", "", {"expected": "who"}),
        (
            "<case><no>0001</no><who/><doc><pages>1</pages></doc>\n<doc><pages>x</pages></doc></case>",
            "xml.invalid",
            "/doc/1/pages",
            {"line": 2},
        ),
        (
            "<case><no>0001</no><who/><doc><pages>x</pages></doc></case>",
            "xml.invalid",
            "/doc/pages",
            {"line": 1},
        ),
        ("<other/>", "xml.invalid", "", {"line": 1}),
    ],
)
def test_what_does_not_fit_is_placed(
    schema: etree.XMLSchema, document: str, code: str, at: str, facts: Facts
) -> None:
    """By a pointer into the mapping that is made of the document."""
    with pytest.raises(Rejected) as caught:
        valid(read_xml(document.encode()), schema)

    fault = caught.value.faults[0]
    assert (code, at) == (fault.code, fault.at)
    assert facts.items() <= fault.facts.items()
    assert "?" not in both(fault)


def test_values_stay_out_of_the_reasons(schema: etree.XMLSchema) -> None:
    """The library quotes them."""
    document = "<case><no>欧阳测试</no><who/><doc><pages>欧阳测试</pages></doc></case>"

    with pytest.raises(Rejected) as caught:
        valid(read_xml(document.encode()), schema)

    assert ["/no", "/doc/pages"] == list(dict.fromkeys(f.at for f in caught.value.faults))
    assert "欧阳" not in str(caught.value.faults)


def test_a_default_namespace_is_no_obstacle(tmp_path: Path) -> None:
    """Then the library counts elements instead of naming them."""
    spaced = XSD.replace(
        b'Schema">', b'Schema" targetNamespace="urn:x" elementFormDefault="qualified">', 1
    )
    file = tmp_path / "spaced.xsd"
    file.write_bytes(spaced)
    document = b"<case xmlns='urn:x'><no>0001</no><who/><doc><pages>x</pages></doc></case>"

    with pytest.raises(Rejected) as caught:
        valid(read_xml(document), read_schema(str(file)))

    assert "/doc/pages" == caught.value.faults[0].at


def test_a_mapping_becomes_a_document(schema: etree.XMLSchema) -> None:
    """In its order; what is empty is left out, and what looks like markup is none."""
    content = {"no": "0001", "who": "<a> & “b”", "doc": [{"pages": 1}, {"pages": 2}], "empty": None}

    document = filled("case", content)

    valid(document, schema)
    there_and_back = as_mapping(read_xml(etree.tostring(document)))
    docs = [{"pages": "1"}, {"pages": "2"}]
    assert {"no": "0001", "who": "<a> & “b”", "doc": docs} == there_and_back


def test_what_xml_cannot_hold_is_placed() -> None:
    """A control character, somewhere in a list."""
    with pytest.raises(Rejected) as caught:
        filled("case", {"doc": [{"name": "a"}, {"name": "b\x0b"}]})

    assert ("xml.character", "/doc/1/name") == (caught.value.code, caught.value.at)


def test_a_text_is_made_fit() -> None:
    """Only what XML forbids goes (XML 1.0, 2.2): letters, spaces and line ends stay."""
    assert "石　家\n\t庄𠮷" == fit_for_xml("石　\x00家\x0b\n\t庄\ufffe𠮷\ud800")


def test_a_schema_that_cannot_be_read_is_a_persons_business(tmp_path: Path) -> None:
    """Neither missing nor broken schemas are the partner's fault."""
    broken = tmp_path / "broken.xsd"
    broken.write_bytes(b"<a/>")

    for file in (broken, tmp_path / "missing.xsd"):
        with pytest.raises(Misconfigured) as caught:
            read_schema(str(file))
        assert ("soap.description", file.name) == (caught.value.code, caught.value.facts["file"])
