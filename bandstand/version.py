"""The one place that knows the version: the package metadata and `bandstand --version` both read it here."""

VERSION = "0.1.0"
