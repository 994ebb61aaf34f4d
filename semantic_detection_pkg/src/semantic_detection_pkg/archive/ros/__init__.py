"""The findings of an archive as a recording."""
