"""What must be known before days can be listed: the server's clock, and the accounts."""

from datetime import datetime
from typing import Annotated

import msgspec

from callkit.errors import FetchInterrupted, RunStoppedError
from callkit.fetch.pages import Page, PageKey, accounts_page, smallest_page
from callkit.fetch.pool import Pool
from callkit.interrupts import Interrupts
from callkit.outcomes import Failure


class _Account(msgspec.Struct):
    sid: Annotated[str, msgspec.Meta(pattern=r"^AC[0-9a-fA-F]{32}\Z")]
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
        while key is not None:
            page = self._page(key)
            try:
                found = {account.sid: account.status for account in map(_account_of, page.rows)}
                key = None if page.next_uri is None else key.next(page.next_uri, self._origin)
            except msgspec.DecodeError as error:
                raise self._cannot_go_on(f"an account cannot be read ({error})") from None
            except ValueError as error:
                raise self._cannot_go_on(str(error)) from None
            if key is not None and found.keys() <= statuses.keys():
                raise self._cannot_go_on("a page of accounts has no new account")
            statuses |= found
        return statuses

    def _page(self, key: PageKey) -> Page:
        self._pool.put([key])
        while not self._interrupts.heard:
            for outcome in self._pool.take(wait=True):
                if isinstance(outcome, Failure):
                    why = f"{outcome.reason}: {outcome.message}"
                    if outcome.reason == "forbidden":
                        why = "the API key may not list them; use another key, or fetch by SID"
                    raise self._pool.stop.error or self._cannot_go_on(why)
                if isinstance(outcome, Page):
                    return outcome
        raise FetchInterrupted("interrupted before the first day was listed")

    def _cannot_go_on(self, why: str) -> RunStoppedError:
        return RunStoppedError(
            f"Cannot list the accounts or calls of {self._account_sid} at {self._origin}: "
            f"{self._pool.discreet(why)}"
        )
