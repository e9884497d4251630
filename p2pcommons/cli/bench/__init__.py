"""`p2pcommons bench`: what this machine does with a real catalogue, as one table; each part of it is a module."""

from p2pcommons.cli.bench.command import main

__all__ = ["main"]
