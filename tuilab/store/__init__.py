"""REMEMBERS: the lab's SQLite store, its schema, one writer per experiment, any number of readers."""
