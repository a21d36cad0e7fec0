"""Bandstand: room chat and emergency alerts for live events. The public API is `bandstand.client`."""
