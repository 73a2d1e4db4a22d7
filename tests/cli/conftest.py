"""What the tests of questions in a terminal share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.terminal import FarApi, far_api


@pytest.fixture(scope="module")
def _far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarApi]:
    with far_api(tmp_path_factory.mktemp("far")) as api:
        yield api


@pytest.fixture
def api(_far: FarApi) -> FarApi:
    """An API that is not on this machine, and knows nobody yet."""
    _far.sandbox.reset()
    return _far
