"""The declared charset of HTML. The expected values are from Chromium (`document.characterSet`)."""

import pytest

from custom_components.imap_push.imap.mime.html_charset import html_charset


@pytest.mark.parametrize(
    ("html", "label"),
    [
        pytest.param("<meta charset=windows-1251>", "windows-1251", id="charset"),
        pytest.param("<META CHARSET = \"Shift_JIS\" >", "Shift_JIS", id="upper case, spaces"),
        pytest.param("<meta\ncharset\n=\n'koi8-r'/>", "koi8-r", id="line breaks"),
        pytest.param("<meta/charset=koi8-r>", "koi8-r", id="slash"),
        pytest.param(
            '<html><head><meta http-equiv="Content-Type" content="text/html; charset=windows-1251"></head>',
            "windows-1251", id="http-equiv",
        ),
        pytest.param("<meta content='text/html;charset=koi8-r' http-equiv=content-type>", "koi8-r", id="order"),
        pytest.param("<meta http-equiv=Content-Type content=text/html;charset=big5>", "big5", id="no quotes"),
        pytest.param("<meta http-equiv='Content-Type' content='text/html; charset=\"koi8-r\"'>", "koi8-r", id="quotes"),
        pytest.param("<meta http-equiv=content-type charset=koi8-r content='a; charset=euc-jp'>", "koi8-r", id="both"),
        pytest.param("<meta content='text/html; charset=koi8-r'>", "", id="content without http-equiv"),
        pytest.param("<meta name=charset content=koi8-r>", "", id="name"),
        pytest.param("<metacharset=koi8-r>", "", id="other element"),
        pytest.param("</meta charset=euc-jp><meta charset=koi8-r>", "koi8-r", id="end tag"),
        pytest.param("<meta charset=koi8-r", "", id="no end"),
        pytest.param("<!-- <meta charset=koi8-r> --><meta charset=euc-kr>", "euc-kr", id="comment"),
        pytest.param("<!--><meta charset=euc-kr>", "euc-kr", id="short comment"),
        pytest.param("<!-- <meta charset=koi8-r>", "", id="open comment"),
        pytest.param("<a title='<meta charset=koi8-r>'><meta charset=euc-kr>", "euc-kr", id="in an attribute"),
        pytest.param("<p>it's <meta charset=koi8-r>", "koi8-r", id="apostrophe in text"),
        pytest.param("<p x=it's><meta charset=koi8-r>", "koi8-r", id="apostrophe in a value"),
        pytest.param("<!doctype html><meta charset=koi8-r>", "koi8-r", id="doctype"),
        pytest.param("<meta charset=x-none><meta charset=euc-kr>", "euc-kr", id="unknown, then known"),
        pytest.param("<meta charset=''>", "", id="empty"),
        pytest.param("<meta charset=utf-16>", "utf-8", id="UTF-16"),
        pytest.param("<?xml version='1.0' encoding='windows-1251'?><html>", "windows-1251", id="XML"),
        pytest.param("<?xml version='1.0'?><meta charset=koi8-r>", "koi8-r", id="XML without encoding"),
        pytest.param(" " * 900 + "<meta charset=koi8-r>", "koi8-r", id="late"),
        pytest.param(" " * 1_010 + "<meta charset=koi8-r>", "", id="too late"),
        pytest.param("", "", id="empty"),
    ],
)  # fmt: skip
def test_declared_charset(html: str, label: str) -> None:
    """The first meta element or XML declaration with a known charset counts."""
    assert html_charset(html.encode()) == label
