"""The sandbox as a process of its own."""

from __future__ import annotations

import signal
import sys
import threading

from callkit.sandbox.server import Sandbox

__all__ = ["serve"]


def serve(
    *,
    port: int = 0,
    calls: int = 10_000,
    seed: int = 7,
    latency: float = 0.0,
    limit: int | None = None,
    retry_after: int | None = None,
) -> None:
    """Run a sandbox until SIGINT or SIGTERM.

    Standard output says where it is, and on a line of its own how to sign in, as soon as it
    answers.

    Parameters
    ----------
    port, calls, seed, latency, limit, retry_after
        As for :class:`Sandbox`.

    Examples
    --------
    >>> serve(port=8080)  # doctest: +SKIP
    """
    sandbox = Sandbox(
        calls=calls, seed=seed, latency=latency, limit=limit, retry_after=retry_after, port=port
    )
    stop = threading.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.signal(number, lambda *_: stop.set()) for number in signals}
    try:
        with sandbox:
            sys.stdout.write(_invitation(sandbox))
            sys.stdout.flush()
            stop.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _invitation(sandbox: Sandbox) -> str:
    return (
        f"callkit sandbox at {sandbox.url} (Ctrl-C stops it); in another terminal:\n"
        f"export TWILIO_ACCOUNT_SID={sandbox.account_sid} TWILIO_AUTH_TOKEN={sandbox.auth_token} "
        f"CALLKIT_BASE_URL={sandbox.url}\n"
    )
