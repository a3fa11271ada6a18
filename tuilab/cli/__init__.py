"""The command line: starts the interface or one command, and turns errors into one sentence and an exit code.

Exit codes: 0 done; 1 a run failed, or a fault of tuilab's own; 2 bad input; 3 ``verify`` cannot tell; 130 interrupted.
"""

import os
import sys
from collections.abc import Sequence

from tuilab.cli.output import complain
from tuilab.spec.errors import LabError


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``tuilab`` with these arguments (default: the process's) and return its exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        return _dispatch(arguments)
    except LabError as error:
        complain(str(error))
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; without this the interpreter complains when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:  # the process's outermost edge
        return _own_fault(error)


def _dispatch(arguments: list[str]) -> int:
    from tuilab.cli.commands import is_command

    if not arguments or not (is_command(arguments[0]) or arguments[0].startswith("-")):
        from tuilab.cli.interface import open_interface

        return open_interface(arguments)
    from tuilab.cli.parser import build_parser

    namespace = build_parser().parse_args(arguments)
    code: int = namespace.command(namespace)
    return code


def _own_fault(error: Exception) -> int:
    from tuilab.store.faults import note_fault
    from tuilab.store.home import lab_home

    complain(note_fault(lab_home(), error))
    return 1
