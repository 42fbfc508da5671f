"""A million damaged inputs: each gives a result, or one of the documented errors.

``make fuzz`` runs them all and prints a table; the tests run some thousand. An input is made from
its kind, a seed and its number alone, so ``python -m tests.fuzz bodies:4711`` makes and tries one
again, with its traceback.
"""
