"""Labels that mean the same to all who say or read what a thing is called."""

#: What a classifier calls that for which it has no word: no evidence for, and none against.
NO_WORD = "(no word)"
