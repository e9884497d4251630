"""Being here puts this folder on the path: tests of all kinds share the small worlds of `simulation`."""
