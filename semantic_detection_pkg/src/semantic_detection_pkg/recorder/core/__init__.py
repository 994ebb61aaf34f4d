"""What is kept and what goes: the recorder's rules, without files, threads or clock."""
