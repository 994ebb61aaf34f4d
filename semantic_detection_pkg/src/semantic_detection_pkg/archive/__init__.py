"""A new question to what was recorded: bags, videos and pictures are looked through again."""
