"""One module a scenario: a function from a Ground to a typed result. Nothing in here prints."""
