"""The databases that partners use: each test that asks for `url` runs on all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from front_db.database import Limits, make_engine


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def url(request: pytest.FixtureRequest) -> str:
    """The address of a fresh database."""
    address: str = request.getfixturevalue(f"{request.param}_url")
    return address


@pytest.fixture
def partner(url: str) -> Iterator[Engine]:
    """The partner's own line to its database."""
    engine = make_engine(url, Limits())
    yield engine
    engine.dispose()
