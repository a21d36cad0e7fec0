"""Emergency alerts: their words, their life, who was reached, and their own way to every connection."""
