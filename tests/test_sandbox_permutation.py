"""A SID is an index in disguise, and only its sandbox can tell which."""

from hypothesis import given
from hypothesis import strategies as st

from callkit.sandbox.draws import Permutation

NUMBERS = st.integers(min_value=0, max_value=2**128 - 1)


@given(NUMBERS, st.binary(max_size=64))
def test_every_number_comes_back_from_its_image(number: int, key: bytes) -> None:
    permutation = Permutation(key)
    assert permutation.origin(permutation.image(number)) == number


@given(NUMBERS)
def test_every_number_is_the_image_of_its_origin(number: int) -> None:
    permutation = Permutation(b"key")
    assert permutation.image(permutation.origin(number)) == number


def test_neighbours_have_nothing_in_common() -> None:
    permutation = Permutation(b"key")
    differing = [(permutation.image(i) ^ permutation.image(i + 1)).bit_count() for i in range(1000)]
    assert min(differing) > 40
    assert 62 < sum(differing) / len(differing) < 66


def test_another_key_permutes_otherwise() -> None:
    assert Permutation(b"one").image(0) != Permutation(b"other").image(0)
