"""The commands, one file a group: they parse, call what does the work, and print."""
