"""The names of the commands, apart from their parser: the interface starts without that."""

_COMMANDS = (
    "count", "match", "explain", "code", "presets", "schema", "run", "more", "verify", "ls", "show", "report",
    "attach", "stop", "pause", "resume", "lr", "steps", "first", "rm", "export", "logs", "bundle", "doctor",
)  # fmt: skip


def is_command(word: str) -> bool:
    """Whether ``word`` is one of tuilab's commands; anything else names something to open."""
    return word in _COMMANDS
