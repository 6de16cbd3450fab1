"""The hub's own records, for tests that need no others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.store import Store
from tests.records import shape


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    """Laid out, and empty."""
    store = Store(sqlite_url)
    shape(store)
    yield store
    store.close()
