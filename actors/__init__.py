"""Everything that has a mailbox. Knows nothing of WebSockets."""
