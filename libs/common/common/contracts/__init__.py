"""What services say to each other: commands, events, replies, and the shapes of the public API. No behaviour."""
