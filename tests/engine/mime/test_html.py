"""HTML is converted to the text that a browser shows (innerText of Chromium).

JavaScript was disabled and the window 800 pixels wide. White space differs: cells are separated by a
space, and paragraphs, headings and lists by a blank line.
"""

from typing import Final

import pytest

from custom_components.imap_push.imap.mime.budget import MAX_TAGS, Budget, BudgetSpent
from custom_components.imap_push.imap.mime.html import text_of_html
from custom_components.imap_push.imap.mime.html_tokenizer import tokens


def text_of(html: str) -> str:
    """Return the whole text."""
    text, is_cut = text_of_html(html, 1_000_000)
    assert not is_cut
    return text


def with_style(css: str) -> str:
    """Return a document with a style sheet."""
    body = "<p>a</p><div class=x>b</div><div id=i class='X y'>c</div>"
    return f"<style type='text/css'>{css}</style>{body}"


def with_media(media: str) -> list[str]:
    """Return documents that hide their first element for a medium, in different ways."""
    body = "<p>a</p><div>b</div>"
    rule = f"@media {media}{{i{{x:y}}p{{display:none}}}}"
    return [
        f"<style>{rule} .x{{}}</style>{body}",
        f"<style>@media screen {{{rule}}}</style>{body}",
        f"<style media='{media}'>p{{display:none}}</style>{body}",
    ]


def shown_if(applies: bool) -> str:
    """Return the text of `with_media` if the rule applies, or if not."""
    return "b" if applies else "a\n\nb"


LINES: Final = [
    ("<p>a  b\n c</p><p>d</p>", "a b c\n\nd"),
    ("a<br>b<br/>c", "a\nb\nc"),
    ("a<br><br><br>b", "a\n\nb"),
    ("<div>a</div><div>b</div>", "a\nb"),
    ("<div>a</div><div><br></div><div>b<br></div><div>c</div>", "a\n\nb\nc"),
    ("<div><div><div>a</div></div></div><div>b</div>", "a\nb"),
    ("<p>a<div>b</div></p>", "a\n\nb"),
    ("<h1>a</h1>b<hr>c", "a\n\nb\nc"),
    ("a<p>&nbsp;</p>b", "a\n\nb"),
    ("a <b> b</b>c <i>d</i>", "a bc d"),
    ("<p>a</br>b</p>c</p>d", "a\nb\n\nc\n\nd"),
    ("<p><font>a<p>b", "a\n\nb"),
    ("<ul><li>one<li>two</ul>", "- one\n- two"),
    ("a<ul><li>b<ul><li>c</ul><li>d</ul>e", "a\n\n- b\n- c\n- d\n\ne"),
    ("<ol><li><p>a</p></li><li></li><li>b</li></ol>c", "- a\n\n- b\n\nc"),
    ("<ul><li></ul>a", "a"),
    ("<li style='display:inline'>a</li><li style='display:inline'>b</li>", "ab"),
    ("<dl><dt>a<dd>b<dt>c</dl>", "a\nb\nc"),
    ("<table><tr><td>a</td><td>b</td></tr><tr><td>c<td>d</table>e", "a b\nc d\ne"),
    ("<table><tr><td><table><tr><td>a</table><td>b</table>", "a\nb"),
    ("<tr><td>a</td><td>b</td></tr>", "a b"),
    ("<a style='display:block'>a</a><a style='display:block'>b</a>", "a\nb"),
    ("<p style='display:inline'>a</p><p style='display:inline'>b</p>", "ab"),
    ("<select><option>a<option>b</select>c", "a\nb\nc"),
    ("<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>", "漢kan"),
    ("<button>a</button><input value=b><label>c</label>", "ac"),
    ("<i style='text-transform:uppercase'>straße</i>", "STRASSE"),
    ("<i style='text-transform:lowercase'>ÀB<b style='text-transform:none'>C", "àbC"),
    ("<i style='text-transform:capitalize'>ab cd-ef it's", "Ab Cd-Ef It's"),
]  # fmt: skip


