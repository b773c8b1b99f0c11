"""Products with other settings, as the tests of the API start them."""

from tests.api.conftest import launch

__all__ = ["launch"]
