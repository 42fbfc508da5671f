"""Record what the API answers now, with every personal value replaced: `make record`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.live.calls import live_calls
from tests.live.redaction import Redaction


def main(folder: Path) -> None:
    redaction = Redaction()
    bodies = [redaction.of(call.body) for call in live_calls()]
    folder.mkdir(exist_ok=True)
    target = folder / f"calls-{datetime.now(UTC):%Y-%m-%d}.jsonl"
    target.write_bytes(b"".join(body + b"\n" for body in bodies))
    sys.stdout.write(f"Recorded {len(bodies)} calls in {target}. Review them before you commit.\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "recorded")
