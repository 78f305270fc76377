"""Shards: plan an input in parts, encode each part whole, cluster a sample, and label all rows part by part."""
