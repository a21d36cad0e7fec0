"""Who runs the event: operators, their orders, and the record of both."""