@pytest.mark.parametrize(("html", "text"), LINES)
def test_lines_and_spaces(html: str, text: str) -> None:
    """Blocks start on a new line, and white space is collapsed."""
    assert text_of(html) == text


PREFORMATTED: Final = [
    ("<pre>\none\n  two\n\n\nthree \n</pre>four", "one\n  two\n\n\nthree\n\nfour"),
    ("<pre>\r\na\r\n\tb\r\n</pre>", "a\n\tb"),
    ("<pre>  a\n b</pre>", "  a\n b"),
    ("<pre><code>a <b> b</b>\n c</code></pre>", "a  b\n c"),
    ("<p>x<pre>a&nbsp; b</pre>", "x\n\na  b"),
    ("<pre>a\u200b\n\x07b</pre>", "a\nb"),
    ("<xmp>a <b>\n c</xmp>d", "a <b>\n c\n\nd"),
    ("<plaintext>a <b>\n</plaintext>", "a <b>\n</plaintext>"),
    ("<p style='white-space:pre-wrap'>a  b\n\n c</p>", "a  b\n\n c"),
    ("<p style='white-space: pre-line'>a   b\n\n c</p>", "a   b\n\n c"),
    ("<pre><i style='white-space:normal'>a\n  b</i></pre>", "a b"),
    ("<p style='white-space:nowrap'>a \n b</p>", "a b"),
    ("<style>.x{white-space:pre}</style><p class=x>a\n b", "a\n b"),
    ("<!DOCTYPE html><pre>a<table><tr><td>b\n c</table></pre>", "a\nb\n c"),
]


@pytest.mark.parametrize(("html", "text"), PREFORMATTED)
def test_preformatted_text(html: str, text: str) -> None:
    """Preformatted text keeps its lines and indentation."""
    assert text_of(html) == text


HIDDEN: Final = [
    ("<title>a</title><style>p {}</style><script>x<y</script>b", "b"),
    ("<template>a</template><iframe>b</iframe><noembed>c</noembed>d", "d"),
    ("<template><style>a</style>b</template>c", "c"),
    ("<noscript>a</noscript><canvas>b</canvas>", "ab"),
    ("<video>a</video><audio>b</audio><textarea>c</textarea>d", "d"),
    ("<object>a</object>b", "ab"),
    ("<datalist><option>a</datalist><meter>b</meter>c", "c"),
    ("<dialog>a</dialog><dialog open>b</dialog>", "b"),
    ("<details>a<summary>b</summary><p>c</details>d", "b\nd"),
    ("<details open><summary>a</summary>b</details>c", "a\nb\nc"),
    ("<svg><title>a</title><text>b</text></svg>c", "b\nc"),
    ("<div hidden>a</div><div hidden='false'>b</div>c", "c"),
    ("<p hidden style='display:block'>a", "a"),
    ("<div aria-hidden=true>a</div>", "a"),
    ("<div style='opacity:0'>a</div>", "a"),
    ("<div style='display:none'><div>a</div>b</div>c", "c"),
    ("<div style='display:none'><p>a</div>b", "b"),
    ("<div style='display:none'>a</span></p></td>b</div>c", "c"),
    ("<div style='color:red; DISPLAY : None ! important'>a</div>b", "b"),
    ("<div style='display:none !important;display:block'>a</div>b", "b"),
    ("<div style='display:none;display:block'>a</div>", "a"),
    ("<div style='display:hidden'>a</div>", "a"),
    ("<style>div{display:none} div{display:inherit}</style><div>a</div>b", "a\nb"),
    ("<style>div{display:none} div{display:initial}</style><div>a</div>b", "ab"),
    ("<style>div{display:none} div{display:unset}</style><div>a</div>b", "ab"),
    ("<div style='x-display:none;display:&#110;one'>a</div>b", "b"),
    ("<span style='display:none'/>a", ""),
    ("<b style='display:none'><div>a</b>b</div>", "b"),
    ("<p style='display:none'>a<div>b</div>", "b"),
    ("<!DOCTYPE html><p style='display:none'>a<table><tr><td>b</table>c", "b\nc"),
    ("<ul><li hidden>a<li>b</ul>", "- b"),
    ("<table><tr><td hidden>a<td>b<tr hidden><td>c<tr><td>d</table>", "b\nd"),
    ("<table><tbody hidden><tr><td>a<tbody><tr><td>b</table>", "b"),
    ("<table hidden><tr><td>a<table><tr><td>b</table>c</table>d", "d"),
    ("<div hidden><td>a</td></div>b", "b"),
    ("<td hidden>a", "a"),
    ("<body hidden>a", "a"),
    ("<body><div hidden>a</body></html>b", ""),
    ("<div style='visibility:hidden'>a<b style='visibility:visible'>b</b></div>", "b"),
    ("<table><tr style='visibility:collapse'><td>a<tr><td>b</table>", "b"),
    ("<p style='visibility:hidden'>a<p>b", "b"),
    ("<div style='font-size:0'>a<b style='font-size:2em'>b<i style='font-size:9px'>c", "c"),
    ("<div style='font-size:0.0px'>a</div><p style='font:0/0 a'>b</p>c", "c"),
    ("<div style='font-size:0'>a<b style='font-size:inherit'>b</b></div>c", "c"),
    ("<div style='font-size:0'>a<table><tr><td>b</table></div>", "b"),
    ("<div style='font-size:10px'>a</div>", "a"),
    ("<a hidden href=x>a<a href=y>b</a>c", "bc"),
]  # fmt: skip


