"""What the real API answers: skipped unless credentials and `CALLKIT_LIVE_SIDS` are set.

`CALLKIT_LIVE_SIDS` is the path of a SID list, or `newest` for the newest calls of the account.
`make record` writes these calls to `recorded/`, with every personal value replaced.
"""
