"""Screens: one question at a time, each with its style sheet."""
