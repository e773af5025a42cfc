"""Lines of format=flowed text are joined (RFC 3676)."""

from hypothesis import given, strategies as st
import pytest

from custom_components.imap_push.imap.mime.plain_text import unwrap_flowed


def joined(text: str, *, delete_space: bool = False) -> str:
    """Return flowed text as paragraphs."""
    return "\n".join(unwrap_flowed(text, delete_space=delete_space))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("one \ntwo\nthree", "one two\nthree", id="paragraphs"),
        pytest.param("one \r\ntwo\r\n", "one two", id="CRLF"),
        pytest.param("one\n\ntwo", "one\n\ntwo", id="blank line"),
        pytest.param("one \n\ntwo", "one \ntwo", id="flows into a blank line"),
        pytest.param("one \ntwo ", "one two ", id="flows into the end"),
        pytest.param("> one \n> two\n", "> one two", id="quote"),
        pytest.param("> one \n>> two\n", "> one \n>> two", id="quote within a quote"),
        pytest.param("> one \ntwo", "> one \ntwo", id="text after a quote"),
        pytest.param(">one \n> two", "> one two", id="quote without a blank"),
        pytest.param("> > one", "> > one", id="stuffed > is text"),
        pytest.param(" From me\n  two", "From me\n two", id="space-stuffing"),
        pytest.param(" > no quote", "> no quote", id="stuffed quote"),
        pytest.param("one \n-- \nAda", "one \n-- \nAda", id="signature"),
        pytest.param("> one \n> -- \n> Ada", "> one \n> -- \n> Ada", id="quoted signature"),
        pytest.param("--  \nx", "--  x", id="no signature"),
        pytest.param("", "", id="empty"),
        pytest.param("one\x0btwo\u2028three \nx", "one\x0btwo\u2028three x", id="other line ends are text"),
    ],
)  # fmt: skip
def test_paragraphs(text: str, expected: str) -> None:
    """A line that ends with a space continues at the same quote depth; "-- " is a separate line."""
    assert joined(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("ドア \nが\n", "ドアが", id="divided word"),
        pytest.param("one  \ntwo", "one two", id="blank before the blank"),
        pytest.param("one \n-- \nAda", "one\n-- \nAda", id="signature"),
        pytest.param("> ド \n> ア", "> ドア", id="quote"),
    ],
)
def test_delsp(text: str, expected: str) -> None:
    """The space at the end of a flowed line is deleted."""
    assert joined(text, delete_space=True) == expected


@given(st.text(max_size=200), st.booleans())
def test_only_spaces_and_quotes_change(text: str, delete_space: bool) -> None:
    """All other characters of any text are kept."""

    def letters(value: str) -> str:
        return "".join(letter for letter in value if letter not in " >\r\n")

    assert letters(joined(text, delete_space=delete_space)) == letters(text)
