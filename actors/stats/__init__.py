"""Numbers and happenings for the people who run the house: sampled once a second, published as snapshots with their
age, and a feed of what happened. Nothing here is on the way of a message, and losing it loses numbers only."""