@pytest.mark.parametrize(("html", "text"), HIDDEN)
def test_hidden_elements(html: str, text: str) -> None:
    """The text of elements that a browser does not show is left out."""
    assert text_of(html) == text


STYLE_SHEETS: Final = [
    pytest.param("p{display:none}", "b\nc", id="tag"),
    pytest.param("P { DISPLAY : NONE }", "b\nc", id="upper case"),
    pytest.param(".x{visibility:hidden}", "a", id="class"),
    pytest.param("#i{display:none}", "a\n\nb", id="ID"),
    pytest.param("div.x#i{display:none}", "a\n\nb", id="all of an element"),
    pytest.param("*.y.x{display:none}", "a\n\nb", id="two classes"),
    pytest.param("h1, p ,.y{display:none}", "b", id="list"),
    pytest.param("p:hover{display:none}", "a\n\nb\nc", id="other selectors"),
    pytest.param(".x{display:none} div{display:block}", "a", id="class over tag"),
    pytest.param("#i{display:block} .x{display:none}", "a\n\nc", id="ID over class"),
    pytest.param("p{display:none} p{display:block}", "a\n\nb\nc", id="the later one"),
    pytest.param(
        "p{display:none;display:block}", "a\n\nb\nc", id="the later one in a rule"
    ),
    pytest.param("p{display:block;display:none}", "b\nc", id="the later one hides"),
    pytest.param("p{display:none!important} p{display:block}", "b\nc", id="important"),
    pytest.param("/* } */p{/**/display:/*{*/none}", "b\nc", id="comments"),
    pytest.param("<!-- p{display:none} -->", "b\nc", id="in a comment of HTML"),
    pytest.param("@import url(x);p{display:none}", "b\nc", id="after an import"),
    pytest.param("@font-face{src:x} p{display:none}", "b\nc", id="after a font"),
    pytest.param("p{display:none", "b\nc", id="without an end"),
    pytest.param("}p{display:none}", "a\n\nb\nc", id="braces"),
    pytest.param("p{color:red}{}{{{", "a\n\nb\nc", id="open braces"),
]


@pytest.mark.parametrize(("css", "text"), STYLE_SHEETS)
def test_style_sheets(css: str, text: str) -> None:
    """Rules that hide elements by tag, class or ID apply."""
    assert text_of(with_style(css)) == text


