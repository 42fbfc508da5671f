"""The cache: one SQLite file of calls as they came, and its care."""
