"""The pages for people. `Pages` plugs them into the API's server."""

from p2pcommons.web.pages import Pages

__all__ = ["Pages"]
