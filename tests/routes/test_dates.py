"""Dates in every form partners use, read and written; and dates that do not exist."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routes.dates import BEIJING, check_format, reader, spoken, writer

DT19 = "%Y-%m-%dT%H:%M:%S"
D10 = "%Y-%m-%d"
COMPACT = "%Y%m%d%H%M%S"


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        (COMPACT, "20260301090507", "2026-03-01T09:05:07"),
        ("%Y-%m-%d %H:%M:%S", "2026-03-01 09:05:07", "2026-03-01T09:05:07"),
        ("%Y/%m/%d %H:%M:%S", "2026/3/1 9:05:07", "2026-03-01T09:05:07"),
        ("%Y年%m月%d日", "2026年3月1日", "2026-03-01T00:00:00"),
        ("%Y-%m-%d %H:%M:%S.%f", "2026-03-01 09:05:07.250", "2026-03-01T09:05:07"),
        ("%Y-%m-%dT%H:%M:%S%z", "2026-03-01T01:05:07+0000", "2026-03-01T09:05:07"),
        ("iso", "2026-03-01T09:05:07", "2026-03-01T09:05:07"),
        ("iso", "2026-03-01T01:05:07Z", "2026-03-01T09:05:07"),
        ("iso", "2026-03-01T01:05:07.123Z", "2026-03-01T09:05:07"),
        ("iso", "2026-02-28T20:05:07-05:00", "2026-03-01T09:05:07"),
        ("iso", "20260301T090507+08", "2026-03-01T09:05:07"),
        ("iso", "20260301T0905", "2026-03-01T09:05:00"),
        ("iso", "2026-03-01", "2026-03-01T00:00:00"),
        ("iso", "20260301", "2026-03-01T00:00:00"),
        ("iso", "2026-03-01T24:00:00", "2026-03-02T00:00:00"),
        (COMPACT, "20260301240000", "2026-03-02T00:00:00"),  # GB/T 7408: the end of the day
        ("%Y-%m-%d %H:%M:%S", "2026-12-31 24:00:00", "2027-01-01T00:00:00"),
        ("epoch_ms", 0, "1970-01-01T08:00:00"),
        ("epoch_ms", "86400000", "1970-01-02T08:00:00"),
        ("epoch_s", 86400, "1970-01-02T08:00:00"),
    ],
)
def test_what_partners_send_is_read_as_beijing_time(
    form: str, value: object, expected: str
) -> None:
    """The value of each form means the expected time."""
    assert expected == reader(form, DT19)(value)


@pytest.mark.parametrize(
    ("form", "value"),
    [
        (COMPACT, "20260230090000"),  # no 30 February
        (COMPACT, "20250229090000"),  # no leap year
        (COMPACT, "20260301250000"),
        (COMPACT, "2026030109000"),
        (COMPACT, "２０２６０３０１０９００００"),  # full-width digits are no digits here
        (COMPACT, " 20260301090000"),
        (COMPACT, 20260301090000),
        (COMPACT, None),
        ("%Y%m%d", "00000101"),
        ("iso", "2026-W10-1"),
        ("iso", "2026-3-1"),
        ("iso", "2026-03-01T25:00:00"),
        ("iso", "2026-03-01T09:00:00+99:00"),
        ("iso", "0001-01-01T00:00:00+14:00"),
        ("iso", "9999-12-31T24:00:00"),
        ("epoch_ms", True),
        ("epoch_ms", 1.5),
        ("epoch_ms", 10**18),
        ("epoch_ms", "1e9"),
        ("epoch_s", 10**400),
    ],
)
def test_a_date_that_does_not_exist_is_not_read(form: str, value: object) -> None:
    """Nor is one in another form: None, never an exception, never another day."""
    assert reader(form, DT19)(value) is None
    assert reader(form, D10)(value) is None


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (D10, "2026-03-01"),
        ("%Y%m%d", "20260301"),
        (COMPACT, "20260301090507"),
        ("epoch_ms", 1772327107000),
    ],
)
def test_a_date_takes_the_shape_of_its_element(shape: str, expected: object) -> None:
    """2026-03-01 09:05:07 in Beijing is 1772327107 s after 1970 in Greenwich."""
    assert expected == reader("%Y-%m-%d %H:%M:%S", shape)("2026-03-01 09:05:07")


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("%Y-%m-%d %H:%M:%S.%f", "2026-03-01 09:05:07.25"),
        ("iso", "2026-03-01T09:05:07.250999"),
        ("iso", "2026-03-01T01:05:07,25Z"),
    ],
)
def test_milliseconds_make_a_sequence_finer(form: str, value: str) -> None:
    """Two changes within one second have an order: .25 s are 250 ms."""
    assert 1772327107250 == reader(form, "epoch_ms")(value)


@pytest.mark.parametrize(
    ("form", "canonical", "expected"),
    [
        (COMPACT, "2026-03-01T09:05:07", "20260301090507"),
        ("%Y/%m/%d", "2026-03-01T09:05:07", "2026/03/01"),
        ("%Y-%m-%d %H:%M:%S", "2026-03-01", "2026-03-01 00:00:00"),
        ("%Y年%m月%d日", "2026-03-01", "2026年03月01日"),
        ("iso", "2026-03-01T09:05:07", "2026-03-01T09:05:07+08:00"),
        ("epoch_ms", "1970-01-01T08:00:00", 0),
        ("epoch_s", "1970-01-02T08:00:00", 86400),
        ("{%Y%m%d}%%", "2026-03-01", "{20260301}%"),
        (COMPACT, "2026-02-30T09:05:07", None),
        (COMPACT, 20260301, None),
    ],
)
def test_canonical_text_is_written_as_the_target_wants(
    form: str, canonical: object, expected: object
) -> None:
    """And what is no canonical date is not written."""
    assert expected == writer(form)(canonical)


@given(
    st.datetimes(min_value=datetime(1000, 1, 1), max_value=datetime(9000, 1, 1)),  # noqa: DTZ001 - Beijing time, without zone
    st.sampled_from([COMPACT, "%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "iso", "epoch_s"]),
)
def test_writing_and_reading_give_the_same_time(when: datetime, form: str) -> None:
    """In every form that keeps seconds."""
    canonical = when.replace(microsecond=0).isoformat()

    assert canonical == reader(form, DT19)(writer(form)(canonical))


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_milliseconds_are_read_exactly(ms: int) -> None:
    """Against the calendar of the standard library."""
    start = datetime(1970, 1, 1, 8, tzinfo=BEIJING)
    try:
        expected = (start + timedelta(milliseconds=ms)).strftime(DT19)
    except OverflowError:
        expected = None

    found = reader("epoch_ms", DT19)(ms)

    assert expected is None or expected.rjust(19, "0") == found


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("%Q", "%Q"),
        ("%H:%M", "%Y %m %d"),
        ("%Y%m%d%Y", "once"),
        ("%y%m%d", "%y"),
        ("rfc822", "%Y %m %d"),
    ],
)
def test_a_format_that_cannot_work_is_refused(form: str, told: str) -> None:
    """When the declaration is read, not when the first record comes."""
    with pytest.raises(ValueError, match=told):
        check_format(form)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("%Y-%m-%d %H:%M:%S", "YYYY-MM-DD hh:mm:ss"),
        ("%Y年%m月%d日", "YYYY年MM月DD日"),
        ("iso", "YYYY-MM-DDThh:mm:ss"),
        ("epoch_ms", "epoch_ms"),
    ],
)
def test_a_form_is_told_as_people_write_it(form: str, expected: str) -> None:
    """No ``%Y`` in a sentence that a clerk reads."""
    assert expected == spoken(form)


DAYS = st.dates(min_value=date(1000, 1, 1))  # earlier years are written with fewer digits


@given(DAYS | st.text(max_size=30) | st.none() | st.integers() | st.lists(st.integers()))
def test_a_day_read_again_is_the_same(value: object) -> None:
    """Whether it was read before or not, and beside what is no day."""
    told = value.strftime("%Y/%m/%d") if isinstance(value, date) else value
    read, anew = reader("%Y/%m/%d", D10), reader("%Y/%m/%d", D10)

    assert read(told) == read(told) == anew(told)
    if isinstance(value, date):
        assert value.isoformat() == read(told)