MEDIA: Final = [
    ("screen", True),
    ("all", True),
    ("print", False),
    ("print, screen", True),
    ("yahoo", False),
    ("only screen and (max-width: 600px)", False),
    ("only screen and (min-width:480px)", True),
    ("screen and (max-width:600px), screen and (max-width:900px)", True),
    ("not all and (min-width:600px)", False),
    ("screen and (max-device-width: 480px)", False),
    ("(prefers-color-scheme: dark)", False),
    ("all and (-ms-high-contrast: none)", False),
    ("(max-width:1.2.3px)", False),
]


@pytest.mark.parametrize(("media", "applies"), MEDIA)
def test_media(media: str, applies: bool) -> None:
    """Rules apply if they are for a screen with a width of 800 pixels."""
    assert {*map(text_of, with_media(media))} == {shown_if(applies)}


PADDING = "&#847; &zwnj; &nbsp; &#8199; &shy; " * 150


INVISIBLE: Final = [
    ("a\u200bb\U000e0041<p>\u202ec\x9b", "ab\n\nc"),
    ("&#8203;&zwnj;&#65279;a&#917569;b&shy;c", "abc"),
    ("123&#8203;456 1&zwnj;2", "123456 12"),
    ("<b>&#8203;</b>a<b>\u200c</b>b", "ab"),
    ("&zwnj;&nbsp;&zwnj;&nbsp;a &zwnj; b", "a b"),
    ("می&zwnj;خواهم", "می\u200cخواهم"),
    ("👩&zwj;💻 &#x2764;&#xfe0f;", "👩\u200d💻 ❤\ufe0f"),
    ("a\rb\fc&#x2028;d", "a b c d"),
    ("a&#0;&#1; \x02 b", "a\ufffd b"),
    ("&#x3164;<b>&#x115f;</b>", ""),
    (f"<span>{PADDING}</span><p>code", "code"),
    (f"Hello{PADDING}<p>code", "Hello\n\ncode"),
]


@pytest.mark.parametrize(("html", "text"), INVISIBLE, ids=ascii)
def test_invisible_characters(html: str, text: str) -> None:
    """They are removed without splitting text, unless they change visible characters."""
    assert text_of(html) == text


MARKUP: Final = [
    ("a&amp;b&nbsp;&#8364;&bogus;", "a&b €&bogus;"),
    ("a &lt b &ampc &copy2 &notit; &#x80;&#150;&#xD800;", "a < b &c ©2 ¬it; €–\ufffd"),
    (f"a&#{'9' * 5_000};b", f"a&#{'9' * 5_000};b"),
    ("<!-- a -->b<![endif]--><?x?>", "b"),
    ("<!--[if mso]>a<![endif]--><!--[if !mso]><!-->b<!--<![endif]-->", "b"),
    ("<![if !mso]>a<![endif]>b", "ab"),
    ("a<!-->b<!--->c<!-- x --!>d", "abcd"),
    ("a<!-- -- > b", "a"),
    ("a<![CDATA[b > c]]>d", "a c]]>d"),
    ("a</ x>b</>c<?php echo '>' ?>d", "abc' ?>d"),
    ("a < b <3 c<", "a < b <3 c<"),
    ("a<b", "a"),
    ("<a href='x", ""),
    ("<a x='>b", ""),
    ("<a title=\"it's > x\" b='\">\"'>c</a>", "c"),
    ("<p class=\"a\"hidden>b</p>c", "c"),
    ("<P HIDDEN>a</P >b", "b"),
    ("<p hidden hidden=x style=display:none style=>a</p>b", "b"),
    ("<textarea>a</textareas></textarea/>b", "b"),
    ("<title>a</titles></TITLE >b", "b"),
    ("<style>p{display:none}<p>a", ""),
    ("<title>a<p>b", ""),
    ("<div/>a<div/>b", "a\nb"),
]  # fmt: skip


