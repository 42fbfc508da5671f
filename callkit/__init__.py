"""callkit: what Twilio calls cost and where the minutes went.

A list of Call SIDs goes in; a typed DataFrame, Parquet, and charts of cost and duration come out.
"""
