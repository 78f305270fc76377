"""Results as rich tables for people and as plain formats for programs."""
