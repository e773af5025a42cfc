"""Exceptions for users are translated, and no translation is unused."""

import ast
from collections.abc import Iterator
import re

import pytest

from custom_components.imap_push.mail.errors import ERROR_TEXTS

from . import ENGLISH, INTEGRATION

# Placeholders of engine errors; see mail/errors.py.
ERROR_PLACEHOLDERS = {"account", "code", "folder"}


def _raised() -> Iterator[tuple[str, dict[str, ast.expr]]]:
    """Yield place and arguments of each exception with a translation."""
    for path in sorted(INTEGRATION.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            arguments = {word.arg: word.value for word in node.keywords if word.arg}
            made = ast.unparse(node.func)
            if "translation_domain" in arguments and not made.endswith("_issue"):
                yield f"{path.name}:{node.lineno}", arguments


def _constant(node: ast.expr) -> str | None:
    """Return a constant string; the table of errors has the others."""
    return str(node.value) if isinstance(node, ast.Constant) else None


RAISED = list(_raised())
LITERAL = [
    pytest.param(key, arguments.get("translation_placeholders"), id=f"{where} {key}")
    for where, arguments in RAISED
    if (key := _constant(arguments["translation_key"]))
]


def test_every_exception_has_a_text() -> None:
    """There are no texts for other exceptions."""
    keys = {str(parameter.values[0]) for parameter in LITERAL}
    assert keys | {*ERROR_TEXTS.values()} == set(ENGLISH["exceptions"])


@pytest.mark.parametrize(("key", "placeholders"), LITERAL)
def test_exception_fills_the_placeholders_of_its_text(
    key: str, placeholders: ast.expr | None
) -> None:
    """Placeholders that are not a literal dictionary are not checked."""
    if placeholders is not None and not isinstance(placeholders, ast.Dict):
        return
    filled = (
        {_constant(name) for name in placeholders.keys if name} if placeholders else ()
    )
    message = ENGLISH["exceptions"][key]["message"]
    assert set(re.findall(r"\{(\w+)\}", message)) == set(filled)


@pytest.mark.parametrize("key", sorted({*ERROR_TEXTS.values()}))
def test_placeholders_of_engine_errors(key: str) -> None:
    """The text of the server is not passed on: it may contain the username."""
    message = ENGLISH["exceptions"][key]["message"]
    assert set(re.findall(r"\{(\w+)\}", message)) <= ERROR_PLACEHOLDERS
