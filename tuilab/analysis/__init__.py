"""HOW MUCH: pure functions on values: counting, matching, collapse, bounds, statistics."""
