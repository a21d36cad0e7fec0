"""Everything that has a socket. Imports actors, never the other way round."""
