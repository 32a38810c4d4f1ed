"""A view alone on a stage, as the tests of the widgets have it."""

from tests.widgets.conftest import stage

__all__ = ["stage"]
