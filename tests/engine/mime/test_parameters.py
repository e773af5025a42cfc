"""File names and other parameters in every form that mailers send (RFC 2045, 2047, 2231)."""

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.imap_push.imap.mime.budget import Budget
from custom_components.imap_push.imap.mime.parameters import parameter, parse_field


@pytest.mark.parametrize(
    ("field", "name"),
    [
        pytest.param("filename*=utf-8''T%C3%BCr.pdf", "Tür.pdf", id="UTF-8"),
        pytest.param("filename*=iso-8859-1''80%20%80.pdf", "80 €.pdf", id="Latin-1, Windows-1252"),
        pytest.param("filename*=gb2312''%B7%A2%C6%B1%E9F.pdf", "发票镕.pdf", id="GB2312, GBK"),
        pytest.param("filename*=iso-2022-jp''%1B$B-!%1B(B.pdf", "①.pdf", id="ISO-2022-JP"),
        pytest.param("filename*=utf-8''T%C3%BCr%20%C3", "Tür \ufffd", id="cut"),
        pytest.param("filename*=utf-8''T%C3%BCr%20f%C3%BCr%20%FC.pdf", "Tür für \ufffd.pdf", id="one bad octet"),
        pytest.param("filename*=utf-8''T%FCr.pdf", "Tür.pdf", id="UTF-8, Windows-1252"),
        pytest.param("filename*=us-ascii''T%C3%BCr.pdf", "Tür.pdf", id="US-ASCII, UTF-8"),
        pytest.param("filename*=x-none''T%FCr.pdf", "Tür.pdf", id="unknown charset"),
        pytest.param("filename*=T%C3%BCr.pdf", "Tür.pdf", id="no charset"),
        pytest.param("filename*0*=utf-8''T%C3; filename*1*=%BCr.pdf", "Tür.pdf", id="character in two pieces"),
        pytest.param("filename*0*=utf-8''T%C3%BC; filename*1=r%41.pdf", "Tür%41.pdf", id="plain piece"),
        pytest.param("filename*1*=%BCr.pdf; filename*0*=utf-8''T%C3", "Tür.pdf", id="pieces out of order"),
        pytest.param(b"filename*0=T\xc3; filename*1=\xbcr.pdf", "Tür.pdf", id="raw character in two pieces"),
        pytest.param(b'filename="T\xc3\xbcr \xc3\xa4 \xff.pdf"', "Tür ä \ufffd.pdf", id="raw UTF-8, one bad octet"),
        pytest.param(b'filename="T\xfcr.pdf"', "Tür.pdf", id="raw Windows-1252"),
        pytest.param("filename==?utf-8?Q?T=C3=BCr.pdf?=", "Tür.pdf", id="encoded word"),
        pytest.param('filename="=?utf-8?Q?T=C3=BC?= =?utf-8?Q?r.pdf?="', "Tür.pdf", id="two encoded words"),
        pytest.param('filename="=?utf-8?B?VMO8"; x=y', "Tü", id="encoded word without an end"),
        pytest.param('filename*0="=?utf-8?B?VM"; filename*1="O8ci5wZGY=?="', "Tür.pdf", id="encoded word in two pieces"),
        pytest.param("filename*=utf-8''=?utf-8?Q?T=C3=BCr.pdf?=", "Tür.pdf", id="encoded word with a charset"),
        pytest.param("filename*=\"utf-8''T%C3%BCr.pdf\"", "Tür.pdf", id="quoted"),
        pytest.param("filename*=; filename=a.pdf", "a.pdf", id="empty, then plain"),
        pytest.param("x=y", "", id="missing"),
    ],
)  # fmt: skip
def test_file_name(field: str | bytes, name: str) -> None:
    """A name with an invalid octet or a wrong charset is still decoded."""
    octets = field.encode() if isinstance(field, str) else field
    _, parameters = parse_field(b"attachment; " + octets)
    assert parameter(parameters, b"filename", Budget()) == name


@settings(max_examples=200, deadline=None, database=None)
@given(
    pieces=st.lists(
        st.sampled_from([b"filename", b"*", b"0", b"=", b'"', b"\\", b"''", b"utf-8''", b"%C3", b"%", b";", b"=?utf-8?q?"])
        | st.binary(max_size=2)
    )
)  # fmt: skip
def test_any_octets(pieces: list[bytes]) -> None:
    """The parameters of any octets can be parsed."""
    _, parameters = parse_field(b"attachment; filename=" + b"".join(pieces))
    assert isinstance(parameter(parameters, b"filename", Budget()), str)
