"""A small world for tests: replicas, links that group and drop what they carry, and time that is moved by hand."""
