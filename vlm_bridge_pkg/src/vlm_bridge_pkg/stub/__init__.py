"""A VLM service without a model: the real server, answers from a script, faults by switch."""
