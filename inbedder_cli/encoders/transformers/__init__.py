"""Language models of transformers as encoders."""
