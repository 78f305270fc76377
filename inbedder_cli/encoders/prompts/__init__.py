"""Prompt templates, and prompts as token ids."""
