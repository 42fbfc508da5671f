"""Pseudonyms in the place of parties: the same party, the same pseudonym, and no way back.

``keyed`` makes pseudonyms under a key, of single addresses and in Arrow tables, and reads what they
keep; ``frame`` puts them into frames.
"""

from callkit.pseudonyms.frame import pseudonymise, with_pseudonyms
from callkit.pseudonyms.keyed import Pseudonyms, read_pseudonym

__all__ = ["Pseudonyms", "pseudonymise", "read_pseudonym", "with_pseudonyms"]
