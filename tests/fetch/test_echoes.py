"""A secret is recognised in every form in which a server or a proxy may repeat it."""

from __future__ import annotations

import base64
import html
import json
import quopri
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest

import callkit
from callkit.fetch.echoes import echoes_of
from callkit.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
PUNCTUATED = "s3cret/token+&<0f1e2d3c>\u00e9"
ACCOUNT = "AC" + "1" * 32


def every(before: str, form: str) -> Callable[[str], str]:
    return lambda text: "".join(f"{before}{ord(letter):{form}}" for letter in text)


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in upper case": str.upper,
    "quoted by JSON": json.dumps,
    "in JSON escapes": every("\\u", "04x"),
    "in JSON escapes of upper case": every("\\u", "04X"),
    "in JSON within JSON": lambda text: json.dumps(json.dumps(every("\\u", "04x")(text))),
    "with escaped slashes": lambda text: text.replace("/", "\\/"),
    "in Python escapes": every("\\x", "02x"),
    "in long Python escapes": every("\\U", "08x"),
    "in octal escapes": lambda text: "".join(f"\\{octet:03o}" for octet in text.encode("latin-1")),
    "in braces": lambda text: "".join(f"\\x{{{ord(letter):x}}}" for letter in text),
    "in a dump of bytes": lambda text: " ".join(f"0x{octet:02x}" for octet in text.encode()),
    "in wide letters": lambda text: "".join(
        chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in text
    ),
    "in base32": lambda text: base64.b32encode(text.encode()).decode(),
    "in base32 after three bytes": lambda text: base64.b32encode(b"xyz" + text.encode()).decode(),
    "in a repr": repr,
    "for a URL": lambda text: quote(text, safe=""),
    "for a form": quote_plus,
    "in percent escapes": lambda text: "".join(f"%{octet:02X}" for octet in text.encode()),
    "twice for a URL": lambda text: quote(quote(text, safe=""), safe=""),
    "for HTML": html.escape,
    "in HTML entities": lambda text: "".join(f"&#{ord(letter)};" for letter in text),
    "in hexadecimal HTML entities": lambda text: "".join(f"&#x{ord(x):x};" for x in text),
    "for mail": lambda text: quopri.encodestring(text.encode()).decode(),
    "in hex": lambda text: text.encode().hex(),
    "in hex with blanks": lambda text: text.encode().hex(" ").upper(),
    "in base64": lambda text: base64.b64encode(text.encode()).decode(),
    "in base64 for a URL": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "as HTTP sends it": lambda text: base64.b64encode(f"{ACCOUNT}:{text}".encode()).decode(),
    "in base64 after a byte": lambda text: base64.b64encode(b"x" + text.encode()).decode(),
    "in base64 for a URL, quoted": lambda text: quote(base64.b64encode(text.encode()), safe=""),
    "over two lines": lambda text: f"{text[:7]}\r\n {text[7:]}",
    "over two lines, in JSON": lambda text: json.dumps(f"{text[:7]}\n{text[7:]}"),
    "letter by letter": " ".join,
    "cut": lambda text: text[:20],
    "from its middle": lambda text: text[3:],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", [TOKEN, PUNCTUATED], ids=["a token", "punctuation"])
def test_a_repeated_secret_is_recognised(secret: str, form: str) -> None:
    assert echoes_of(secret)(f"HTTP 407: refused for {FORMS[form](secret)}, sorry")


@pytest.mark.parametrize("form", ["as it is", "in JSON escapes", "for a URL", "in base64"])
def test_a_short_password_is_recognised_as_a_whole(form: str) -> None:
    assert echoes_of("hunter2")(f"refused: {FORMS[form]('hunter2')}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The requested resource /2010-04-01/Accounts/AC" + "1" * 32 + " was not found",
        TOKEN[:11] + "-" + TOKEN[21:],
        "100% of &#x0; \\u0000 \\u{110000} %zz =zz",
    ],
)
def test_other_text_is_shown(text: str) -> None:
    assert not echoes_of(TOKEN)(text)


def test_the_sandboxs_own_messages_are_shown_although_its_secrets_begin_like_its_accounts() -> None:
    sandbox = Sandbox(calls=10)
    got = callkit.collect(sandbox.unknown_sids(1), client=sandbox.client())
    assert got.failures["message"].str.contains(f"{sandbox.account_sid}.* was not found").all()


def test_what_is_too_short_for_a_secret_is_not_sought() -> None:
    assert not echoes_of("time")("no response in time")


def test_a_secret_without_letters_is_recognised() -> None:
    assert echoes_of("!?!?!?!?")("refused: !?!?!?!?")
