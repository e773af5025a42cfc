"""What is raised to users is translated, and nothing is translated that is never raised."""

import ast
from collections.abc import Iterator
import re

import pytest

from custom_components.imap_push.mail.errors import ERROR_TEXTS

from . import ENGLISH, INTEGRATION

# What every error of the engine may say; see mail/errors.py.
ERROR_PLACEHOLDERS = {"account", "code"}


def _raised() -> Iterator[tuple[str, dict[str, ast.expr]]]:
    """Yield where an exception with a translation is made, and the arguments."""
    for path in sorted(INTEGRATION.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            arguments = {word.arg: word.value for word in node.keywords if word.arg}
            made = ast.unparse(node.func)
            if "translation_domain" in arguments and not made.endswith("_issue"):
                yield f"{path.name}:{node.lineno}", arguments


def _text(node: ast.expr) -> str | None:
    """Return a text that is written down; others come out of the table of errors."""
    return str(node.value) if isinstance(node, ast.Constant) else None


RAISED = list(_raised())
LITERAL = [
    pytest.param(key, arguments.get("translation_placeholders"), id=f"{where} {key}")
    for where, arguments in RAISED
    if (key := _text(arguments["translation_key"]))
]


def test_every_exception_has_a_text() -> None:
    """And no text is for one that is never raised."""
    keys = {str(parameter.values[0]) for parameter in LITERAL}
    assert keys | {*ERROR_TEXTS.values()} == set(ENGLISH["exceptions"])


@pytest.mark.parametrize(("key", "placeholders"), LITERAL)
def test_exception_fills_the_placeholders_of_its_text(
    key: str, placeholders: ast.expr | None
) -> None:
    """No more, no less; those that are put together elsewhere are not looked at."""
    if placeholders is not None and not isinstance(placeholders, ast.Dict):
        return
    filled = {_text(name) for name in placeholders.keys if name} if placeholders else ()
    message = ENGLISH["exceptions"][key]["message"]
    assert set(re.findall(r"\{(\w+)\}", message)) == set(filled)


@pytest.mark.parametrize("key", sorted({*ERROR_TEXTS.values()}))
def test_error_of_the_engine_says_no_more_than_is_known(key: str) -> None:
    """The words of the server are not passed on: they may hold the login."""
    message = ENGLISH["exceptions"][key]["message"]
    assert set(re.findall(r"\{(\w+)\}", message)) <= ERROR_PLACEHOLDERS
