"""TRAINS: the only room that imports torch. Run as ``python -m tuilab.engine``."""
