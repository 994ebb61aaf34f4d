"""What is looked for, in which parts, and which of the things seen are one."""
