"""How often, how long and after which pauses a call is tried again, and when a run gives up."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """The numbers behind retries and early stops; the defaults suit the API.

    Parameters
    ----------
    attempts : int, default 5
        How many failed attempts a call may have.
    first_back_off, longest_back_off : float, default 0.25 and 30.0
        Seconds before the second attempt, and the most before any later one.
    longest_pause : float, default 5.0
        The most seconds for which an account backs off after a 429 without ``Retry-After``, and
        between two probes in an outage.
    unauthorized_pause : float, default 2.0
        Seconds before a 401 is tried again: under load a valid sign-in is refused now and then.
    unauthorized_times : int, default 3
        How many 401s in a row end a run, if they go on for long enough.
    unauthorized_for : float, default 5.0
        How many seconds that is.
    unknown_calls : int, default 200
        How many calls, all of them unknown, end a run.
    quiet : float, default 10.0
        Seconds without a success after which a run logs a warning.

    Examples
    --------
    >>> 0.5 <= RetryPolicy().back_off(3) <= 1.0
    True
    """

    attempts: int = 5
    first_back_off: float = 0.25
    longest_back_off: float = 30.0
    longest_pause: float = 5.0
    unauthorized_pause: float = 2.0
    unauthorized_times: int = 3
    unauthorized_for: float = 5.0
    unknown_calls: int = 200
    quiet: float = 10.0

    def back_off(self, failures: int, first: float | None = None) -> float:
        """Draw the seconds to wait after so many failures in a row.

        Exponential from `first` on, with jitter over the upper half, as Twilio advises.
        """
        longest = (self.first_back_off if first is None else first) * 2.0 ** min(failures - 1, 30)
        return min(self.longest_back_off, longest) * random.uniform(0.5, 1.0)  # noqa: S311  (jitter)