@pytest.mark.parametrize(("html", "text"), MARKUP)
def test_markup(html: str, text: str) -> None:
    """References, comments and malformed tags are parsed like in a browser."""
    assert text_of(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("Please <a href='https://e.com/?a=1&amp;b=2'>confirm</a>.", "Please confirm <https://e.com/?a=1&b=2>."),
        ("<a href=https://e.com/1>one</a> <a href=HTTPS://e.com/2>two</a>", "one <https://e.com/1> two <HTTPS://e.com/2>"),
        ("<a href=https://e.com/1>a<a href=https://e.com/2>b", "a <https://e.com/1>b <https://e.com/2>"),
        ("<a href=https://e.com/a><div>Button</div></a><p>next", "Button <https://e.com/a>\n\nnext"),
        ("<ul><li><a href=https://e.com/>https://e.com</a></ul>", "- https://e.com"),
        ("<a href='http://www.e.com/'>www.e.com</a>", "www.e.com"),
        ("<a href=mailto:a@b.c>A@b.c</a> <a href='tel:+49301'>+49 30 1</a>", "A@b.c +49 30 1"),
        ("<a href=mailto:a@b.c>Ada</a>", "Ada <mailto:a@b.c>"),
        ("<a href='javascript:x()'>a</a><a href='#x'>b</a><a>c</a>", "abc"),
        ("<a href='\n https://e.com/a\n b'>x</a>", "x <https://e.com/a%20b>"),
        ("<a href='https://e.com/<x>'>a</a>", "a"),
        ("<a href=https://e.com/><img alt=' The  logo'></a>", "[The logo] <https://e.com/>"),
        ("<a href=https://e.com/><img></a>", "<https://e.com/>"),
        ("<a href=https://e.com/><img alt=x> more <img alt=y></a>", "more <https://e.com/>"),
        ("<img alt=Photo><img alt=''><img hidden alt=x> of a cat", "[Photo] of a cat"),
        ("<a href=https://e.com/ style='display:none'>a</a>b", "b"),
    ],
)  # fmt: skip
def test_links(html: str, text: str) -> None:
    """With `links`, link targets and alternative texts of images are added."""
    assert text_of_html(html, 1_000, links=True) == (text, False)
    plain, _ = text_of_html(html, 1_000)
    assert "<http" not in plain
    assert "[" not in plain


def test_link_is_not_shortened() -> None:
    """A link target that does not fit is left out."""
    html = "a <a href=https://e.com/>b</a> c"
    assert text_of_html(html, 19, links=True) == ("a b", True)
    assert text_of_html(html, 20, links=True) == ("a b <https://e.com/>", True)
    assert text_of_html(html, 22, links=True) == ("a b <https://e.com/> c", False)


URI = "data:image/png;base64," + "A" * 300_000


