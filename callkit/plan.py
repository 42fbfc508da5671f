"""What must be known before days can be listed: the server's clock, and the accounts."""

from datetime import datetime

import msgspec

from callkit.errors import FetchInterrupted, RunStoppedError
from callkit.fetch.pages import Page, PageKey, accounts_page, smallest_page
from callkit.fetch.pool import Pool
from callkit.outcomes import Failure
from callkit.terminal import Interrupts


class _Account(msgspec.Struct):
    sid: str
    status: str | None = None


_account_of = msgspec.json.Decoder(_Account).decode


class Inquiry:
    """Requests that come before all others, one after the other, and must be answered."""

    def __init__(self, pool: Pool, interrupts: Interrupts, account_sid: str, origin: str) -> None:
        self._pool = pool
        self._interrupts = interrupts
        self._account_sid = account_sid
        self._origin = origin

    def now(self) -> datetime:
        """Ask what time it is for the server."""
        return self._page(smallest_page(self._account_sid)).fetched_at

    def accounts(self) -> dict[str, str | None]:
        """List the account and its subaccounts, with their status."""
        statuses: dict[str, str | None] = {}
        key: PageKey | None = accounts_page(self._account_sid)
        asked = set()
        while key is not None:
            if key.query in asked:
                raise self._cannot_go_on("the pages lead in a circle")
            asked.add(key.query)
            page = self._page(key)
            try:
                accounts = list(map(_account_of, page.rows))
                key = None if page.next_uri is None else key.next(page.next_uri, self._origin)
            except (msgspec.DecodeError, ValueError) as error:
                raise self._cannot_go_on(str(error)) from None
            statuses |= {account.sid: account.status for account in accounts}
        return statuses

    def _page(self, key: PageKey) -> Page:
        self._pool.put([key])
        while not self._interrupts.heard:
            for outcome in self._pool.take(wait=True):
                if isinstance(outcome, Failure):
                    raise self._pool.stop.error or self._cannot_go_on(
                        f"{outcome.reason}: {outcome.message}"
                    )
                if isinstance(outcome, Page):
                    return outcome
        raise FetchInterrupted("interrupted before the first day was listed")

    def _cannot_go_on(self, why: str) -> RunStoppedError:
        return RunStoppedError(
            f"Cannot list the accounts or calls of {self._account_sid} at {self._origin}: {why}"
        )
