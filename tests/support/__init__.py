"""What only tests and benchmarks need: a sandbox in which things go wrong, and scripted answers."""
