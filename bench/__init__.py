"""The benchmark harness: load from another process over real sockets, every delivery checked."""