@pytest.mark.parametrize(
    ("html", "text"),
    [
        pytest.param(f"one<img src='{URI}' alt='>'> two", "one two", id="picture"),
        pytest.param(f"one<img {'x=\">\" ' * 9_000}> two", "one two", id="attributes"),
        pytest.param(f"one<img src=\"{URI}> two", "one", id="picture without an end"),
        pytest.param(f"one<!-- {'>' * 300_000}--> two", "one two", id="comment"),
        pytest.param(f"one<!--{'-' * 300_000}--!> two", "one two", id="hyphens"),
        pytest.param(f"<style>{'p{} ' * 20_000} p{{display:none}}</style>a<p>b", "a", id="style"),
        pytest.param(f"<style>{'/*{*/' * 20_000} p{{display:none}}</style>a<p>b", "a", id="comments in a style"),
        pytest.param(f"<style>{'<!--' * 70_000}</STYLE >two", "two", id="other style"),
        pytest.param(f"<title>{'a ' * 150_000}</title>two", "two", id="title"),
        pytest.param(f"<xmp>{'a' * 150_000}</xmp><p>b", "a" * 150_000 + "\n\nb", id="preformatted"),
        pytest.param(f"<plaintext>{'a' * 50_000}<p>b", "a" * 50_000 + "<p>b", id="plain text"),
        pytest.param("a&" * 100_000 + " b", "a&" * 100_000 + " b", id="ampersands"),
        pytest.param("<p>word &amp; word</p>" * 9_000, "\n\n".join(["word & word"] * 9_000), id="many tags"),
        pytest.param("<div>" * 9_000 + "a" + "</div>" * 9_000 + "b", "a\nb", id="nested"),
        pytest.param(f"{'a' * 16_381}&amp;b", f"{'a' * 16_381}&b", id="reference at the end of a piece"),
        pytest.param(f"{'a' * 16_380}<br>b", f"{'a' * 16_380}\nb", id="tag at the end of a piece"),
        pytest.param(f"<pre>{'a' * 16_383}\r\nb", f"{'a' * 16_383}\nb", id="line end at the end of a piece"),
    ],
)  # fmt: skip
def test_long_html(html: str, text: str) -> None:
    """Long HTML has the same result as short HTML."""
    assert text_of_html(html, 1_000_000) == (text, False)


@pytest.mark.parametrize(
    "html",
    [
        pytest.param("<a " + "x='" * 300_001, id="quotes"),
        pytest.param("<a " + "x=" * 300_000, id="signs"),
        pytest.param("<a" + "=\"'" * 300_000, id="mixed quotes"),
        pytest.param("<!--" * 200_000, id="comments"),
        pytest.param("<a x" * 200_000, id="open tags"),
        pytest.param("<script>" * 100_000, id="scripts"),
        pytest.param("<style>" + "a{display:none}" * 60_000, id="open style"),
        pytest.param("<pre>" + "\n" * 900_000 + "a", id="lines"),
        pytest.param("&" * 900_000, id="references"),
    ],
)
def test_pieces_of_malicious_html(html: str) -> None:
    """The tokenizer yields few and small pieces."""
    pieces = [max(len(name), len(content)) for name, content in tokens(html)]
    assert max(pieces) <= 16_400
    assert len(pieces) <= len(html) // 7 + 10
    text_of_html(html, 1_000_000)


RULES = "".join(f".a{{display:block;x:{n}}}" for n in range(5_000))


@pytest.mark.parametrize(
    "html",
    [
        pytest.param("<b>" * 50_000 + "<p></p>" * 40_000, id="paragraphs in bold text"),
        pytest.param("<p><table><td>" + "<b>" * 40_000 + "</p>" * 50_000, id="end tags outside of a cell"),
        pytest.param("<i>" * 40_000 + "<div>" + "</span></b>" * 40_000, id="end tags without elements"),
        pytest.param(f"<style>{RULES}</style>" + "".join(f"<p class=a id=i{n}>" for n in range(5_000)), id="rules"),
        pytest.param("<style>" + "a,b," * 200_000 + "c{display:none}</style>", id="selectors"),
        pytest.param(f"<p class='{'a ' * 8_000}'>" * 50, id="classes"),
        pytest.param("<div>a</div>" * 60_000, id="text"),
    ],
)  # fmt: skip
def test_html_with_too_much_work(html: str) -> None:
    """All kinds of work are counted and limited."""
    budget = Budget()
    text_of_html(html + "end", 1_000_000, budget)
    with pytest.raises(BudgetSpent):
        budget.spend_tag(MAX_TAGS)


def test_long_html_is_shortened() -> None:
    """The requested number of characters is returned, and whether text is missing."""
    assert text_of_html("<p>one<p>two", 8) == ("one\n\ntwo", False)
    assert text_of_html("<p>one<p>two", 7) == ("one\n\ntw", True)
    assert text_of_html("<pre>a\n\n\n\n\nb", 3) == ("a\n\n", True)
    assert text_of_html("<b>" * (MAX_TAGS + 1) + "a", 3) == ("", True)
