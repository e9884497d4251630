"""Real processes, real links, real data."""
