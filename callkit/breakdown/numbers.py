"""What an address tells of a party, or the pseudonym in its place: channel, country, type."""

from __future__ import annotations

from callkit import addresses
from callkit.addresses import Origin
from callkit.pseudonyms import read_pseudonym

__all__ = ["Origin", "origin_of", "scheme_of"]


def scheme_of(address: str) -> str:
    """Say what kind of address it is: pstn, client, sip, sim or other.

    Examples
    --------
    >>> scheme_of("+442079460000"), scheme_of("sip~0123456789abcdef0123456789abcdef")
    ('pstn', 'sip')
    """
    pseudonym = read_pseudonym(address)
    return addresses.channel_of(address) if pseudonym is None else pseudonym.channel


def origin_of(address: str) -> Origin:
    """Look a party's address up, or read what its pseudonym keeps.

    Examples
    --------
    >>> origin_of("+442079460000")
    Origin(country='GB', number_type='fixed')
    >>> origin_of("pstn~GB~fixed~0123456789abcdef0123456789abcdef")
    Origin(country='GB', number_type='fixed')
    >>> origin_of("pstn~0123456789abcdef0123456789abcdef")
    Origin(country='pseudonym', number_type='pseudonym')
    """
    pseudonym = read_pseudonym(address)
    return addresses.origin_of(address) if pseudonym is None else pseudonym.origin
