"""What ghost text was worth: counted on this machine, kept in one file, sent to nobody.

The file holds sums for each day, language and model, and no text, no names and no paths.
``watch`` counts, ``counts`` keeps, ``report`` reads, ``table`` and ``page`` show.
"""
