"""Widgets: they show what they are given and post what the person asked for."""
