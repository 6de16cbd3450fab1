"""The size of a page follows how long pages take."""

from __future__ import annotations

from front_db.pace import PageSize


def test_quick_pages_grow_up_to_the_most() -> None:
    """Two full ones in a row double it; a page that was not full says nothing."""
    size = PageSize(most=700)
    for _ in range(2):
        size.took(0.1, 200)
    assert 400 == size.rows
    for _ in range(2):
        size.took(0.1, 3)
    assert 400 == size.rows
    for _ in range(2):
        size.took(0.1, 400)

    assert 700 == size.rows


def test_slow_and_failed_pages_shrink_down_to_the_least() -> None:
    """Halved each time, and never to nothing."""
    size = PageSize(most=1000, least=50, wanted_s=1.0)
    size.took(1.5, 200)
    assert 100 == size.rows
    size.failed()
    size.failed()

    assert 50 == size.rows


def test_a_table_of_small_pages_stays_small() -> None:
    """The profile's most is kept from the first page on."""
    size = PageSize(most=2)

    assert (2, 2) == (size.rows, size.least)
