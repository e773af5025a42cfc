"""Server text is shown without Markdown, line breaks and invisible characters.

The Markdown cases were rendered with marked 16.4 and 18.2, with GFM and breaks like in the
frontend: each result was one paragraph of text without other elements.
"""

import pytest

from custom_components.imap_push.server_text import (
    escape_markdown,
    single_line,
    without_links,
)

JOINER = "\N{WORD JOINER}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("[a](b)", r"\[a\](b)", id="link"),
        pytest.param(
            "[a](https://b.example)", rf"\[a\](https:{JOINER}//b.example)", id="URL"
        ),
        pytest.param("https://a.example", f"https:{JOINER}//a.example", id="bare URL"),
        pytest.param("FTP://a.example", f"FTP:{JOINER}//a.example", id="capitals"),
        pytest.param("www.a.example", f"www{JOINER}.a.example", id="bare host name"),
        pytest.param("a@b.example", f"a{JOINER}@b.example", id="mail address"),
        pytest.param(
            "ht\u200btps\u00ad://a.example",
            f"https:{JOINER}//a.example",
            id="URL with invisible characters in it",
        ),
        pytest.param("<https://a>", rf"\<https:{JOINER}//a\>", id="autolink"),
        pytest.param("[a]: b", r"\[a\]: b", id="reference"),
        pytest.param("![x](y)", r"\!\[x\](y)", id="image"),
        pytest.param("<b>x</b>", r"\<b\>x\</b\>", id="HTML"),
        pytest.param("a\n====", "a ====", id="heading, underlined"),
        pytest.param("====", r"\====", id="only the underline"),
        pytest.param("# a", r"\# a", id="heading"),
        pytest.param("a\n\n- b\n- c", "a - b - c", id="list"),
        pytest.param("- b", r"\- b", id="list item"),
        pytest.param("+ b", r"\+ b", id="list item with a plus"),
        pytest.param("* b", r"\* b", id="list item with an asterisk"),
        pytest.param("1. b", r"1\. b", id="numbered item"),
        pytest.param("12) b", r"12\) b", id="numbered item with a parenthesis"),
        pytest.param("a\n---\nb", "a --- b", id="rule"),
        pytest.param("---", r"\---", id="only a rule"),
        pytest.param("***", r"\*\*\*", id="rule of asterisks"),
        pytest.param("> a", r"\> a", id="quotation"),
        pytest.param("    a", "a", id="indented code"),
        pytest.param("```\na\n```", r"\`\`\` a \`\`\`", id="fenced code"),
        pytest.param("~~~\na", r"\~\~\~ a", id="fenced code with tildes"),
        pytest.param("`a`", r"\`a\`", id="code"),
        pytest.param("*a* _b_ ~~c~~", r"\*a\* \_b\_ \~\~c\~\~", id="emphasis"),
        pytest.param("a|b\n-|-", r"a\|b -\|-", id="table"),
        pytest.param("a\\\nb", r"a\\ b", id="hard line break"),
        pytest.param("\\[a]", r"\\\[a\]", id="escaped by the server"),
        pytest.param("&#8238;a &lt;b", r"\&\#8238;a \&lt;b", id="entities"),
        pytest.param("AT&T; 50% {a} $b$", r"AT\&T; 50% {a} $b$", id="punctuation"),
        pytest.param("Quota exceeded (90 %).", "Quota exceeded (90 %).", id="plain"),
    ],
)
def test_markdown_is_escaped(text: str, shown: str) -> None:
    """All kinds of blocks and inlines of GFM."""
    assert escape_markdown(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("a\r\nb\tc", "a b c", id="line ends and tabs"),
        pytest.param("a\x85b\u2028c\u2029d", "a b c d", id="other line ends"),
        pytest.param("\u3000a\u00a0b ", "a b", id="other spaces"),
        pytest.param("a\x1b[31mb\x9b0mc\0", "a [31mb 0mc", id="control characters"),
        pytest.param("\u202ea\u2066b", "ab", id="bidi controls"),
        pytest.param("a\u200b\ufeff\u2060b", "ab", id="zero width"),
        pytest.param("a\U000e0041\U000e0100b\ufe0f", "ab", id="tags and variations"),
        pytest.param("a\u3164\u115f\u2800\u034fb", "a b", id="fillers"),
        pytest.param("a\ud800\U000f0000\uffffb", "a?b", id="no characters"),
        pytest.param("a \u200b b", "a b", id="invisible between spaces"),
        pytest.param("Grüße 你好 🎉", "Grüße 你好 🎉", id="any language"),
        pytest.param("x" * 1000, "x" * 500, id="too long"),
        pytest.param("\n" * 5000 + "x", "", id="nothing for long"),
    ],
)
def test_one_line_of_visible_characters(text: str, shown: str) -> None:
    """For repairs and forms."""
    assert single_line(text) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("jane@example.com", f"jane{JOINER}@example.com"),
        ("https://example.com", f"https:{JOINER}//example.com"),
        ("Jane *private* #1_2", "Jane *private* #1_2"),
    ],
)
def test_name_of_an_account_is_no_link(name: str, shown: str) -> None:
    """In titles, Markdown is not rendered, so that nothing else may be escaped."""
    assert without_links(name) == shown
