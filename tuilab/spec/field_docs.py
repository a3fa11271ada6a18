"""The strings under the fields of a class, read from its source when a schema is asked for.

pydantic can do that too, but does it for every class when that is made, which takes half as long as
importing them.
"""

import ast
import inspect
import textwrap
from itertools import pairwise


def field_docs(cls: type) -> dict[str, str]:
    """The string under each field that has one, those of base classes included; none where there is no source."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.startswith("tuilab."):
            found.update(_own_docs(base))
    return found


def _own_docs(cls: type) -> dict[str, str]:
    try:
        module = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, SyntaxError):
        return {}
    body = module.body[0].body if isinstance(module.body[0], ast.ClassDef) else []
    found = {}
    for field, text in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            value = text.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                found[field.target.id] = inspect.cleandoc(value.value)
    return found
