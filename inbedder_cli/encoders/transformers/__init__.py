"""The transformers backend: causal, masked and sequence-to-sequence language models as encoders."""
