"""DRIVES: plans an experiment, feeds engine processes and writes what comes back. Outlives the terminal."""
