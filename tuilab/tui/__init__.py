"""SHOWS: the terminal interface. The only room that imports textual and plotext."""
